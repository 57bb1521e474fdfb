"""Headless Chromium without a network: which requests of local pages fail.

It is driven through a pair of pipes (`--remote-debugging-pipe`): messages of JSON that
end with a zero byte, one command at a time.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.helpers.paths import ROOT

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_PICTURES = """
(async () => {
    const shown = [...document.images].filter(one => one.getAttribute("src"));
    for (const one of shown) one.loading = "eager";
    await Promise.all(shown.map(one => one.decode().catch(() => 0)));
    return JSON.stringify([
        shown.filter(one => one.naturalWidth > 0).length,
        shown.filter(one => !one.naturalWidth).map(one => one.src),
    ]);
})()
"""


class Shown(NamedTuple):
    """What a page has done."""

    loaded: list[str]
    """The URLs of requests that were answered."""
    failed: list[str]
    """Those of requests that failed."""
    pictures: int
    """Those that are shown."""
    broken: list[str]
    """URLs of pictures that are not shown."""


def missing() -> str | None:
    """Why Chromium can't be used here, or None if it can."""
    return None if _program() else "chromium is not installed (Debian package chromium)"


def _program() -> str | None:
    return next(filter(None, map(shutil.which, _PROGRAMS)), None)


class Chromium:
    """A running browser with one tab."""

    def __init__(self, profile: str, loopback: bool = False) -> None:
        program = _program()
        excluded = ", EXCLUDE 127.0.0.1" if loopback else ""
        assert program is not None
        to_read, self._out = os.pipe()
        self._in, to_write = os.pipe()
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_read, to_write)]

        # The browser wants them as descriptors 3 and 4, which may be in use here.
        placed = 'exec "$@" 3<&{} 4>&{}'.format(*ends)
        self._process = subprocess.Popen(
            ["bash", "-c", placed, "bash",
             program, "--headless", "--no-sandbox", "--disable-gpu",
             "--disable-dev-shm-usage",
             "--no-first-run", "--disable-background-networking",
             f"--host-resolver-rules=MAP * ~NOTFOUND{excluded}",
             f"--user-data-dir={profile}",
             "--remote-debugging-pipe", "about:blank"],
            pass_fds=ends,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
        )  # fmt: skip
        for end in (to_read, to_write, *ends):
            os.close(end)
        self._rest = b""
        self._number = 0
        self._events: list[dict[str, Any]] = []
        self._session: str | None = None
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self._call("Network.enable")
        self._call("Page.enable")

    def show(self, page: Path) -> Shown:
        """Open a local page, and wait until it has loaded with all its pictures."""
        return self.open(page.absolute().as_uri())

    def open(self, url: str) -> Shown:
        """Open a page, and wait until it has loaded with all its pictures."""
        self._events.clear()
        self._call("Page.navigate", url=url)
        while not any(one["method"] == "Page.loadEventFired" for one in self._events):
            self._events.append(self._receive())
        pictures, broken = json.loads(self.evaluate(_PICTURES))
        urls = {
            one["params"]["requestId"]: one["params"]["request"]["url"]
            for one in self._events
            if one["method"] == "Network.requestWillBeSent"
        }
        return Shown(
            self._of(urls, "Network.loadingFinished"),
            self._of(urls, "Network.loadingFailed"),
            pictures,
            broken,
        )

    def evaluate(self, expression: str) -> Any:
        """The value of an expression, or what its promise becomes."""
        result = self._call(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
        )
        return result["result"].get("value")

    def _of(self, urls: dict[str, str], event: str) -> list[str]:
        """The URLs of the page's requests to which `event` has happened."""
        requests = (
            one["params"]["requestId"]
            for one in self._events
            if one["method"] == event and not one["params"].get("canceled")
        )
        return [urls[request] for request in requests if request in urls]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._in)
        os.close(self._out)

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a command; the events before it are kept."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            command["sessionId"] = self._session
        os.write(self._out, json.dumps(command).encode() + b"\0")
        while (message := self._receive()).get("id") != self._number:
            self._events.append(message)
        assert "error" not in message, message
        result: dict[str, Any] = message["result"]
        return result

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            received = os.read(self._in, 1 << 16)
            assert received, "the browser has ended"
            self._rest += received
        message, _, self._rest = self._rest.partition(b"\0")
        decoded: dict[str, Any] = json.loads(message)
        return decoded


@contextmanager
def browser(*, loopback: bool = False) -> Iterator[Chromium]:
    """A browser without a network, for a block; `loopback`: 127.0.0.1 it may reach."""
    with tempfile.TemporaryDirectory(
        prefix="orbweb-chromium-", ignore_cleanup_errors=True
    ) as profile:
        chromium = Chromium(profile, loopback)
        try:
            yield chromium
        finally:
            chromium.close()
