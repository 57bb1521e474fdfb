"""The page: its sections, style sheet, script and data in one file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import msgspec

from crawler.inspect.report.markup import Html, el, join, number
from crawler.inspect.report.report import MakeSection, Report, Section
from crawler.inspect.report.sections.about import about
from crawler.inspect.report.sections.activity import activity
from crawler.inspect.report.sections.answers import answers, hosts
from crawler.inspect.report.sections.audited import audited
from crawler.inspect.report.sections.cut import cut
from crawler.inspect.report.sections.failed import failed, redirects, skipped
from crawler.inspect.report.sections.overview import overview, title_of
from crawler.inspect.report.sections.shape import shape
from crawler.inspect.report.sections.sheet import sheet
from crawler.inspect.report.sections.tree import tree

SECTIONS: Sequence[MakeSection] = (
    overview, activity, answers, hosts, shape, failed, redirects, skipped, cut,
    audited, tree, sheet, about,
)  # fmt: skip
"""In their order on the page. A new section is a function here."""
SCRIPTS = ("report.js", "sheet.js")
CHUNK = 200
"""Thumbnails in one element, which the script reads when it shows the first of them."""
UNTITLED = frozenset({"overview"})
"""Sections whose heading is the title of the page."""


def page(report: Report) -> Iterator[bytes]:
    """The page in pieces, in UTF-8.

    The pictures come last, so that all else is shown before they are read.
    """
    style, script = _asset("report.css"), "".join(map(_asset, SCRIPTS))
    sections = [made for make in SECTIONS if (made := make(report)) is not None]
    title = title_of(report)
    yield b"<!doctype html>\n"
    yield _bytes(f'<html lang="en" data-base="{quote(report.base)}">')
    yield _bytes(_head(title, style, script))
    yield b"<body>"
    yield _bytes(_banner(title, sections))
    yield b"<main>"
    for section in sections:
        yield _bytes(_section(section))
    yield b'</main><div id="tip" role="status" hidden></div>\n'
    yield from _data(report)
    yield b"</body></html>\n"


def _asset(name: str) -> str:
    return (files("crawler.inspect.report") / "assets" / name).read_text("utf-8")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _head(title: str, style: str, script: str) -> Html:
    policy = (
        "default-src 'none'; "
        f"style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "img-src data: file: 'self'; base-uri 'none'; form-action 'none'"
    )
    return el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy),
        el("meta", name="referrer", content="no-referrer"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{title}: crawl report"),
        el("style", Html(style)),
        el("script", Html(script)),
    )


def _digest(text: str) -> str:
    """The source of a policy that allows this text and no other."""
    found = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(found).decode()}"


def _banner(title: str, sections: Sequence[Section]) -> Html:
    entries = (
        el("li", el("a", one.title, _count(one), href=f"#{one.name}"))
        for one in sections
    )
    theme = el("button", "Light or dark", type="button", id="theme")
    return el(
        "header",
        el("div", el("h1", el("bdi", title)), theme, class_="title"),
        el("nav", el("ul", join(entries)), aria_label="Sections"),
    )


def _count(section: Section) -> Html | None:
    return None if section.count is None else el("small", number(section.count))


def _section(section: Section) -> Html:
    heading = None if section.name in UNTITLED else el("h2", section.title)
    return el("section", heading, section.body, id=section.name, class_="part")


def _data(report: Report) -> Iterator[bytes]:
    """What the script shows: the tree, the records of pictures, the thumbnails."""
    tree = report.found.tree.top.data()
    yield b'<script type="application/json" id="site">'
    yield json_for_script(tree)
    yield b"</script>\n"
    yield from _pictures(report)


def _pictures(report: Report) -> Iterator[bytes]:
    """The records of pictures, then the thumbnails in chunks of lines."""
    numbers: dict[str, int] = {}
    records: list[dict[str, Any]] = []
    for one in report.pictures:
        record = one.record()
        if one.row.path is not None and one.row.path in report.thumbnails:
            record["#"] = numbers.setdefault(one.row.path, len(numbers))
        records.append(record)
    yield b'<script type="application/json" id="data">'
    yield json_for_script({"chunk": CHUNK, "pictures": records})
    yield b"</script>\n"
    lines = [_line(report, path) for path in numbers]
    for first in range(0, len(lines), CHUNK):
        yield b'<script type="text/plain" class="thumbnails">'
        yield b"\n".join(lines[first : first + CHUNK])
        yield b"</script>\n"


def _line(report: Report, path: str) -> bytes:
    thumbnail = report.thumbnails[path]
    body = base64.b64encode(thumbnail.body)
    return f"data:{thumbnail.media_type};base64,".encode() + body


def json_for_script(value: Any) -> bytes:
    """JSON that cannot end the element that it stands in."""
    text = msgspec.json.encode(value)
    for char in (b"<", b">", b"&"):
        text = text.replace(char, b"\\u%04x" % char[0])
    return text
