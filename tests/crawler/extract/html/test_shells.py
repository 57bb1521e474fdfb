"""Pages that need JavaScript are told from ordinary ones."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from crawler.extract.body import Body
from crawler.extract.html.reader import read_html, read_xhtml
from crawler.extract.html.shells import needs_javascript

_TEXT = Path(__file__).with_name("shells.txt").read_text("utf-8")
PAGES = {
    (kind, name): html
    for kind, name, html in re.findall(
        r"^=== (\w+): (.*)\n((?:(?!===).*\n)*)", _TEXT, re.MULTILINE
    )
}
FRESH = {name: html for (kind, name), html in PAGES.items() if kind == "fresh"}


def is_shell(html: str) -> bool:
    body = Body("http://a.test/", html.encode(), "text/html", None, 1000, False)
    return read_html(body).needs_javascript


@pytest.mark.parametrize("name", [name for kind, name in PAGES if kind == "made"])
def test_a_shell_needs_javascript(name: str) -> None:
    assert is_shell(PAGES["made", name])


def test_at_least_95_of_100_shells_that_were_kept_back_are_recognised() -> None:
    missed = [name for name, html in FRESH.items() if not is_shell(html)]
    assert len(FRESH) >= 40
    assert len(missed) <= len(FRESH) * 0.05, missed


@pytest.mark.parametrize("name", [name for kind, name in PAGES if kind == "ordinary"])
def test_an_ordinary_page_does_not(name: str) -> None:
    assert not is_shell(PAGES["ordinary", name])


def test_xhtml_can_be_a_shell() -> None:
    html = '<html><body><div id="app"></div><script src="a.js"></script></body></html>'
    body = Body(
        "http://a.test/", html.encode(), "application/xhtml+xml", None, 9, False
    )
    assert read_xhtml(body).needs_javascript


@pytest.mark.parametrize(
    "piece",
    ["<", "<!--", "<script>", "<div hidden>", '<div id="root">', "<a b='", '=" ', "</"],
)
def test_time_is_bounded_on_hostile_pages(piece: str) -> None:
    text = "<script src=a></script>" + piece * 300_000
    began = time.process_time()
    needs_javascript(text)
    assert time.process_time() - began < 1.0
