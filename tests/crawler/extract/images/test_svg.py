"""crawler/extract/images/svg.py: dimensions, encodings, and what is no SVG.

The values are the naturalWidth and naturalHeight of Chromium 156, except where neither
side is given: it shows such an image with 300 or 150 pixels.
"""

from __future__ import annotations

import pytest

from crawler.extract.images.svg import read_svg_header
from crawler.extract.sniff import looks_like_svg
from crawler.model.errors import ImageDecodeFailure
from tests.helpers.cpu import cpu_within

XMLNS = "xmlns='http://www.w3.org/2000/svg'"


def size(svg: bytes, charset: str | None = None) -> tuple[int | None, int | None]:
    header = read_svg_header(svg, charset)
    return header.width, header.height


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ("width='30' viewBox='0 0 10 20'", (30, 60)),
        ("height='30' viewBox='0 0 10 20'", (15, 30)),
        ("width='3' viewBox='0 0 10 7'", (3, 2)),
        ("width='30' height='100%' viewBox='0 0 10 20'", (30, 60)),
        ("width='100%' height='40' viewBox='0 0 10 20'", (20, 40)),
        ("width='auto' height='20' viewBox='0 0 10 20'", (10, 20)),
        ("height='40' viewBox='0,0,10,20'", (20, 40)),
        ("width='50%' height='50%' viewBox='0 0 64 48'", (64, 48)),
        ("width='30' height='100%'", (30, None)),
        ("width='30' viewBox='0 0 -10 20'", (30, None)),
        ("width='30' viewBox='0 0 0 20'", (30, None)),
        ("width='30foo' height='20'", (None, 20)),
        ("width=' 30 ' height='20 px'", (30, None)),
        ("width='30PX' height='20pX'", (30, 20)),
        ("width='1e2' height='1.5E1px'", (100, 15)),
        ("width='30.4' height='20.6'", (30, 21)),
        ("width='+30' height='+20'", (30, 20)),
        ("width='40Q' height='8q'", (38, 8)),
        ("width='2em' height='2rem'", (32, 32)),
        ("width='10' height='10' style='width:40px;height:30px'", (10, 10)),
        ("width='-5' height='20'", (None, 20)),
        ("", (None, None)),
    ],
)
def test_dimensions(attributes: str, expected: tuple[int | None, int | None]) -> None:
    assert size(f"<svg {XMLNS} {attributes}><g/></svg>".encode()) == expected


SVG = f"<svg {XMLNS} width='30' height='20'><text>caf\u00e9</text></svg>"
DECLARED = "<?xml version='1.0' encoding='{}'?>" + SVG


@pytest.mark.parametrize(
    "body",
    [
        SVG.encode(),
        b"\xef\xbb\xbf" + SVG.encode(),
        b"\xff\xfe" + SVG.encode("utf-16-le"),
        b"\xfe\xff" + SVG.encode("utf-16-be"),
        b"\xff\xfe" + DECLARED.format("UTF-16").encode("utf-16-le"),
        b"\xff\xfe" + DECLARED.format("UTF-8").encode("utf-16-le"),
        DECLARED.format("UTF-16").encode("utf-16-be"),
        DECLARED.format("UTF-16").encode(),
        DECLARED.format("ISO-8859-1").encode("latin-1"),
        f"\n <!-- x -->\n{SVG}\n <!-- y -->\n".encode(),
        f"<!DOCTYPE svg [<!ENTITY n 'x'><!ENTITY w '30'>]>{SVG}".encode(),
    ],
)
def test_encodings(body: bytes) -> None:
    assert size(body) == (30, 20)
    assert looks_like_svg(body)


def test_the_charset_of_the_content_type() -> None:
    assert size(SVG.replace("\u00e9", "\u0436").encode("koi8-r"), "koi8-r") == (30, 20)
    assert size(SVG.encode(), "utf-16") == (30, 20)
    assert size(b"\xff\xfe" + SVG.encode("utf-16-le"), "koi8-r") == (30, 20)


def test_an_entity_in_an_attribute() -> None:
    start = "<!DOCTYPE svg [<!ENTITY ns 'http://www.w3.org/2000/svg'><!ENTITY w '30'>]>"
    assert size(f"{start}<svg xmlns='&ns;' width='&w;' height='20'/>".encode()) == (
        30,
        20,
    )


@pytest.mark.parametrize(
    "body",
    [
        b"hello " + SVG.encode(),
        b"\n" + DECLARED.format("UTF-8").encode(),
        SVG.encode() + b"\nmore",
        SVG.encode() + b"<script>x</script>",
        SVG.replace("width", "width='31' width").encode(),
        SVG.replace("<text>", "<text>&nbsp;").encode(),
        SVG.replace("<text>", "<text>\x01").encode(),
        SVG.replace("<text>", "<a href='?a=1&b=2'/><text>").encode(),
        SVG.replace("<text>", "<use xlink:href='#a'/><text>").encode(),
        SVG.replace("svg", "SVG", 1).encode(),
        SVG.encode("latin-1"),
        f"<g {XMLNS}>{SVG}</g>".encode(),
        b"<svg xmlns='http://www.w3.org/1999/xhtml'/>",
        b"\x1f\x8b\x08" + SVG.encode(),
    ],
)
def test_what_no_browser_shows(body: bytes) -> None:
    with pytest.raises(ImageDecodeFailure):
        size(body)


def test_each_cut_is_noticed() -> None:
    for body in (SVG.encode(), b"\xff\xfe" + SVG.encode("utf-16-le")):
        for length in range(len(body)):
            with pytest.raises(ImageDecodeFailure):
                size(body[:length])


def test_the_end_of_a_large_image() -> None:
    large = SVG.replace("<text>", "<path d='M 0 0'/>" * 40_000 + "<text>").encode()
    for body in (large, b"<!DOCTYPE svg [<!ENTITY n 'x'>]>" + large):
        assert size(body) == (30, 20)
        with pytest.raises(ImageDecodeFailure, match="cut short"):
            size(body[:-200])


LAUGHS = "".join(f"<!ENTITY e{n + 1} '" + f"&e{n};" * 10 + "'>" for n in range(12))


@pytest.mark.parametrize(
    "body",
    [
        f"<svg {XMLNS} width='3' height='2'>".encode() + b"<g>" * 1_000_000,
        f"<svg {XMLNS}>".encode() + b"<g/>" * 2_000_000,
        f"<svg {XMLNS}>".encode() + b"<a" * 2_000_000,
        f"<svg {XMLNS} a='".encode() + b"x" * 10_000_000,
        f"<!DOCTYPE svg [<!ENTITY e0 'ha'>{LAUGHS}]><svg {XMLNS}>&e12;</svg>".encode(),
        f"<!DOCTYPE svg [<!ENTITY e0 'ha'>{LAUGHS}]><svg {XMLNS} a='&e12;'/>".encode(),
        (
            f"<!DOCTYPE svg [<!ENTITY e '{'x' * 100_000}'>]>"
            f"<svg {XMLNS} a='{'&e;' * 2_000_000}'>"
        ).encode(),
    ],
)
def test_time_and_memory_are_bounded(body: bytes) -> None:
    with cpu_within(3), pytest.raises(ImageDecodeFailure):
        size(body)
