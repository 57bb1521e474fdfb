"""Well-formed XML is read as expat reads it; mistakes cost what they stand in."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crawler.extract.xml.parser import Element, elements, parts_of
from tests.helpers.cpu import cpu_within

MEBI = 2**20


def read(body: bytes | str, charset: str | None = None) -> list[Element]:
    data = body.encode() if isinstance(body, str) else body
    return list(elements(parts_of(data), charset))


def texts(body: bytes | str, charset: str | None = None) -> list[str]:
    """The texts of all elements `u`, in the order in which they end."""
    return [element.text for element in read(body, charset) if element.name == "u"]


# ---------------------------------------------------------------- well-formed XML


def by_expat(body: bytes) -> list[Element]:
    """What `elements` has to give, by the strictest of parsers."""
    found: list[Element] = []
    opened: list[tuple[str, str, dict[str, str], list[str]]] = []

    def start(written: str, attributes: dict[str, str]) -> None:
        namespace, _, name = written.rpartition(" ")
        values = {_key(key): value for key, value in attributes.items()}
        if not opened:
            found.append(Element(name, namespace, "", "", values))
        opened.append((name, namespace, values, []))

    def end(_: str) -> None:
        name, namespace, values, text = opened.pop()
        parent = opened[-1][0] if opened else ""
        found.append(Element(name, namespace, parent, "".join(text).strip(), values))

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda text: opened[-1][3].append(text)
    parser.Parse(body, True)
    return found


def _key(written: str) -> str:
    namespace, _, name = written.rpartition(" ")
    return f"{{{namespace}}}{name}" if namespace else name


NAMES = st.sampled_from(["a", "loc", "x:y", "été", "a-b.c", "_"])
CHARACTERS = st.text(
    st.sampled_from("ab <>&'\"=/![]?;#x\n\té\u3000\U0001f600-"), max_size=12
)


def _attributes(values: dict[str, str]) -> str:
    return "".join(f" {key}={quoteattr(value)}" for key, value in values.items())


LEAVES = st.one_of(
    CHARACTERS.map(escape),
    CHARACTERS.filter(lambda text: "]]>" not in text).map(
        lambda text: f"<![CDATA[{text}]]>"
    ),
    CHARACTERS.filter(lambda text: "--" not in text and text[-1:] != "-").map(
        lambda text: f"<!--{text}-->"
    ),
    CHARACTERS.filter(lambda text: "?>" not in text).map(lambda text: f"<?p {text}?>"),
    st.sampled_from(["&#38;", "&#x1F600;", "&e;", "&nested;", "&quot;"]),
)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda name, values, content: (
            f"<{name}{_attributes(values)}>{''.join(content)}</{name}>"
            if content
            else f"<{name}{_attributes(values)}/>"
        ),
        NAMES,
        st.dictionaries(
            st.sampled_from(["k", "x:k", "href"]),
            CHARACTERS.map(lambda text: text.replace("\n", " ").replace("\t", " ")),
        ),
        st.lists(inner, max_size=4),
    ),
    max_leaves=20,
)
PROLOG = (
    "<?xml version='1.0'?><!-- > --><!DOCTYPE r [<!-- ' ]> --><!ENTITY e 'a&#38;#38;b'>"
    '<!ENTITY nested "<![CDATA[">  <?p ]> ?><!ELEMENT r ANY>]>'
).replace("<![CDATA[", "(&e;)")


@given(st.lists(DOCUMENTS, max_size=4).map("".join))
@example("<a>" * 200 + "</a>" * 200)
@example("<a k='x > y'>]</a>")
def test_it_reads_as_expat_does(content: str) -> None:
    body = f"{PROLOG}<r xmlns='urn:d' xmlns:x='urn:x'>{content}</r>".encode()
    assert read(body) == by_expat(body)


@given(
    st.lists(st.one_of(DOCUMENTS, CHARACTERS), max_size=5).map("".join),
    st.lists(st.integers(0, 400)),
)
def test_it_reads_the_same_however_the_document_is_cut(
    content: str, cuts: list[int]
) -> None:
    body = f"{PROLOG}<r>{content}{' ' * 3000}<last/></r>".encode()
    places = [0, *sorted({min(cut, len(body)) for cut in cuts}), len(body)]
    parts = [body[start:end] for start, end in pairwise(places)]
    assert list(elements(parts)) == read(body)


@pytest.mark.parametrize(
    ("encoding", "declared", "charset"),
    [
        ("utf-8-sig", "", None),
        ("utf-16", "", None),
        ("utf-16", " encoding='utf-16'", "utf-8"),
        ("utf-16-le", " encoding='utf-16'", None),
        ("utf-16-be", "", None),
        ("windows-1251", " encoding='windows-1251'", None),
        ("windows-1251", " encoding='utf-8'", "windows-1251"),
        ("koi8-r", "", "KOI8-R"),
        ("utf-8", "", "no-such-charset"),
        ("utf-8", " encoding='no-such-charset'", None),
        ("utf-8", " encoding='utf-16'", None),  # it could not be read if it were
        ("utf-8", "", "utf-16"),
        ("gb18030", " encoding='gb2312'", None),
        ("shift_jis", " encoding='x-sjis'", None),
        ("euc_jp", " encoding='EUC-JP'", None),
        ("iso2022_jp", " encoding='iso-2022-jp'", None),
    ],
)
def test_encodings(encoding: str, declared: str, charset: str | None) -> None:
    document = f"<?xml version='1.0'{declared}?><r><u>Я я</u><u>/x?a&amp;b</u></r>"
    assert texts(document.encode(encoding), charset) == ["Я я", "/x?a&b"]


# ----------------------------------------------------------------------- mistakes

BEHIND = "<i><u>/a?b&amp;c=1</u></i>"


@pytest.mark.parametrize(
    "mistake",
    [
        b"<t>a & b</t>", b"<t>a&b=1</t>", b"<t>&</t>", b"<t>&;</t>", b"<t>&#;</t>",
        b"<t>&#x110000;&#0;&#99999999999;</t>", b"<t>&unknown;</t>", b"<t>&amp</t>",
        b"<t>1 < 2</t>", b"<t>I <3 you</t>", b"<t>a <b</t>", b"<t><</t>", b"<t>a <</t>",
        b"<t>x <- y</t>", b"<t>x <= y <> z</t>", b"<t>&lt;<&gt;</t>", b"<", b"<t></t",
        b"<t k='a < b'/>", b"<t k=a/>", b"<t k=a l>x</t>", b"<t k='a'l='b'/>",
        b"<t k='a/>", b"<t k=\"a>x</t>", b"<t k='1' k='2'/>", b"<t =a/>", b"<t \"/>",
        b"<t>", b"</t>", b"<t><v></t></v>", b"<p:t/>", b"<1/>", b"</ t>", b"<t / >",
        b"\0<t>\x01\x0b</t>", b"<t>\xff\xfe\xc3</t>", b"<t>]]></t>", b"<!>", b"<!x>",
        b"<t><br><img src='x'>a<hr></t>", b"<!-- a -- b -->", b"<!-->x-->", b"<?x?>",
        b"<!DOCTYPE late>", b"<!ENTITY x 'y'>", b"<![CDATA[<t>&]]>", b"<![INCLUDE[",
        b"<?xml version='1.0'?>", b"<?xml version='1.0'>", b"<t xmlns:='x' xmlns=''/>",
    ],
)  # fmt: skip
def test_a_mistake_does_not_cost_what_stands_behind_it(mistake: bytes) -> None:
    for inside in (mistake, b"<i>" + mistake + b"</i>"):
        body = b"<r>" + BEHIND.encode() + inside + 2 * BEHIND.encode() + b"</r>"
        assert texts(body) == 3 * ["/a?b&c=1"]


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ("\n<?xml version='1.0'?>", ""),
        ("\ufeff\ufeff<?xml version='1.0'?>", ""),
        ("Notice: undefined index in x.php <?xml version='1.0'?>", ""),
        ("<?xml version='1.0' encoding='utf-8'>", ""),
        ("<!DOCTYPE r PUBLIC '-//x//y' 'http://h/x.dtd'>", ""),
        ("<!DOCTYPE r [", ""),
        ("", "<r><u>/more</u></r>"),
        ("", "\0\0 <p>text"),
    ],
)
def test_mistakes_around_the_root(before: str, behind: str) -> None:
    found = read(f"{before}<r>{BEHIND}</r>{behind}")
    assert found[0].name == "r"
    assert next(one.text for one in found if one.name == "u") == "/a?b&c=1"


@pytest.mark.parametrize("encoding", ["shift_jis", "euc-jp", "gbk", "big5", "euc-kr"])
def test_a_byte_outside_a_legacy_charset_costs_one_character(encoding: str) -> None:
    head = f"<?xml version='1.0' encoding='{encoding}'?><r><t>".encode()
    for wrong in (b"\xff", b"\x81<i/>", b"\xfd\xfd"):
        body = head + wrong + b"</t>" + BEHIND.encode() + b"</r>"
        assert texts(body) == ["/a?b&c=1"]


def test_shift_jis_contains_what_windows_added() -> None:
    body = "<?xml version='1.0' encoding='Shift_JIS'?><r><u>①髙㈱</u></r>"
    assert texts(body.encode("cp932")) == ["①髙㈱"]


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("/in?a=1&b=2&c=3", "/in?a=1&b=2&c=3"),
        ("/in?a=1&amp;b=2", "/in?a=1&b=2"),
        ("/in?a=1&#38;b=2&#x26;c", "/in?a=1&b=2&c"),
        ("/in?a=1&amp;amp;b", "/in?a=1&amp;b"),
        ("/in?a&copy=1&lt&reg", "/in?a&copy=1&lt&reg"),
        ("/in?a&b;c", "/in?a&b;c"),
        ("/in?&", "/in?&"),
        ("&apos;&quot;&lt;&gt;", "'\"<>"),
        ("L&rsquo;a &uacute;&nbsp;x", "L\u2019a \xfa\xa0x"),
    ],
)
def test_ampersands(written: str, read_as: str) -> None:
    (root, end) = read(f"<r href='{escape_quote(written)}'>{written}</r>")
    assert (end.text, root.attributes["href"]) == (read_as, read_as)
    cdata = read(f"<r><![CDATA[{written}]]></r>")
    assert cdata[-1].text == written


def escape_quote(text: str) -> str:
    return text.replace("'", "&#39;")


@pytest.mark.parametrize(
    ("tag", "href"),
    [
        ("<r title='a < b' href='/x'/>", "/x"),
        ("<r title='a > b' href='/x'/>", "/x"),
        ("<r href=/x/y title=z>", "/x/y"),
        ("<r title='t'href='/x'/>", "/x"),
        ("<r disabled href='/x'/>", "/x"),
        ("<r href='/x' href='/y'/>", "/x"),
        ("<r\n\thref\n=\n'/x\ny'\n/>", "/x y"),
        ("<r href='/x>", "/x"),
    ],
)
def test_attributes_that_are_not_well_formed(tag: str, href: str) -> None:
    root = read(f"{tag}<b/></r>")[0]
    assert root.attributes["href"] == href


def test_an_element_that_is_not_closed_ends_with_its_parent() -> None:
    found = [
        (one.name, one.parent, one.text)
        for one in read("<r><i><u>/1<v>2</i><i><u>/3</u>")
    ]
    assert found == [
        ("r", "", ""), ("v", "u", "2"), ("u", "i", "/1"), ("i", "r", ""),
        ("u", "i", "/3"),
    ]  # fmt: skip


# ------------------------------------------------------------------------- bounds


def test_entities_of_the_document() -> None:
    head = "<!DOCTYPE r [<!ENTITY base 'http://h/'><!ENTITY page \"&base;p?a&#38;b\">]>"
    assert texts(f"{head}<r><u>&page;</u></r>") == ["http://h/p?a&b"]
    assert read(f"{head}<r href='&page;'/>")[0].attributes == {"href": "http://h/p?a&b"}


def laughs(first: str, times: int, levels: int) -> str:
    """Entities that grow to times ** levels."""
    named = "".join(
        f'<!ENTITY a{n} "{f"&a{n - 1};" * times}">' for n in range(1, levels + 1)
    )
    return f'<!DOCTYPE r [<!ENTITY a0 "{first}">{named}]>'


@pytest.mark.parametrize(
    "body",
    [
        laughs("lol", 10, 11) + "<r><u>&a11;</u>",
        laughs("", 10, 11) + "<r><u>&a11;</u>",
        laughs("lol", 10, 11) + "<r k='&a11;'/>",
        laughs("lol", 1, 1000) + "<r><u>&a1000;</u>",
        laughs("x" * 100_000, 1, 1) + f"<r><u>{'&a0;' * 100_000}</u>",
        laughs("x" * 100_000, 1, 1) + "<r>" + "<u k='&a0;'/>" * 10_000,
        "<!DOCTYPE r [<!ENTITY a '&a;'>]><r><u>&a;</u>",
        "<!DOCTYPE r [<!ENTITY a '&b;'><!ENTITY b '&a;'>]><r><u>&a;</u>",
    ],
)
def test_entities_do_not_grow_without_measure(body: str) -> None:
    with cpu_within(1):
        found = read(body)
    assert sum(len(str(one)) for one in found) < 2 * MEBI


def test_external_entities_are_never_loaded(tmp_path: Any) -> None:
    secret = tmp_path / "secret"
    secret.write_text("<!ENTITY s 'secret'>")
    uri = secret.as_uri()
    for head in (
        f'<!DOCTYPE r [<!ENTITY s SYSTEM "{uri}">]>',
        f'<!DOCTYPE r [<!ENTITY s PUBLIC "x" "{uri}">]>',
        f'<!DOCTYPE r [<!ENTITY % p SYSTEM "{uri}">%p;]>',
        f'<!DOCTYPE r SYSTEM "{uri}">',
    ):
        assert texts(f"{head}<r><u>&s;</u></r>") == ["&s;"]


@pytest.mark.parametrize(
    "unit",
    [
        "<a<a", "<a ", '<a b="', "<a b=' c=\"", "<![CDATA[", "<!--", "<?", "<!", "</a",
        "<!DOCTYPE x [", "<!DOCTYPE x ['", "<!DOCTYPE x [<!--", "</a>", "<a>", "&",
        "&#", "<a b=\"'\" c='<\"' ", '<a b="<">', "<a/", "<a b=", "<a x=\"<a y='",
        "<a xmlns='",
        "<?xml ", "<a:b:c:", "]]>", "<!ENTITY a \"", "&amp;",
    ],
)  # fmt: skip
def test_no_document_is_slow(unit: str) -> None:
    with cpu_within(3):
        for before in ("", "<r>" * 250, "<!DOCTYPE r [", "<r a='"):
            read(before + unit * (MEBI // 2 // len(unit)))


def test_depth_texts_and_elements_are_bounded() -> None:
    endless: Iterator[bytes] = iter(lambda: b"<a>", b"")
    assert [one.name for one in elements(endless)] == ["a"]
    endless = iter(lambda: b"<a/>" * 1000, b"")
    assert len(list(elements(endless, max_elements=5000))) < 8000
    (text,) = texts("<r><u>" + "x" * MEBI + "</u>")
    assert len(text) == 64 * 1024


def test_what_a_text_has_no_room_for_takes_no_memory():
    pieces = [b"<u>" + b"x" * 64 * 1024, *[b"y<!---->" * 8192] * 50, b"</u>"]
    tracemalloc.start()
    *_, found = elements(pieces)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.text == "x" * 64 * 1024
    assert peak < 2 * MEBI  # 400,000 pieces in a list are 3 MiB
