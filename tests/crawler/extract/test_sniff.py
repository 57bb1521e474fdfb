"""crawler/extract/sniff.py on web-platform-tests' Content-Types, and on first bytes."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webencodings import lookup

from crawler.extract.sniff import (
    MediaType,
    extract_media_type,
    parse_media_type,
    sniff,
)
from tests.helpers.corpora import corpus


def serialized(media_type: MediaType | None) -> str | None:
    """The media type in the standard's serialisation."""
    if media_type is None:
        return None
    text = media_type.essence
    for name, value in media_type.parameters.items():
        if not re.fullmatch(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", value):
            value = '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'
        text += f";{name}={value}"
    return text


def test_web_platform_tests() -> None:
    rows = json.loads(corpus("mime", "mime-types.json").read_text(encoding="utf-8"))
    wrong = []
    for row in rows:
        if isinstance(row, str):
            continue
        got = parse_media_type(row["input"])
        if serialized(got) != row["output"]:
            wrong.append((row["input"], row["output"], serialized(got)))
        elif row.get("encoding") and got is not None:
            found, expected = lookup(got.parameters["charset"]), lookup(row["encoding"])
            if found is not expected:
                wrong.append((row["input"], row["encoding"], str(found)))
    assert wrong == []


@pytest.mark.parametrize(
    ("values", "media_type"),
    [
        # web-platform-tests, fetch/content-type/resources/content-types.json
        (["", "text/plain"], "text/plain"),
        (["text/plain", ""], "text/plain"),
        (["text/html", "text/plain"], "text/plain"),
        (["text/plain;charset=gbk", "text/html"], "text/html"),
        (
            ["text/plain;charset=gbk", "text/html;charset=windows-1254"],
            "text/html;charset=windows-1254",
        ),
        (["text/plain;charset=gbk", "text/plain"], "text/plain;charset=gbk"),
        (
            ["text/plain;charset=gbk", "text/plain;charset=windows-1252"],
            "text/plain;charset=windows-1252",
        ),
        (
            ["text/html;charset=gbk", 'text/html;x=",text/plain'],
            'text/html;x=",text/plain";charset=gbk',
        ),
        (["text/html;charset=gbk", "text/plain", "text/html"], "text/html"),
        (["text/plain", "*/*"], "text/plain"),
        (["*/*", "text/html"], "text/html"),
        (["text/html", "*/*;charset=gbk"], "text/html"),
        (['text/html;x="', "text/plain"], 'text/html;x=", text/plain"'),
        (['text/html;"', "text/plain"], "text/html"),
        # the same in one field, and what is no media type
        (["text/plain, text/html; charset=utf-8"], "text/html;charset=utf-8"),
        (["text/html; charset=utf-8, text/html"], "text/html;charset=utf-8"),
        (['text/html; x="a, text/plain"'], 'text/html;x="a, text/plain"'),
        (["text/html,"], "text/html"),
        ([",,", "html", "text/html"], "text/html"),
        (["text/html", "html"], "text/html"),
        (["*/*"], "*/*"),
        (["*/*, */*"], None),
        (["html", "plain"], None),
        ([""], None),
        ([], None),
    ],
)
def test_the_last_valid_content_type_counts(
    values: list[str], media_type: str | None
) -> None:
    assert serialized(extract_media_type(values)) == media_type


@pytest.mark.parametrize("part", ['"', "\\", '"\\', ",", "text/html,"])
def test_a_long_content_type_is_split_in_linear_time(part: str) -> None:
    extract_media_type([part * 100_000] * 2)


PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("declared", "body", "media_type"),
    [
        ("text/html", PNG, "image/png"),
        ("image/png", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("text/plain", b"GIF89a", "image/gif"),
        (None, b"RIFF\1\0\0\0WEBPVP8 ", "image/webp"),
        (None, b"RIFF\1\0\0\0WAVE", "application/octet-stream"),
        ("text/plain", b"BMX is a bicycle and this no bitmap", "text/plain"),
        ("text/plain", b"BM" + bytes(12) + b"\x28\0\0\0", "image/bmp"),
        (None, b"\0\0\0\x1cftypavif\0\0\0\0", "image/avif"),
        (None, b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "image/avif"),
        (None, b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "image/heic"),
        (None, b"\0\0\0\x18ftypisom\0\0\0\0isomiso2", "application/octet-stream"),
        ("text/html", b"GIF", "text/html"),
        ("text/plain", b"<!doctype html><p>", "text/plain"),
        (
            "text/html",
            b"<?xml version='1.0'?>\n<!-- x --><rss version=2>",
            "application/rss+xml",
        ),
        (
            "text/html",
            b"<feed xmlns='http://www.w3.org/2005/Atom'>",
            "application/atom+xml",
        ),
        ("text/html", b"<html><rss>", "text/html"),
        (None, b"  <!DOCTYPE html>", "text/html"),
        (None, b"\xef\xbb\xbf<html>", "text/html"),
        (None, b"<p>x", "text/html"),
        (None, b"<pre>x", "text/plain"),
        (None, b"<?xml version='1.0'?><x/>", "text/xml"),
        (None, b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (None, b"%PDF-1.4", "application/pdf"),
        (None, b"\x1f\x8b\x08\0", "application/gzip"),
        ("*/*", b"hello", "text/plain"),
        ("application/unknown", b"h\0llo", "application/octet-stream"),
        (None, b"", "text/plain"),
        ("video/mp4", b"", "video/mp4"),
    ],
)
def test_sniff(declared: str | None, body: bytes, media_type: str) -> None:
    assert sniff(declared, body) == media_type


@given(st.text(alphabet='text/html; =charset"\\\t\u00e9\n', max_size=40))
def test_any_header(value: str) -> None:
    found = parse_media_type(value)
    assert found is None or "/" in found.essence


@given(st.none() | st.just("text/html"), st.binary(max_size=60))
def test_any_bytes_have_a_type(declared: str | None, body: bytes) -> None:
    assert "/" in sniff(declared, body)
