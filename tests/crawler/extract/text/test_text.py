"""The text of pages: main content, Markdown and whole text, against what is right."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from selectolax.lexbor import LexborHTMLParser, LexborNode

from crawler.extract.text.page_text import PageTexts
from crawler.extract.text.plain import count_words
from crawler.model.documents import Page, PageText
from crawler.plugins.document import PluginDocument
from tests.helpers.articles import ARTICLES, LAYOUTS, article_page

DOC = Path("/usr/share/doc")
MANUALS = {
    "postgresql": (DOC / "postgresql-doc-15/html", "body", ".navheader, .navfooter"),
    "python": (DOC / "python3-doc/html", "[role=main]", ".headerlink"),
    "cppreference": (
        Path("/usr/share/cppreference/doc/html/en"),
        "#mw-content-text",
        ".t-navbar, .editsection, .toc",
    ),
    "gimp": (DOC / "gimp-help-en/html/en", "body", ".navheader, .navfooter"),
}
"""Debian's packages: where the pages are, the main content, and what is none in it."""
PAGES = 8
"""Pages of each manual that are read; the figures in docs/text.md are of 40."""


def found(body: str | bytes, *include: str, whole: bool = False) -> PageText:
    texts = PageTexts(include or ("text", "markdown"), whole)
    content = body.encode() if isinstance(body, str) else body
    page = Page("text/html", "utf-8")
    url = "http://a.test/folder/page"
    return texts.extract(PluginDocument(url, 200, (), content, page))


def f1(text: str, truth: str) -> float:
    """The harmonic mean of precision and recall over words, each as often as it is."""
    ours, theirs = (Counter(re.findall(r"\w+", one)) for one in (text, truth))
    shared = (ours & theirs).total()
    return 2 * shared / (ours.total() + theirs.total())


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_the_main_text_of_articles(layout: str) -> None:
    scores = []
    for article in ARTICLES:
        text = found(article_page(article, layout), "text").text or ""
        scores.append(f1(text, "\n".join(article)))
    assert sum(scores) / len(scores) >= 0.955


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_markdown_of_articles_has_the_content_and_not_the_rest(layout: str) -> None:
    for article in ARTICLES:
        markdown = found(article_page(article, layout), "markdown").markdown or ""
        assert f1(markdown, "\n".join(article)) >= 0.94
        assert f"# {article[0]}" in markdown


# ------------------------------------------------------------------ Markdown


def markdown(body: str, *, whole: bool = False) -> str:
    return found(f"<body>{body}", "markdown", whole=whole).markdown or ""


WORDS = "<p>" + "Some words of a paragraph that is long enough to be content. " * 4


def test_links_and_pictures_are_absolute() -> None:
    link = f'{WORDS}<a href="../a?b#c">x</a><img src="i.png" alt="y">'
    assert "[x](http://a.test/a?b#c)" in markdown(link)
    assert "![y](http://a.test/folder/i.png)" in markdown(link)
    based = f'<base href="/b/">{link}'
    assert "![y](http://a.test/b/i.png)" in markdown(based)


def test_code_blocks_have_their_lines_and_no_links() -> None:
    code = '<pre><code class="language-py">if <a href="/x">x</a>:<br>  y\n</code></pre>'
    assert "\n  y\n```" in markdown(WORDS + code)
    assert "if x:\n" in markdown(WORDS + code)


def in_cells(*cells: str) -> list[str]:
    """The cells of the one row of a table, as Markdown has them."""
    row = "".join(f"<td>{cell}" for cell in cells)
    text = markdown(f"{WORDS}<table><tr>{row}</table>")
    (line,) = [one for one in text.splitlines() if one.startswith("| ")][:1]
    return [re.sub(" *<br> *", "<br>", one).strip() for one in line.split("|")[1:-1]]


def test_lists_in_cells_are_lines_of_the_cell() -> None:
    listed = "<ul>\n<li><p>a <b>b</b></p></li>\n<li>c</ul>"
    assert in_cells(f"<p>See:</p>{listed}<p>after</p>", listed) == [
        "See:<br>- a **b**<br>- c<br>after", "- a **b**<br>- c"
    ]  # fmt: skip
    nested = "<ul><li>a<ul><li>b</ul>c<li>d</ul>e"
    assert in_cells(nested, "x") == ["- a<br>- b<br>c<br>- d<br>e", "x"]
    numbered = "<ol start=3><li>a<li>b</ol><ol><li>c</ol>"
    assert in_cells(numbered) == ["3. a<br>4. b<br>1. c"]
    inner = "<table><tr><td><ul><li>a<li>b</ul></table>"
    assert in_cells(inner, "x") == ["- a<br>- b", "x"]


def test_code_in_cells_keeps_its_lines() -> None:
    assert in_cells("x<pre>if a:\n  b</pre>y", "<pre>\none\n</pre>") == [
        "x `if a:`<br>`  b` y", "`one`"
    ]  # fmt: skip


def test_a_row_that_is_a_heading_divides_its_table() -> None:
    table = (
        "<table><tbody><tr><th>a<th>b<tr><td>1<td>2<tr><td colspan=2><h5>Group</h5>"
        "</td></tr>\n<tr><td>3<td>4<tr><td colspan=2><h5>Last</h5></table>after"
    )
    lines = [line for line in markdown(WORDS + table).splitlines() if line]
    assert lines[1:] == [
        "| a | b |", "| --- | --- |", "| 1 | 2 |", "##### Group",
        "| 3 | 4 |", "| --- | --- |", "##### Last", "after",
    ]  # fmt: skip
    alone = markdown(f"{WORDS}<table><tr><td><h2>Alone</h2></table>").splitlines()
    assert alone[-1] == "## Alone"
    for row in ("<td><h2>H</h2>text<td>c", "<td><h2>H</h2><td>c", "<td>x<h2>H</h2>"):
        text = markdown(f"{WORDS}<table><tr>{row}<tr><td>a<td>b</table>")
        assert "## H" not in text


def test_a_list_that_is_not_in_a_cell_of_the_content_is_a_list() -> None:
    content = f"{WORDS}<ul><li>a<li>b</ul><pre>c\n  d</pre>e"
    lines = markdown(
        f"<table><tr><td>menu<td><div>{content}</div></table>"
    ).splitlines()
    assert [one for one in lines if one][-7:] == [
        "- a",
        "- b",
        "```",
        "c",
        "  d",
        "```",
        "e",
    ]


def test_a_table_is_not_larger_than_its_cells() -> None:
    """A table with padding has the size of its rows times the longest cell."""
    rows = "<tr><td>a</td></tr>" * 1000
    table = f"{WORDS}<table><tr><td>{'b' * 10_000}</td></tr>{rows}</table>"
    assert len(markdown(table)) < 50_000


def test_what_is_navigation_by_name_is_left_out_only_if_it_is_links() -> None:
    links = "".join(f"<li><a href=/{n}>Chapter {n}</a>" for n in range(9))
    chapter = f"<div class=chapter>{WORDS}<h2>Two</h2>{WORDS}"
    body = f"{chapter}<div class=sidebar><ul>{links}</ul></div></div>"
    assert "Chapter" not in markdown(body)
    assert "Chapter" in markdown(body, whole=True)
    assert "Two" in markdown(f'<div class="sidebar menu">{chapter}</div></div>')


def test_a_heading_beside_the_only_section_is_kept() -> None:
    body = (
        "<div class=top><a href=/a>Up</a> <a href=/b>Next</a></div>"
        "<div class=chapter><div class=titlepage><h1>Title</h1></div>"
        f"<div class=section><h2>Section</h2>{WORDS}{WORDS}</div></div>"
    )
    assert "# Title" in markdown(body)
    assert "Next" not in markdown(body)


# ------------------------------------------------------------------ plain text


def whole(body: str) -> str:
    return found(body, "text", whole=True).text or ""


def test_the_whole_text_is_what_browsers_copy() -> None:
    assert whole("<p>a  b\n c</p><p>d<br>e") == "a b c\n\nd\ne"
    assert whole("<table><tr><td>1<td>2<tr><td>3<td>4</table>x") == "1\t2\n3\t4\nx"
    assert whole("<ul><li>a<li>b</ul><div>c<span>d</span></div>") == "a\nb\ncd"
    assert whole("a<pre>\n  x\n    y\n</pre>b") == "a\n\n  x\n    y\n\nb"
    assert whole("a<!-- b -->c<script>d</script>e<p hidden>f</p>g") == "aceg"
    assert whole("a\0b<pre>c\0d</pre>").count("\0") == 0
    assert whole("") == whole("<frameset><frame src=a></frameset>") == ""


def test_words_are_counted() -> None:
    assert count_words("It doesn't cost 3.50 - well-known, isn't it?") == 7
    assert count_words("你好, world かな") == 5
    assert count_words("été\nGröße 한국어") == 3
    assert count_words(" \n-- ... _") == 0
    assert found(f"<body>{WORDS}").words == found(f"<body>{WORDS}", "markdown").words


def test_nothing_of_the_extra_is_imported_by_the_crawl() -> None:
    script = (
        "import sys; from crawler.engine.plugin_adapters import Plugins;"
        "from crawler.model.config import Config, OutputConfig;"
        "Plugins(Config(records=OutputConfig(include=('text', 'markdown'))));"
        "print(sorted({'trafilatura', 'html_to_markdown'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


# ------------------------------------------------------------------ manuals


def letters(text: str) -> str:
    return re.sub(r"\W+", "", text)


def own_text(item: LexborNode) -> str:
    """The text of a list item before its inner blocks."""
    inner = ("ul", "ol", "pre", "table", "dl", "div")
    return "".join(
        child.text(deep=True)
        for child in item.iter(include_text=True)
        if child.tag not in inner
    )


def in_the_page(body: str, main: str, none: str) -> dict[str, list[str]]:
    """What stands in the main content, by Lexbor; code in cells cannot be a block."""
    tree = LexborHTMLParser(body)
    for node in tree.css(f"script, style, {none}"):
        node.decompose()
    root = tree.css_first(main)
    assert root is not None
    kinds = {
        "headings": [node.text() for node in root.css("h1, h2, h3, h4, h5, h6")],
        "code": [n.text() for n in root.css("pre") if not n.css_matches("td pre")],
        "rows": [n.text() for n in root.css("tr") if not n.css("tr tr, table, pre")],
        "items": [own_text(node) for node in root.css("li")],
    }
    return {kind: [*filter(None, map(letters, all_))] for kind, all_ in kinds.items()}


_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\((?:[^()]|\([^()]*\))*\)")
_ITEM = re.compile(r"^(?:[-*+]|\d+[.)])\s+")
_CELL_END = re.compile(r"(?<!\\)\|")


def without_links(line: str) -> str:
    shorter = _LINK.sub(lambda match: "" if match[1] else match[2], line)
    return shorter if shorter == line else without_links(shorter)


def in_the_markdown(text: str) -> dict[str, list[str]]:
    kept: dict[str, list[str]] = {"headings": [], "code": [], "rows": [], "items": []}
    fence, code = "", ""
    for line in text.split("\n"):
        bare = line.strip().lstrip("> ")
        opened = re.match("```+", _ITEM.sub("", bare, count=1))
        if fence and bare.startswith(fence):
            kept["code"].append(letters(code))
            fence, code = "", ""
        elif fence:
            code += line
        elif opened:
            fence = opened[0]
        else:
            bare = without_links(bare)
            if bare[:1] == "|":
                kept["items"] += items_in_cells(bare)
                bare = " ".join(_ITEM.sub("", part) for part in bare.split("<br>"))
            kind = {"#": "headings", "|": "rows"}.get(bare[:1])
            kind = "items" if _ITEM.match(bare) else kind
            if kind:
                kept[kind].append(letters(_ITEM.sub("", bare, count=1)))
    return kept


def items_in_cells(row: str) -> list[str]:
    """The lines of the cells of a row that are items."""
    lines = [
        line.strip() for cell in _CELL_END.split(row) for line in cell.split("<br>")
    ]
    return [letters(_ITEM.sub("", line)) for line in lines if _ITEM.match(line)]


def count_kept(wanted: list[str], kept: list[str]) -> int:
    count = 0
    for one in wanted:
        for other in kept:
            if one in other or (other and one.startswith(other)):
                kept.remove(other)
                count += 1
                break
    return count


@pytest.mark.parametrize("manual", sorted(MANUALS))
def test_markdown_keeps_the_structure_of_manuals(manual: str) -> None:
    folder, main, none = MANUALS[manual]
    files = sorted(path for path in folder.rglob("*.html") if path.is_file())
    if not files:
        pytest.skip(f"{folder} is not installed")
    wanted: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    files = [path for path in files if not re.search("genindex|search", path.name)]
    for path in files[:: len(files) // PAGES][:PAGES]:
        body = path.read_text(encoding="utf-8", errors="replace")
        written = in_the_markdown(found(body, "markdown").markdown or "")
        for kind, there in in_the_page(body, main, none).items():
            wanted[kind] += len(there)
            kept[kind] += count_kept(there, written[kind])
    assert wanted.total() > 20
    for kind, count in wanted.items():
        assert kept[kind] >= 0.9 * count, (kind, kept[kind], count)
