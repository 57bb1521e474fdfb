"""The file names of a mirror: safe, unique, and near to the URL."""

from __future__ import annotations

import unicodedata
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.model.url import canonical
from crawler.output.images import RESERVED
from crawler.output.mirror.names import (
    MAX_PATH,
    Saved,
    assign,
    plain_name,
    reference,
)

HTML, PNG, BIN = "text/html", "image/png", "application/octet-stream"


@pytest.mark.parametrize(
    ("url", "media_type", "name"),
    [
        ("", HTML, "index.html"),
        ("a/", HTML, "a/index.html"),
        ("a", HTML, "a.html"),
        ("a.html", HTML, "a.html"),
        ("a.HTM", HTML, "a.HTM"),
        ("a.php", HTML, "a.php.html"),
        ("v1.2", HTML, "v1.2.html"),
        ("a?b=c&d", HTML, "a@b=c&d.html"),
        ("a.html?b", HTML, "a.html@b.html"),
        ("?b/c", HTML, "index@b%2Fc.html"),
        ("a.xhtml", "application/xhtml+xml", "a.xhtml"),
        ("s.css?v=1", "text/css", "s.css@v=1.css"),
        ("s", "text/css", "s.css"),
        ("s.mjs", "text/javascript", "s.mjs"),
        ("s.js?x", "application/javascript", "s.js@x.js"),
        ("i.jpeg", "image/jpeg", "i.jpeg"),
        ("i.php", PNG, "i.php.png"),
        ("i.png", "image/svg+xml", "i.png.svg"),
        ("i.jpg", PNG, "i.jpg"),
        ("i.svg", PNG, "i.svg.png"),
        ("f.woff2?x", "font/woff2", "f.woff2@x"),
        ("v?id=3", "video/mp4", "v@id=3.mp4"),
        ("v.ogv", "video/webm", "v.ogv"),
        ("v", "video/x-unknown", "v"),
        ("feed/", "application/rss+xml", "feed/index.xml"),
        ("feed.atom", "application/rss+xml", "feed.atom"),
        ("a.php", "text/xml", "a.php.xml"),
        ("R.txt", "text/plain", "R.txt"),
        ("R.md", "text/plain", "R.md"),
        ("a.html", "text/plain", "a.html.txt"),
        ("d/", "application/json", "d/index.json"),
        ("d/", BIN, "d/index"),
        # percent-encoding
        ("caf%C3%A9", HTML, "café.html"),
        ("cafe%CC%81", HTML, "café.html"),
        ("a%20b", HTML, "a b.html"),
        ("a%2Fb%5Cc%00", HTML, "a%2Fb%5Cc%00.html"),
        ("%ff", HTML, "%ff.html"),
        ("a%E2%80%AEb", HTML, "a%E2%80%AEb.html"),
        ("%2e%2e%2fx", HTML, "%2E.%2Fx.html"),
        (".git/x.", BIN, "%2Egit/x%2E"),
        ("a:b*c%3C%3E%22|", BIN, "a%3Ab%2Ac%3C%3E%22%7C"),
        # names that Windows keeps for devices
        ("con", HTML, "_con.html"),
        ("NUL/aux.txt", "text/plain", "_NUL/_aux.txt"),
        ("a//b", BIN, "a/b"),
    ],
)
def test_plain_names(url: str, media_type: str, name: str) -> None:
    assert plain_name(f"http://a.test/{url}", media_type) == f"a.test/{name}"


def test_hosts() -> None:
    assert plain_name("http://a.test:8080/", HTML) == "a.test+8080/index.html"
    assert plain_name("https://[::1]/", HTML) == "[++1]/index.html"


def test_long_names_are_cut_and_stay_apart() -> None:
    names = {plain_name(f"http://a.test/{'x' * 300}{n}.html", HTML) for n in range(9)}
    assert len(names) == 9
    assert all(len(name) < 220 and name.endswith(".html") for name in names)
    deep = plain_name(f"http://a.test/{'abc/' * 1000}p", HTML)
    assert deep.startswith("a.test/~")
    assert deep.endswith(".html")


def names(*urls: str, **types: str) -> dict[str, str]:
    found = assign(
        Saved(f"http://a.test/{url}", types.get(url, BIN), f"of {url}") for url in urls
    )
    return {
        url.removeprefix("http://a.test/"): name.removeprefix("a.test/")
        for url, name in found.items()
    }


def test_a_file_gives_way_to_a_folder() -> None:
    found = names("a", "a/b", "a/b/c")
    assert found["a/b/c"] == "a/b/c"
    assert found["a"].startswith("a~")
    assert found["a/b"].startswith("a/b~")


def test_case_and_form_do_not_tell_files_apart() -> None:
    found = names("ab", "AB", "stra%C3%9Fe", "STRASSE")
    assert found["AB"] == "AB"  # the first in the order of URLs
    assert found["ab"].startswith("ab~")
    assert len({name.casefold() for name in found.values()}) == 4


def test_the_same_content_of_one_folder_is_one_file() -> None:
    urls = ("http://a.test/d/", "http://a.test/d/index.html")
    same = assign(Saved(url, HTML, "x") for url in urls)
    assert set(same.values()) == {"a.test/d/index.html"}
    other = assign(Saved(url, HTML, url) for url in urls)
    assert other[urls[0]] == "a.test/d/index.html"
    assert other[urls[1]].startswith("a.test/d/index~")
    schemes = assign(Saved(f"{one}://a.test/", HTML, "x") for one in ("http", "https"))
    assert len(set(schemes.values())) == 2  # their links lead to other URLs


def test_references() -> None:
    assert reference("a/b/c.html", "a/b/d e?#%.html") == "d%20e%3F%23%25.html"
    assert reference("a/b/c.html", "a/d") == "../d"
    assert reference("a/b/c.html", "b.test/x/y") == "../../b.test/x/y"
    assert reference("a/b", "a/b") == "b"
    assert reference("a/x", "a/b:c") == "b%3Ac"


SEGMENTS = st.text(
    st.sampled_from("aAbBéÉßẞ.~@%:?*/\\ -_'\"<>|\x00\u202e\u0301ＡK&=+#")
    | st.characters(),
    max_size=12,
) | st.sampled_from(["..", ".", "con", "%2e%2e", "%2F", "index.html", "x" * 400, "a/b"])
URLS = st.lists(
    st.tuples(
        st.sampled_from(["a.test", "A.test:81", "b.test"]),
        st.lists(SEGMENTS, max_size=4),
        st.sampled_from(["", "?q", "?a/b=%2e%2e"]),
        st.sampled_from([HTML, PNG, BIN, "text/css", "text/plain"]),
    ),
    max_size=25,
)


@settings(max_examples=300, deadline=None)
@given(URLS)
def test_names_are_unique_and_stay_in_the_folder(
    parts: list[tuple[str, list[str], str, str]],
) -> None:
    entries = {}
    for host, segments, query, media_type in parts:
        url = canonical(f"http://{host}/{'/'.join(segments)}{query}")
        if url is not None:
            entries[url] = Saved(url, media_type, url)
    found = assign(entries.values())
    assert found == assign(reversed(entries.values()))
    assert found.keys() == entries.keys()
    folded = {unicodedata.normalize("NFC", name).casefold() for name in found.values()}
    assert len(folded) == len(found)
    for name in found.values():
        *folders, _file = components = name.split("/")
        assert len(name.encode()) <= MAX_PATH + 100
        for one in components:
            assert one.strip(". ") == one != ""
            assert len(one.encode()) <= 255
            assert not set(one) & set('\\:*?"<>|\x00')
            assert not RESERVED.match(one)
        for length in range(1, len(folders) + 1):
            folder = "/".join(folders[:length])
            assert unicodedata.normalize("NFC", folder).casefold() not in folded
        for other in list(found.values())[:3]:
            there = unquote(reference(name, other)).split("/")
            here = list(folders)
            for step in there:
                here = here[:-1] if step == ".." else [*here, step]
            assert "/".join(here) == other
