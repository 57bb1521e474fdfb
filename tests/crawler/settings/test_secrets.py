"""No secret crosses an origin or is written down: one crawl with all secrets.

The seed's site asks for a password and sets a cookie; its pages lead to another host
and to another port of the same host in every way there is: links, pictures, redirects
of both, and back again.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.helpers.paths import PROGRAM
from tests.site.images import PNG
from tests.site.page import raw, reply
from tests.site.server import Exchange, Site

PASSWORD, OURS, KEY, MINE, FILED, THEIRS, PAIRED = (
    "s3cr3t-password", "s3cr3t-cookie", "s3cr3t-key", "s3cr3t-mine", "s3cr3t-filed",
    "s3cr3t-theirs", "s3cr3t-paired",
)  # fmt: skip
BASIC = "dXNlcjpzM2NyM3QtcGFzc3dvcmQ="  # user:s3cr3t-password
SECRETS = (PASSWORD, OURS, KEY, MINE, FILED, THEIRS, PAIRED, BASIC)


class Run(NamedTuple):
    home: Site
    other_host: Site
    other_port: Site
    folder: Path
    stderr: str


def untrusted_pages() -> dict[str, Any]:
    """A site that is led to, and leads on."""
    return {
        "page": reply("<img src=/picture>", headers=(("Set-Cookie", "a=b"),)),
        "picture": reply(PNG, "image/png"),
        "asks": reply(
            status=401, headers=(("WWW-Authenticate", 'Basic realm="yours"'),)
        ),
        "drops": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nx"),
        "robots.txt": reply(status=404),
    }


def home(*untrusted: Site) -> dict[str, Any]:
    names = ("page", "asks", "drops")
    links = "".join(
        f"<a href={s.url('/' + name)}>" for s in untrusted for name in names
    )
    links += "".join(f"<img src={s.url('/picture?direct')}>" for s in untrusted)
    links += "".join(f"<a href=/away/{n}><img src=/picture-away/{n}>" for n in (0, 1))

    def index(exchange: Exchange) -> None:
        if BASIC not in exchange.hit.headers.get("authorization", ""):
            exchange.reply(
                status=401, headers=[("WWW-Authenticate", 'Basic realm="home"')]
            )
            return
        cookie = ("Set-Cookie", f"session={THEIRS}; Path=/")
        exchange.reply(links + "<a href=/broken>", headers=[cookie])

    def away(exchange: Exchange) -> None:
        to = untrusted[int(exchange.arg("0"))].url("/page?redirected")
        exchange.reply(status=302, headers=[("Location", to)])

    def picture_away(exchange: Exchange) -> None:
        to = untrusted[int(exchange.arg("0"))].url("/picture?redirected")
        exchange.reply(status=302, headers=[("Location", to)])

    return {
        "": index,
        "away": away,
        "picture-away": picture_away,
        "broken": raw(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
        "robots.txt": reply("User-agent: *\n"),
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("secrets")
    other_host = Site(untrusted_pages(), addresses=("127.0.0.2",))
    other_port = Site(untrusted_pages())
    site = Site(home(other_host, other_port))
    cookies = folder / "cookies.txt"
    cookies.write_text(f"127.0.0.1\tFALSE\t/\tFALSE\t4102444800\tfiled\t{FILED}\n")
    done = subprocess.run(
        [
            *PROGRAM, "crawl", site.base + "/", "-d", str(folder / "c"), "--span-hosts",
            "-u", f"user:{PASSWORD}", "-H", f"Cookie: ours={OURS}",
            "-H", f"X-Api-Key: {KEY}", "-H", "X-Mine: env:MINE",
            "--cookie", "paired=env:PAIRED",
            "--cookies", str(cookies), "--cookie-jar", str(folder / "jar"),
            "--with", "headers,links,images", "--record", "skips,robots",
            "-v", "-w", "0", "-t", "1", "--allow-net", "127.0.0.0/8",
        ],
        env=os.environ | {"MINE": MINE, "PAIRED": PAIRED},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    yield Run(site, other_host, other_port, folder, done.stdout + done.stderr)
    for one in (site, other_host, other_port):
        one.stop()


def sent_to(site: Site) -> str:
    return "\n".join(f"{hit.target} {hit.headers}" for hit in site.log)


def test_the_origin_itself_gets_them_all(run: Run) -> None:
    requests = sent_to(run.home)
    assert [secret for secret in SECRETS if secret not in requests] == [
        PASSWORD
    ]  # as Basic has it


def test_everything_was_asked_for(run: Run) -> None:
    """Otherwise what follows would say nothing."""
    for site in (run.other_host, run.other_port):
        assert {hit.target for hit in site.log} == {
            "/robots.txt", "/page", "/asks", "/drops", "/picture", "/picture?direct",
            "/page?redirected", "/picture?redirected",
        }  # fmt: skip


def test_another_host_gets_none(run: Run) -> None:
    assert [secret for secret in SECRETS if secret in sent_to(run.other_host)] == []


def test_another_port_gets_cookies_of_the_host_and_nothing_else(run: Run) -> None:
    """Cookies ignore ports (RFC 6265bis section 8.5); given credentials do not."""
    requests = sent_to(run.other_port)
    assert [secret for secret in SECRETS if secret in requests] == [FILED, THEIRS]
    foreign = [
        hit.headers.get("cookie", "") for hit in run.other_port.hits("/picture?direct")
    ]
    assert foreign
    assert not any("authorization" in hit.headers for hit in run.other_port.log)


def test_none_is_in_a_record_or_a_log(run: Run) -> None:
    records = (run.folder / "c" / "records.jsonl").read_text()
    kinds = {json.loads(line)["type"] for line in records.splitlines()}
    assert kinds >= {"page", "image", "redirect", "error", "robots"}
    assert "set-cookie" in records
    assert "> Host: " in run.stderr
    assert "X-Mine: •••" in run.stderr
    for secret in SECRETS:
        assert secret not in records, secret
        assert secret not in run.stderr, secret


def test_what_is_kept_is_for_its_owner_alone(run: Run) -> None:
    """The state has to have them, for a resume; the jar was asked for."""
    assert THEIRS in (run.folder / "jar").read_text()
    for path in (run.folder / "c" / "state", run.folder / "jar"):
        assert path.stat().st_mode & 0o077 == 0
    state = b"".join(
        path.read_bytes() for path in (run.folder / "c" / "state").iterdir()
    )
    for secret in (MINE, PAIRED):
        assert secret.encode() not in state  # given by reference, and kept as one
