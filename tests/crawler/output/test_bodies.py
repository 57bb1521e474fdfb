"""Which bodies `--save` chooses, and the names of their files."""

from __future__ import annotations

import pytest

from crawler.output.bodies import body_path, extension, saves


@pytest.mark.parametrize(
    ("types", "media_type", "chosen"),
    [
        (("html",), "text/html", True),
        (("html",), "application/xhtml+xml", True),
        (("html",), "text/plain", False),
        ((" PDF ",), "application/pdf", True),
        (("json",), "application/ld+json", True),
        (("json",), "application/jsonx", False),
        (("js",), "text/javascript", True),
        (("js",), "application/json", False),
        (("xml",), "application/rss+xml", True),
        (("text",), "text/csv", True),
        (("text/*",), "application/text", False),
        (("application/vnd.ms-excel",), "application/vnd.ms-excel", True),
        (("application/vnd.ms-excel",), "application/vndxms-excel", False),
        (("all",), "x/y", True),
        (("*/*",), "x/y", True),
        (("html", "font/*"), "font/woff2", True),
    ],
)
def test_types_choose(types: tuple[str, ...], media_type: str, chosen: bool) -> None:
    choose = saves(types)
    assert choose is not None
    assert choose(media_type) is chosen


def test_no_type_chooses_nothing() -> None:
    assert saves(()) is None


@pytest.mark.parametrize("wrong", ["htm", "", "a/b/c", "text/", "text/html;q=1", "*"])
def test_what_is_no_type_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="is none of html, pdf"):
        saves(("html", wrong))


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [
        ("text/html", "html"),
        ("application/pdf", "pdf"),
        ("application/geo+json", "json"),
        ("text/json", "json"),
        ("application/problem+xml", "xml"),
        ("text/x-python", "txt"),
        ("application/x-../../etc", "bin"),
        ("application/octet-stream", "bin"),
    ],
)
def test_the_extension_follows_the_media_type(media_type: str, expected: str) -> None:
    assert extension(media_type) == expected


def test_the_name_is_the_hash() -> None:
    assert body_path("ab" * 32, "text/css") == f"bodies/ab/{'ab' * 32}.css"
