"""A crawl that makes a mirror, killed while it crawls and while it converts."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from tests.helpers.content_site import ContentSite
from tests.helpers.killed_crawl import TIMEOUT, Crawl

PAGES = 120
KILLS = 6
LIST = ".orbweb-files"


class Mirrored(Crawl):
    """The same with a mirror."""

    def kill_while_converting(self) -> bool:
        """Kill it up to 0.1 s after a conversion has begun; whether that was in time.

        The conversion has everything to do: what an earlier one wrote is out of date.
        """
        for page in self.mirror.rglob("*.html"):
            page.unlink()
            page.write_text("out of date")
        started = self._conversions()
        process = self._start()
        deadline = time.monotonic() + TIMEOUT
        while self._conversions() == started:
            assert process.poll() is None, self._messages()
            assert time.monotonic() < deadline
            time.sleep(0.0005)
        time.sleep(self.dice.random() / 10)
        process.kill()
        return process.wait(TIMEOUT) == -signal.SIGKILL

    @property
    def mirror(self) -> Path:
        return self.folder / "mirror"

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.mirror)): path.read_bytes()
            for path in self.mirror.rglob("*")
            if path.is_file()
        }

    def _conversions(self) -> int:
        """The inode of the list of files, which each conversion replaces first."""
        try:
            return (self.mirror / LIST).stat().st_ino
        except FileNotFoundError:
            return 0

    def _arguments(self) -> list[str]:
        more = [] if self.folder.exists() else ["--mirror"]
        return [*super()._arguments(), *more]


def test_kills_leave_the_mirror_of_a_whole_crawl(tmp_path: Path) -> None:
    with ContentSite(PAGES, seed=3) as site:
        whole = Mirrored(site, tmp_path / "whole", seed=1)
        whole.finish()
        crawl = Mirrored(site, tmp_path / "crawl", seed=2)
        for _ in range(KILLS):
            assert crawl.run_until(signal.SIGKILL, step=18) == -signal.SIGKILL
        in_time = [crawl.kill_while_converting() for _ in range(KILLS)]
        assert any(in_time)
        crawl.finish()
    assert len(whole.files()) > PAGES
    assert crawl.files() == whole.files()
