"""The site that stands for https://example.com/ in the examples of the documents."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.helpers.crawling import png
from tests.site.page import reply
from tests.site.server import Handler, Site

PLACEHOLDER = "https://example.com"

_HOME = (
    '<!doctype html><html lang="en"><title>Home</title><h1>Welcome</h1>'
    '<a href="/about">About us</a> <a href="/data.csv">Prices</a>'
    '<img src="/logo.png" alt="Logo">'
)
_ABOUT = (
    '<!doctype html><title>About</title><h1>About us</h1><a href="/">Home</a>'
    '<img src="/logo.png">'
)


def _handlers() -> dict[str, Handler]:
    return {
        "": reply(_HOME),
        "about": reply(_ABOUT),
        "data.csv": reply("a,b\n1,2\n", "text/csv"),
        "logo.png": reply(png(), "image/png"),
        "old": reply(status=301, headers=(("Location", "/about"),)),
        "robots.txt": reply(status=404),
    }


@contextmanager
def example_site() -> Iterator[Site]:
    """The running site; `localise` puts its address into an example."""
    site = Site(_handlers())
    try:
        yield site
    finally:
        site.stop()


def localise(text: str, site: Site) -> str:
    """An example that speaks of PLACEHOLDER, for the running site."""
    return text.replace(PLACEHOLDER, site.url("").rstrip("/"))
