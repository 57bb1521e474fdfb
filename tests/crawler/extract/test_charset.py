"""crawler/extract/charset.py on html5lib's documents, and the order of the sources."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webencodings import LABELS, lookup

from crawler.extract.charset import markup, sniff_encoding, sniff_xml_encoding
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
        if (got := sniff_encoding(data, None).encoding.name) != expected.name:
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
    encoding, length, _ = sniff_encoding(body, header)
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


def sniffed(body: bytes, url: str = "", header: str | None = None) -> tuple[str, str]:
    encoding, _, source = sniff_encoding(body, header, url)
    return encoding.name, source


@pytest.mark.parametrize(
    ("body", "header", "source"),
    [
        (b"\xef\xbb\xbf<meta charset=koi8-r>", "koi8-r", "bom"),
        (b"<meta charset=koi8-r>", "utf-8", "http"),
        (b"<meta charset=koi8-r>", "klingon", "meta"),
        (b"<?xml version='1.0' encoding='koi8-r'?>", None, "meta"),
        ("<p>é".encode(), "klingon", "detected"),
        (b"<p>plain", "klingon", "default"),
        (b"", None, "default"),
    ],
)
def test_the_source_of_the_charset(
    body: bytes, header: str | None, source: str
) -> None:
    assert sniff_encoding(body, header).source == source
    assert markup(body, header, 999).source == source


TITLES = {
    "utf-8": ("Besök oss på Begär offert", "se"),
    "shift_jis": ("国際疾病分類コード表", "jp"),
    "euc-jp": ("国際疾病分類コード表", "jp"),
    "iso-2022-jp": ("国際疾病分類コード表", "jp"),
    "gbk": ("人人生而自由，在尊严和权利上一律平等", "cn"),
    "big5": ("人人生而自由，在尊嚴和權利上一律平等", "tw"),
    "euc-kr": ("모든 인간은 태어날 때부터 자유로우며", "kr"),
    "windows-1250": ("Příliš žluťoučký kůň úpěl ďábelské ódy", "cz"),
    "iso-8859-2": ("Zażółć gęślą jaźń", "pl"),
    "windows-1251": ("Новости дня", "ru"),
    "koi8-u": ("Новости дня и погода", "ru"),
    "ibm866": ("Новости дня и погода", "ru"),
    "windows-1252": ("Todos los seres humanos; además, niños y corazón", "es"),
    "windows-1253": ("Όλοι οι άνθρωποι γεννιούνται ελεύθεροι", "gr"),
    "windows-1254": ("Bütün insanlar hür, haysiyet ve haklar eşit doğarlar", "tr"),
    "windows-1255": ("כל בני האדם נולדו בני חורין", "il"),
    "windows-1256": ("يولد جميع الناس أحرارا متساوين", "sa"),
    "windows-1257": ("Visi žmonės gimsta laisvi ir lygūs teisėmis", "lt"),
    "windows-874": ("มนุษย์ทั้งหลายเกิดมามีอิสระ", "th"),
}


@pytest.mark.parametrize("label", TITLES)
def test_a_title_tells_the_charset(label: str) -> None:
    title, domain = TITLES[label]
    encoding = lookup(label)
    assert encoding is not None
    body = f"<title>{title}</title><p>x".encode(encoding.codec_info.name)
    document = markup(body, None, 999, f"http://www.site.{domain}/a")
    assert document.decode(document.text) == f"<title>{title}</title><p>x"
    assert document.source == "detected"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://a.tr/", "windows-1254"),
        ("http://a.tr.:8080/x.pl", "windows-1254"),
        ("http://a.xn--p1ai/", "windows-1252"),
        ("http://127.0.0.1/a.tr", "windows-1250"),
        ("http://[::1]:80/", "windows-1250"),
        ("http://localhost/", "windows-1250"),
        ("http://a.x-1/", "windows-1250"),
        ("", "windows-1250"),
    ],
)
def test_the_top_level_domain_is_a_hint(url: str, name: str) -> None:
    body = "Bütün insanlar hür, haysiyet ve haklar eşit doğarlar".encode("cp1254")
    assert sniffed(body, url) == (name, "detected")


ENGLISH = b"<p>" + b"plain English text. " * 400


@pytest.mark.parametrize(
    ("body", "found"),
    [
        # cut off in the middle of a character
        ("Größe und Übermaß, also ü".encode()[:-1], ("utf-8", "detected")),
        # one mistake among many characters: half a character, a byte of Latin-1
        ("äöü ".encode() * 9 + b"\xc3 x", ("utf-8", "detected")),
        ("äöü ".encode() * 9 + b"caf\xe9 x", ("utf-8", "detected")),
        # more mistakes than a page in UTF-8 has
        (b"caf\xe9 und K\xe4se, \xfcber \xc3\xa4", ("windows-1252", "detected")),
        # what is not ASCII comes late, and often the end is cut off
        (ENGLISH * 9 + "日本語の文字コード".encode("euc-jp"), ("euc-jp", "detected")),
        (ENGLISH * 9 + "日本語の文字コード".encode("euc-jp")[:-1],
         ("euc-jp", "detected")),
        # all is ASCII, with an escape that is none of ISO-2022-JP
        (b"<p>\x1b[31mred", ("windows-1252", "default")),
        (b"\0" * 99, ("windows-1252", "default")),
        # UTF-16 without a mark, in characters of ASCII
        ("<!doctype html><title>x".encode("utf-16-le"), ("utf-16le", "detected")),
        ("<!doctype html><title>x".encode("utf-16-be"), ("utf-16be", "detected")),
    ],
)  # fmt: skip
def test_undeclared(body: bytes, found: tuple[str, str]) -> None:
    assert sniffed(body) == found


@pytest.mark.parametrize(
    "text", ["日本語の文字コード。", "Это старая страница. ", "é", "\x1b", "人人生而"]
)
def test_the_detector_reads_no_more_than_it_needs(text: str) -> None:
    body = text.encode("gb18030") * (2**24 // len(text))
    with cpu_within(0.5):
        sniff_encoding(body, None)


def test_the_detector_is_loaded_only_for_what_declares_nothing() -> None:
    script = (
        "import sys; from crawler.extract.charset import sniff_encoding as s;"
        "s(b'caf\\xe9', 'latin1'); s(b'<meta charset=koi8-r>\\xe9', None);"
        "s(b'plain', None);"
        "print('chardetng_py' in sys.modules); s(b'caf\\xe9', None);"
        "print('chardetng_py' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["False", "True"]


def test_xhtml_is_utf_8_unless_the_bytes_are_not() -> None:
    """XML 1.0 has no other default; a page that breaks this rule is read as HTML."""

    def found(body: bytes, header: str | None = None) -> tuple[str, str]:
        encoding, _, source = sniff_xml_encoding(body, header, "http://a.ru/")
        return encoding.name, source

    russian = "<html><p>Новости дня и погода".encode("windows-1251")
    assert found(b"<html/>") == ("utf-8", "default")
    assert found("<html>é".encode()) == ("utf-8", "detected")
    assert found(russian) == ("windows-1251", "detected")
    assert found(russian, "koi8-r") == ("koi8-r", "http")
    assert found(b"<?xml version='1.0' encoding='koi8-r'?>") == ("koi8-r", "meta")
    assert found(b"\xef\xbb\xbf" + russian, "koi8-r") == ("utf-8", "bom")


@pytest.mark.parametrize("label", ["hz-gb-2312", "iso-2022-kr", "replacement"])
def test_the_replacement_encoding_is_one_character(label: str) -> None:
    assert decode(b"<title>~{ab~}</title><a href=/x>", label, 99) == (
        "\ufffd",
        "replacement",
    )
    assert decode(b"", label, 99) == ("", "replacement")


def test_gbk_has_the_characters_of_gb18030() -> None:
    assert decode(b"\xd6\xd0\x94\x39\xfc\x36", "gbk", 99) == ("中😀", "gbk")
