"""The contact sheet of the pictures; the script fills it from the data of the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from crawler.inspect.report.markup import Html, el, number
from crawler.inspect.report.report import Report, Section
from crawler.model.units import counted, show_bytes

MAX_HOSTS = 200
"""Hosts that can be chosen: those with the most pictures."""


def sheet(report: Report) -> Section | None:
    pictures = report.found.pictures
    if not pictures.count:
        return None
    body = el(
        "div",
        el("p", *_sentences(report), class_="note"),
        _filters(report) if report.pictures else None,
        el("div", id="sheet"),
        el("noscript", el("p", "The contact sheet needs JavaScript.", class_="empty")),
        _lightbox(),
        class_="card wide sheet",
    )
    return Section("pictures", "Pictures", body, pictures.count)


def _sentences(report: Report) -> Iterator[str]:
    pictures = report.found.pictures
    shown, embedded = len(report.pictures), len(report.thumbnails)
    yield f"{counted(pictures.count, 'picture')}, {show_bytes(pictures.received)}."
    if pictures.duplicates:
        exact, near = pictures.duplicates["exact"], pictures.duplicates["near"]
        same = [f"{number(exact)} with the same bytes"] if exact else []
        same += [f"{number(near)} that look the same"] if near else []
        yield f" Duplicates of earlier ones: {', '.join(same)}."
    if not shown:
        yield " None of them is shown (--pictures 0)."
        return
    if shown < pictures.count:
        yield f" The {number(shown)} with the most pixels are shown."
    files = {one.row.path for one in report.pictures if one.row.path}
    if not embedded and not report.can_embed:
        yield (
            " They are shown from the folder of the crawl, beside which this page has "
            "to stay; thumbnails become part of it with the extra `look` "
            "(pip install 'orbweb[look]')."
        )
    elif not embedded:
        yield " They are shown from the folder of the crawl."
    elif embedded < len(files):
        without = len(files) - embedded
        yield (
            f" {number(without)} {'has' if without == 1 else 'have'} no thumbnail in "
            "this page: the files are shown if the folder of the crawl is beside it."
        )
    if embedded:
        yield (
            " Thumbnails are part of this page; the pictures themselves are in the "
            "folder of the crawl."
        )


def _filters(report: Report) -> Html:
    hosts = Counter(one.row.host for one in report.pictures).most_common(MAX_HOSTS)
    formats = Counter(one.row.format for one in report.pictures).most_common()
    return el(
        "form",
        _search("Text", "text", "URL, alt, caption"),
        _search("Page", "page", "URL of the page"),
        _choice("Host", "host", hosts) if len(hosts) > 1 else None,
        _choice("Format", "format", formats) if len(formats) > 1 else None,
        _choice("Size", "size", _SIZES, counted=False),
        _choice("Show", "show", _SHOWN, counted=False),
        _choice("Order", "order", _ORDERS, counted=False),
        el("output", "", name="found", aria_live="polite"),
        id="filters", class_="filters",
    )  # fmt: skip


_SIZES = [
    ("Any size", 0), ("64 px or more", 64), ("200 px or more", 200),
    ("500 px or more", 500), ("1,000 px or more", 1000), ("2,000 px or more", 2000),
]  # fmt: skip
_SHOWN = [("All", 0), ("One of each", 1), ("Groups of duplicates", 2)]
_ORDERS = [("As found", 0), ("Most pixels first", 1), ("Largest first", 2)]


def _choice(
    title: str, name: str, values: Iterable[tuple[str, int]], counted: bool = True
) -> Html:
    """A list to choose from: names that are values, or names with their values."""
    options = [
        el("option", f"{text} ({number(n)})", value=text)
        if counted
        else el("option", text, value=str(n))
        for text, n in values
    ]
    if counted:
        options.insert(0, el("option", "All", value=""))
    return _field(title, el("select", *options, name=name))


def _search(title: str, name: str, hint: str) -> Html:
    return _field(title, el("input", type="search", name=name, placeholder=hint))


def _field(title: str, control: Html) -> Html:
    return el("label", el("span", title), control)


def _lightbox() -> Html:
    """The dialog that shows one picture with its record."""
    return el(
        "dialog",
        el("div", el("img", id="large", alt=""), class_="stage"),
        el(
            "div",
            el(
                "p",
                el("button", "Previous", type="button", data_step="-1"),
                el("button", "Next", type="button", data_step="1", autofocus=True),
                el("span", "", id="position"),
                el("button", "Close", type="button", id="close"),
                class_="buttons",
            ),
            el("p", "", id="hint", class_="note"),
            el("div", "", id="same"),
            el("dl", "", id="record"),
            class_="facts",
        ),
        id="lightbox", aria_label="Picture",
    )  # fmt: skip
