"""The demo's site, fetched by the standard library: complete, and as its pages say."""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from crawler.demo.server import MEDIA_TYPES, SITE, DemoServer, serving


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    with serving(slow_s=0.2) as running:
        yield running


def get(server: DemoServer, path: str) -> tuple[int, str, bytes]:
    """Status, final path, body."""
    try:
        with urllib.request.urlopen(
            server.url + path.lstrip("/"), timeout=120
        ) as answer:
            final = answer.url.removeprefix(server.url)
            return answer.status, final, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, path, error.read()


def test_it_misbehaves_as_its_pages_say(server: DemoServer) -> None:
    assert get(server, "visit")[:2] == (200, "visit.html")
    assert get(server, "lost.html")[0] == 404
    assert [get(server, "busy.html")[0] for _ in range(2)] == [503, 200]
    before = time.monotonic()
    assert get(server, "slow.html")[0] == 200
    assert time.monotonic() - before >= 0.2
    assert "à la toile" in get(server, "cafe.html")[2].decode("windows-1252")
    assert get(server, "robots.txt")[2].endswith(b"Disallow: /storeroom/\n")


@pytest.mark.parametrize(
    "path", ["../server.py", "%2e%2e/server.py", "images/", "/etc/passwd"]
)
def test_only_the_site_is_served(server: DemoServer, path: str) -> None:
    assert get(server, path)[0] == 404


MAGIC = {
    ".png": b"\x89PNG", ".jpg": b"\xff\xd8\xff", ".gif": b"GIF89a", ".webp": b"RIFF",
    ".svg": b"<svg",
}  # fmt: skip


def test_pictures_are_of_five_kinds_and_what_they_say() -> None:
    found = {file.suffix: file.read_bytes() for file in (SITE / "images").iterdir()}
    assert found.keys() == MAGIC.keys()
    assert all(data.startswith(MAGIC[suffix]) for suffix, data in found.items())
    assert found[".gif"].count(b"\x21\xf9\x04") > 1  # several frames
    assert all(file.suffix in MEDIA_TYPES for file in SITE.rglob("*") if file.is_file())


def test_every_link_leads_to_a_file_or_to_a_promised_surprise() -> None:
    surprises = {"lost.html", "visit", "https://example.com/", "./"}
    for page in SITE.rglob("*.html"):
        text = page.read_bytes().decode("latin-1")
        for link in re.findall(r'(?:href|src)="([^"]+)"', text):
            known = link.removeprefix("../") in surprises
            assert known or (page.parent / link).is_file(), (page, link)
