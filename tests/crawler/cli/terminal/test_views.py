"""The views: what they draw, when they keep quiet, and that they clean up."""

from __future__ import annotations

import io
import re
import threading
import time
from typing import ClassVar

import msgspec
import pytest
from rich.console import Console

import hub
import hub.event
from crawler.cli.terminal.formatting import (
    Forecast,
    printable,
    status_line,
    waiting_text,
)
from crawler.cli.terminal.live import draw
from crawler.cli.terminal.views import LineView, NoView, choose_view, follow
from crawler.engine.stats import Snapshot
from crawler.frontier.waits import combine_waits, waits_of
from crawler.model.host import Waiting, Waits, WaitState

BUSY = Snapshot(
    elapsed_s=102.3,
    pages=1234,
    images=567,
    redirects=12,
    errors=4,
    skipped=88,
    bytes=123_456_789,
    queued=766,
    in_flight=6,
    hosts=2,
    pages_per_s=12.44,
    bytes_per_s=1_234_567,
    hosts_top=(("docs.test", 801, 700, 2), ("cdn.test", 567, 60, 4)),
    last_urls=(("page", "https://docs.test/now"), ("image", "https://cdn.test/i.png")),
    last_errors=(
        ("https://docs.test/missing", "status_4xx", "404 Not Found"),
        ("https://cdn.test/x.png", "read_timeout", "evil \x1b[2J\x9b31m\ntext"),
    ),
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "options", "view"),
    [
        (Terminal(), {"TERM": "xterm"}, {}, "LiveView"),
        (Terminal(), {"TERM": "xterm"}, {"quiet": True}, "NoView"),
        (Terminal(), {"TERM": "xterm"}, {"shared": True}, "LineView"),
        (Terminal(), {"TERM": "dumb"}, {}, "LineView"),
        (Terminal(), {}, {}, "LineView"),
        (io.StringIO(), {"TERM": "xterm"}, {}, "LineView"),
    ],
)
def test_the_view_suits_the_stream(
    stream: io.StringIO, environ: dict[str, str], options: dict[str, bool], view: str
) -> None:
    chosen = choose_view(stream, "t", environ, **{"quiet": False, **options})
    assert type(chosen).__name__ == view


def test_a_status_line_holds_what_matters() -> None:
    line = status_line(BUSY)
    assert line.startswith(
        "1:42  pages 1,234  images 567  redirects 12  errors 4  skipped 88"
    )
    assert "queued 766  in flight 6  12.4 pages/s  1.23 MB/s" in line
    assert "files" not in line


def test_lines_come_after_the_first_ten_seconds() -> None:
    stream = io.StringIO()
    view = LineView(stream, "docs.test")
    view.update(Snapshot(elapsed_s=0.0))
    assert stream.getvalue() == ""
    view.update(BUSY)
    assert stream.getvalue() == f"docs.test: {status_line(BUSY)}\n"


def test_quiet_says_only_what_must_be_said() -> None:
    stream = io.StringIO()
    view = NoView(stream)
    view.update(BUSY)
    view.close()
    view.message("done\x1b[31m")
    assert stream.getvalue() == "done?[31m\n"


def live(stream: io.StringIO, environ: dict[str, str]) -> str:
    """What is sent to the terminal for one picture and a clean end."""
    view = choose_view(stream, "docs.test", {"TERM": "xterm", **environ}, quiet=False)
    view.update(BUSY)
    view.update(BUSY)
    view.close()
    view.message("done")
    return stream.getvalue()


def test_the_live_view_draws_and_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    before = set(threading.enumerate())
    text = live(Terminal(), {})
    assert set(threading.enumerate()) <= before
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
    pieces = (
        "docs.test", "https://docs.test/now", "12.4 pages/s", "1,905 of 2,677 known",
        "received 123 MB", "cdn.test", "404 Not Found", "read_timeout", "Ctrl-C",
    )  # fmt: skip
    for piece in pieces:
        assert piece in plain, piece
    assert "\x9b" not in text
    assert "evil ?[2J?31m?text" in plain
    # Cursor hidden while drawing, shown at the end; the last picture is erased line by
    # line.
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert text[text.rindex("docs.test") :].count("\x1b[2K") >= 8
    assert text.endswith("done\n")


def test_no_color_means_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    assert re.search(r"\x1b\[[0-9;]*3[1-6]m", live(Terminal(), {}))
    assert not re.search(r"\x1b\[[0-9;]*3[1-6]m", live(Terminal(), {"NO_COLOR": "1"}))


def test_stopping_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    from msgspec.structs import replace

    stream = Terminal()
    monkeypatch.setenv("COLUMNS", "120")
    view = choose_view(stream, "t", {"TERM": "xterm"}, quiet=False)
    view.update(replace(BUSY, draining=True))
    view.close()
    assert "nothing is lost" in stream.getvalue()
    assert status_line(replace(BUSY, draining=True)).endswith("stopping")


# ------------------------------------------------------------------ what it waits for

WAITS = Waits(
    (
        Waiting("backing off", "429", 12, 340, 41.2),
        Waiting("parked", "timeout", 3, 21, 3600.0),
        Waiting("retry", "5xx", 0, 1, 2.0),
        Waiting("delay", "Crawl-delay", 1, 9, 20.0),
    ),
    7.4,
    "slow.test",
    540.0,
)


def test_what_is_waited_for_is_told_with_cause_and_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    noon = 1_800_014_400.0  # 2027-01-15 12:00
    text = waiting_text(WAITS, noon)
    assert text == (
        "12 hosts backing off after 429, next in 41 s; "
        "3 hosts parked after timeout until 13:00; "
        "1 URL to try again after 5xx, next in 2.0 s; "
        "1 host between two requests (Crawl-delay), next in 20 s; "
        "no answer to a request for 7.4 s"
    )
    assert "until 2027-01-16 00:30" in waiting_text(WAITS, noon + 11.5 * 3600)
    assert waiting_text(Waits(), noon) == ""
    line = status_line(msgspec.structs.replace(BUSY, waits=WAITS))
    assert "at least 9:00 left for slow.test" in line
    assert "waiting: 12 hosts backing off after 429" in line


def test_the_least_time_is_shown_if_the_forecast_is_less() -> None:
    picture = screen(msgspec.structs.replace(BUSY, waits=WAITS), 100, 30)
    assert "at least 9:00 left" in picture[0]


@pytest.mark.parametrize(
    ("state", "about_s", "shown"),
    [
        ("delay", 90.0, "about 1:30 left"),
        ("retry", 5.0, "at least 13 s left"),
        ("backing off", 90.0, "at least 13 s left"),
        ("slowed down", 90.0, "at least 13 s left"),
        ("parked", 90.0, "at least 13 s left"),
    ],
)
def test_no_time_is_estimated_while_hosts_fail_or_refuse(
    state: WaitState, about_s: float, shown: str
) -> None:
    groups = (Waiting(state, "429", 2, 9, 13.0),)
    waits = waits_of(groups, ("h.test", 2.0), [("s.test", 4.0)], 60.0)
    assert waits_of(groups, ("h.test", 2.0), [], None).least_s == 2.0
    snapshot = msgspec.structs.replace(BUSY, waits=waits)
    picture = screen(snapshot, 100, 30, about_s)
    assert picture[0].endswith(shown)
    assert "no answer to a request for 4.0 s (s.test)" in " ".join(picture)
    assert "at least 13 s left" in status_line(snapshot)


@pytest.mark.parametrize(
    ("least_s", "stops_in_s", "about_s", "shown"),
    [
        (0.0, 40.0, None, "at most 40 s left by --max-time"),
        (0.0, 40.0, 7200.0, "at most 40 s left by --max-time"),
        (60.0, 40.0, 90.0, "at most 40 s left by --max-time"),
        (20.0, 40.0, None, "at least 20 s left"),
        (20.0, 40.0, 30.0, "about 30 s left"),
        (20.0, None, 7200.0, "about 2:00:00 left"),
    ],
)
def test_a_limit_of_time_bounds_the_time_left(
    least_s: float, stops_in_s: float | None, about_s: float | None, shown: str
) -> None:
    waits = Waits(slowest_host="h.test", least_s=least_s, stops_in_s=stops_in_s)
    snapshot = msgspec.structs.replace(BUSY, waits=waits)
    assert screen(snapshot, 100, 30, about_s)[0].endswith(f"  {shown}")
    if not shown.startswith("about"):
        assert shown in status_line(snapshot)


def test_several_crawls_stop_when_the_last_of_them_does() -> None:
    def together(*ends: float | None) -> float | None:
        return combine_waits([Waits(stops_in_s=end) for end in ends]).stops_in_s

    assert together(5.0, 9.0) == 9.0
    assert together(5.0, None) is None


def test_a_parked_host_that_the_crawl_does_not_wait_for_sets_no_bound() -> None:
    groups = (Waiting("parked", "timeout", 1, 9, 61.0),)
    assert waits_of(groups, ("h.test", 2.0), [], 60.0).least_s == 2.0


HOSTS = tuple((f"h{n}.test", n, 9, 1) for n in range(40))
URLS = tuple(("page", f"https://h.test/{n}") for n in range(20))
ERRORS = tuple((f"https://e.test/{n}", "reset", "gone") for n in range(10))
FULL = msgspec.structs.replace(
    BUSY,
    hosts=200,
    hosts_top=HOSTS,
    last_urls=URLS,
    last_errors=ERRORS,
    waits=WAITS,
)


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("height", [12, 24, 50, 70])
def test_the_height_of_the_terminal_is_used(width: int, height: int) -> None:
    picture = screen(FULL, width, height)
    assert len(picture) <= height
    assert "Ctrl-C" in " ".join(picture[-2:])
    assert any("12 hosts backing off" in line for line in picture)
    if height >= 24:
        assert len(picture) == height
    if height >= 50:
        assert sum(".test " in line and "http" not in line for line in picture) >= 25
        assert any("https://h.test/19" in line for line in picture)
        assert any("https://e.test/9" in line for line in picture)


def screen(
    snapshot: Snapshot, width: int, height: int, about_s: float | None = None
) -> list[str]:
    stream = io.StringIO()
    console = Console(file=stream, width=width, height=height, no_color=True)
    console.print(draw("t", snapshot, about_s))
    return stream.getvalue().splitlines()


def test_a_failure_does_not_begin_with_robots_txt() -> None:
    """A host that can't be reached fails at the first request, for robots.txt."""
    failed = ("http://a.test/", "connect_refused", "robots.txt: a.test:80: refused")
    snapshot = Snapshot(elapsed_s=1.0, errors=1, last_errors=(failed,))
    shown = " ".join(screen(snapshot, 100, 24))
    assert "http://a.test/  a.test:80: refused" in shown
    assert "robots.txt" not in shown


# ------------------------------------------------------------------ forecast


def waiting(elapsed_s: float, queued: int) -> Snapshot:
    return Snapshot(elapsed_s=elapsed_s, queued=queued)


def test_no_forecast_while_the_queue_grows() -> None:
    forecast = Forecast()
    assert [forecast.update(waiting(t, 10 * t)) for t in range(60)] == [None] * 60


def test_a_shrinking_queue_is_forecast_from_its_shrinking() -> None:
    forecast = Forecast()
    seen = [forecast.update(waiting(t, 600 - 6 * t)) for t in range(60)]
    assert seen[5] is None
    assert seen[50] == pytest.approx(50)


def test_no_forecast_for_an_empty_queue() -> None:
    forecast = Forecast()
    forecast.update(waiting(0, 10))
    assert forecast.update(waiting(30, 0)) is None


# ------------------------------------------------------------------ text


def test_control_characters_are_not_printed() -> None:
    assert printable("a\x00\x1b\x85\u202eb ä") == "a????b ä"


# ------------------------------------------------------------------ the greenlet


def test_follow_feeds_the_view_until_it_is_killed() -> None:
    class Recorder(NoView):
        interval_s = 0.01
        seen: ClassVar[list[Snapshot]] = []

        def update(self, snapshot: Snapshot) -> None:
            self.seen.append(snapshot)
            if len(self.seen) == 3:
                enough.set()

    enough = hub.event.Event()
    greenlet = hub.spawn(follow, Recorder(io.StringIO()), lambda: BUSY)
    assert enough.wait(timeout=60)
    greenlet.kill()
    assert Recorder.seen == [BUSY] * 3
