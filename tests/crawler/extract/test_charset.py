"""crawler/extract/charset.py on html5lib's documents, and the order of the sources."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webencodings import LABELS, lookup

from crawler.extract.charset import markup, sniff_encoding
from tests.helpers.corpora import corpus
from tests.helpers.cpu import cpu_within

CASE = re.compile(rb"#data\n(.*?)\n#encoding\n(\S+)\n", re.DOTALL)


@pytest.mark.parametrize("name", ["tests1.dat", "tests2.dat", "test-yahoo-jp.dat"])
def test_html5lib(name: str) -> None:
    cases = CASE.findall(corpus("encoding", name).read_bytes() + b"\n")
    assert cases
    wrong = []
    for data, label in cases:
        expected = lookup(label.decode())
        assert expected is not None
        if (got := sniff_encoding(data, None)[0].name) != expected.name:
            wrong.append((data[:200], len(data), expected.name, got))
    assert wrong == []


@pytest.mark.parametrize(
    ("body", "header", "name", "mark"),
    [
        (b"\xef\xbb\xbf<meta charset=koi8-r>", "latin1", "utf-8", 3),
        (b"\xff\xfe<\0", None, "utf-16le", 2),
        (b"\xfe\xff\0<", "utf-8", "utf-16be", 2),
        (b"<meta charset=koi8-r>", "Latin1", "windows-1252", 0),
        (b"<meta charset=koi8-r>", "no-such-label", "koi8-r", 0),
        (b"<meta charset=base64><meta charset=rot13>", None, "windows-1252", 0),
        (b"<meta charset=utf-7>", None, "windows-1252", 0),
        (b"<meta charset=x-user-defined>", None, "windows-1252", 0),
        (b"<?xml version='1.0' encoding='koi8-r'?><p>", None, "koi8-r", 0),
        (
            b"<?xml version='1.0' encoding='koi8-r'?><meta charset=utf-8>",
            None,
            "utf-8",
            0,
        ),
        (b"<\0?\0x\0m\0l\0", None, "utf-16le", 0),
        (b"<!--><meta charset=koi8-r>", None, "koi8-r", 0),
        (b"<p title='<meta charset=koi8-r>'>", None, "windows-1252", 0),
        (b"<meta name=x content='text/html; charset=koi8-r'>", None, "windows-1252", 0),
        (
            b"<META HTTP-EQUIV=Content-Type CONTENT='a; charset = \"koi8-r\" '>",
            None,
            "koi8-r",
            0,
        ),
        (b"<meta charset=koi8-r", None, "windows-1252", 0),
        (b"", None, "windows-1252", 0),
    ],
)
def test_order_of_sources(
    body: bytes, header: str | None, name: str, mark: int
) -> None:
    encoding, length = sniff_encoding(body, header)
    assert (encoding.name, length) == (name, mark)


def decode(body: bytes, header: str | None, limit: int) -> tuple[str, str]:
    """The whole text, and the name of its encoding."""
    document = markup(body, header, limit)
    return document.decode(document.text), document.charset


def test_decoded_text() -> None:
    assert decode(b"\xef\xbb\xbfh\xc3\xa9\xff", None, 99) == ("hé\ufffd", "utf-8")
    assert decode(b"\x80\xe9", None, 99) == ("€é", "windows-1252")
    assert decode("日本".encode("euc-jp"), "EUC-JP", 99) == ("日本", "euc-jp")
    assert decode(b"abcdef", "utf-8", 3) == ("abc", "utf-8")


PIECES = [
    b"<meta ",
    b"charset",
    b"=",
    b'"',
    b"'",
    b"utf-8",
    b">",
    b"<!--",
    b"-->",
    b"content",
    b"/",
]


@given(
    st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=20).map(b"".join)
)
def test_any_bytes_have_a_charset(body: bytes) -> None:
    for label in (None, "utf-8", "iso-2022-jp", "gb18030", "utf-16", "hz-gb-2312"):
        text, charset = decode(body, label, 4096)
        assert lookup(charset) is not None
        text.encode()  # no lone surrogates


@pytest.mark.parametrize("label", sorted(set(LABELS.values())))
def test_tags_in_bytes_are_tags(label: str) -> None:
    """In a document that is not decoded, no byte of ASCII is part of a character."""
    document = markup(bytes(range(256)), label, 999)
    if document.text == bytes(range(256)).decode("latin-1"):
        assert document.decode(document.text)[:128] == document.text[:128]
        for lead in range(128, 256):
            for byte in range(128):
                assert document.decode(chr(lead) + chr(byte))[-1] == chr(byte)
    else:
        assert document.decode("é<") == "é<"


@given(
    st.text("<a href='é日&#;\x85>\xa0"),
    st.sampled_from(["utf-8", "windows-1252", "gb18030"]),
)
def test_parts_decode_to_the_same_as_the_whole(text: str, label: str) -> None:
    body = text.encode(label, "replace")
    document = markup(body, label, 999)
    whole, name = decode(body, label, 999)
    assert (name, whole) == (label, body.decode(label))
    assert [document.decode(part) for part in document.text.split("<")] == whole.split(
        "<"
    )


@given(st.binary(max_size=60))
def test_every_encoding_decodes_anything(body: bytes) -> None:
    for label in sorted(set(LABELS.values())):
        decode(body, label, 4096)[0].encode()


@pytest.mark.parametrize(
    "piece", [b"<", b"<!--", b"<a b='", b"<meta ", b"</", b"<!", b"<meta x=", b"<p "]
)
def test_hostile_heads_cost_linear_time(piece: bytes) -> None:
    head = b"charset" + piece * 40_000
    with cpu_within(0.5):
        decode(head, None, 100)
