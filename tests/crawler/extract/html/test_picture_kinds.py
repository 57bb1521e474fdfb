"""Each kind of place where pages keep pictures: what is found is the truth."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.extract.charset import markup
from crawler.extract.html.page import read_page
from tests.helpers.cpu import cpu_within

Kind = tuple[str, set[str]]


def kinds() -> list[Kind]:
    text = Path(__file__).with_name("picture_kinds.txt").read_text()
    found: list[Kind] = []
    html: list[str] = []
    for line in text.splitlines():
        if line.startswith("#") or not (line or html):
            continue
        before, mark, truth = line.partition(" ==>")
        html.append(before)
        if mark:
            found.append(("\n".join(html), set(truth.split())))
            html = []
    return found


KINDS = kinds()


def pictures(html: str, url: str = "http://h/d/p") -> set[str]:
    document = markup(html.encode(), "utf-8", 2**24)
    page = read_page(document, url, "text/html", 1000)
    return {image.url.removeprefix("http://h/") for image in page.images}


@pytest.mark.parametrize(("html", "truth"), KINDS)
def test_found_is_the_truth(html: str, truth: set[str]) -> None:
    assert pictures(html) == truth


def test_there_are_240_kinds() -> None:
    assert len({html for html, _ in KINDS}) >= 240


@pytest.mark.parametrize(
    "piece",
    [
        '<p data-x=\'{"a":"b.png"}\'>',
        "<p data-x=/1.png,/2.png,>",
        "<p data-x='?url=?url=.?url='>",
        "<p data-srcset='[[[[ | | | |'>",
        "<p style='background:url('>",
        "<p style='x:url()url(a image-set(image-set('>",
        "<style>url(\"\n@import/**/@import url('\n\\75\\</style>",
        "<script>var a='\\'\\\"\\'\\\"`$`$</script>",
        '<script type=application/ld+json>{"image":{"image":{"url</script>',
        "<script type=application/json>[[[[[[[[</script>",
        "<a href=http://c/1.png><img src=x>",
        "<iframe srcdoc='<img src=1><iframe srcdoc=x>'>",
        "<object data=x type=image/x><use href=x>",
    ],
)
@pytest.mark.parametrize("opened", ["", "<style>", "<script>var a=", "<p data-x='"])
def test_time_is_linear(piece: str, opened: str) -> None:
    with cpu_within(3):
        pictures(opened + piece * (2**20 // len(piece)))


def test_one_attribute_of_great_length() -> None:
    for start in ("[", "{", '"\\', "'", "\\", "url(", "/1.png,", " ", "/*", "`$"):
        with cpu_within(1):
            pictures(f'<p data-srcset="{start * 100_000}" data-x="{start * 100_000}">')
            pictures(f"<script>var a = {start * 100_000}</script>")
            pictures(f"<style>{start * 100_000}</style>")
