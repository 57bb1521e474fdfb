"""HTML and SVG: elements whose text is escaped unless it is markup already."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from urllib.parse import unquote

_VOID = frozenset({"meta", "link", "br", "hr", "img", "input"})
MAX_TEXT = 200
"""Characters of a text of the web that are shown."""


class Html(str):
    """Markup, which is inserted as it is."""

    __slots__ = ()


Child = Html | str | int | None


def el(name: str, /, *children: Child, **attributes: str | int | float | bool) -> Html:
    """An element. None adds no child; False no attribute, and True an empty one.

    `class_` and `text_anchor` are the attributes `class` and `text-anchor`.
    """
    named = "".join(
        f' {_attribute_name(key)}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not False
    )
    if name in _VOID:
        return Html(f"<{name}{named}>")
    return Html(f"<{name}{named}>{join(children)}</{name}>")


def join(children: Iterable[Child]) -> Html:
    """The children one after the other."""
    return Html(
        "".join(
            child if isinstance(child, Html) else escape(str(child))
            for child in children
            if child is not None
        )
    )


def _attribute_name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _value(value: str | int | float | bool) -> str:
    if value is True:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else escape(str(value))


def clip(text: str, length: int = MAX_TEXT) -> str:
    """`text`, shortened to so many characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def web_text(text: str, length: int = MAX_TEXT) -> Html:
    """A text of the web: its direction is its own, and ends with it."""
    return el("bdi", clip(text, length), dir="auto")


def readable(url: str) -> str:
    """A URL, or a part of one, with its escapes decoded where a person can read that.

    What is not printable stays escaped, and so do marks that change the direction of
    the text and spaces that would end the URL.
    """
    if "%" not in url:
        return url
    try:
        decoded = unquote(url, errors="strict")
    except UnicodeDecodeError:
        return url
    return decoded if decoded.isprintable() and " " not in decoded else url


def url_link(url: str, text: str | None = None, length: int = 120) -> Html:
    """A link to a URL of the web; mere text if it has another scheme or was cut."""
    shown = web_text(readable(url) if text is None else text, length)
    if not url.startswith(("http://", "https://")) or url.endswith("…"):
        return el("span", shown, class_="url")
    return el(
        "a", shown, href=url, class_="url", title=url if len(url) > length else False,
        target="_blank", rel="noopener noreferrer nofollow",
    )  # fmt: skip


def number(value: int | float) -> str:
    return f"{value:,.0f}"


def percent(part: float, whole: float) -> str:
    """`12 %`, and `<1 %` for what is not nothing."""
    if not whole or not part:
        return "0 %"
    share = 100 * part / whole
    if share < 1:
        return "<1 %"
    return ">99 %" if 99 <= share < 100 else f"{share:.0f} %"
