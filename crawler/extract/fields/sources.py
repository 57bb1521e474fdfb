"""The sources of values: what stands before the colon of a selector.

A source compiles an expression into a function from a Subject to the values that match,
in document order. Raises RuleError for an expression that cannot be understood.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import re2

from crawler.extract.fields.errors import RuleError
from crawler.extract.fields.subject import Subject
from crawler.extract.fields.text import inner_text, outer_html

Find = Callable[[Subject], list[Any]]

_PSEUDO = re.compile(r"(.*?)::(text|html|attr\(\s*([^()\s]+)\s*\))\s*", re.DOTALL)


def css(expression: str) -> Find:
    """A CSS selector; `::text` (default), `::attr(NAME)` or `::html` may follow.

    `::text` is all text inside, as one line: it differs from Scrapy's, which is one
    text node.
    """
    from cssselect import HTMLTranslator, SelectorError

    match = _PSEUDO.fullmatch(expression)
    selector, part, name = match.groups() if match else (expression, "text", None)
    try:
        path = HTMLTranslator().css_to_xpath(selector.strip() or "*")
    except SelectorError as error:
        raise RuleError(f"css: {selector.strip()!r}: {error}") from error
    nodes = _xpath(path)
    if name is not None:
        return lambda subject: [
            value
            for node in nodes(subject)
            if (value := node.get(name.lower())) is not None
        ]
    value = outer_html if part == "html" else inner_text
    return lambda subject: [value(node) for node in nodes(subject)]


def xpath(expression: str) -> Find:
    """XPath 1.0, with the EXSLT functions `re:test`, `re:match`, `re:replace`."""
    nodes = _xpath(expression)
    return lambda subject: _values([_plain(value) for value in nodes(subject)])


def items(selector: str) -> Find:
    """What a `css:`, `xpath:` or `json:` selector finds: the items of a body."""
    source, _, expression = selector.partition(":")
    if source == "json":
        return json(expression)
    if source == "css":
        from cssselect import HTMLTranslator, SelectorError

        try:
            expression = HTMLTranslator().css_to_xpath(expression)
        except SelectorError as error:
            raise RuleError(f"css: {expression!r}: {error}") from error
    elif source != "xpath":
        raise RuleError(f"items: {selector!r}: write css:..., xpath:... or json:...")
    nodes = _xpath(expression)
    return lambda subject: [
        node
        for node in ([] if subject.is_json else nodes(subject))
        if hasattr(node, "iter")
    ]


def _xpath(expression: str) -> Find:
    from lxml import etree

    try:
        compiled = etree.XPath(
            expression, namespaces={"re": "http://exslt.org/regular-expressions"}
        )
        compiled(etree.Element("html"))  # which tells unknown functions, too
    except etree.XPathError as error:
        raise RuleError(f"xpath: {expression!r}: {error}") from error

    def find(subject: Subject) -> list[Any]:
        try:
            found = compiled(subject.node)
        except etree.XPathError as error:
            raise RuleError(f"xpath: {expression!r}: {error}") from error
        return found if isinstance(found, list) else [found]

    return find


def _plain(value: Any) -> Any:
    if hasattr(value, "iter"):
        return inner_text(value)
    if isinstance(value, str):
        return str(value)  # not lxml's own class, which keeps the tree alive
    if isinstance(value, float):
        if not math.isfinite(value):
            return None  # number() of what is no number
        return int(value) if value.is_integer() else value
    return value


def json(expression: str) -> Find:
    """JMESPath over the body, if that is JSON."""
    search = _jmespath(expression)
    return lambda subject: _values(search(subject.json)) if subject.is_json else []


_TYPED = re.compile(r"([A-Z][A-Za-z]*)(?:\.(.*))?", re.DOTALL)


def jsonld(expression: str) -> Find:
    """JMESPath over each object of the page's JSON-LD.

    A first name in upper case is the `@type` that is wanted: `Product.offers.price`.
    """
    typed = _TYPED.fullmatch(expression.strip())
    kind, path = typed.groups() if typed else (None, expression)
    search = _jmespath(path or "@")

    def find(subject: Subject) -> list[Any]:
        wanted = [one for one in subject.json_ld if kind is None or _is_a(one, kind)]
        return [value for one in wanted for value in _values(search(one))]

    return find


def _is_a(one: Mapping[str, Any], kind: str) -> bool:
    types = one.get("@type")
    return kind in (types if isinstance(types, list) else [types])


def _jmespath(expression: str) -> Callable[[Any], Any]:
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        compiled = jmespath.compile(expression)
    except JMESPathError as error:
        first = str(error).splitlines()[0]
        raise RuleError(f"json: {expression!r}: {first}") from error

    def search(value: Any) -> Any:
        try:
            return compiled.search(value)
        except (JMESPathError, TypeError, RecursionError):
            return None  # a function that does not take what this page has

    return search


def _values(found: Any) -> list[Any]:
    if found is None:
        return []
    return (
        [one for one in found if one is not None]
        if isinstance(found, list)
        else [found]
    )


def meta(expression: str) -> Find:
    """The content of `<meta>` with this name, property, itemprop or http-equiv."""
    wanted = expression.strip().lower()
    if not wanted:
        raise RuleError("meta: write the name, as in meta:og:title")

    def find(subject: Subject) -> list[Any]:
        return [
            content
            for node in subject.node.iter("meta")
            if (content := node.get("content")) is not None
            and wanted
            in (
                (node.get(name) or "").strip().lower()
                for name in ("name", "property", "itemprop", "http-equiv")
            )
        ]

    return find


def regex(expression: str) -> Find:
    """RE2 over the text of the body: the first group, or the whole match."""
    found = compile_regex("re", expression)
    return lambda subject: found(subject.text)


_URL_PARTS: Mapping[str, Callable[[str], str | None]] = {
    "": lambda url: url,
    "scheme": lambda url: urlsplit(url).scheme,
    "host": lambda url: urlsplit(url).hostname,
    "path": lambda url: unquote(urlsplit(url).path),
    "query": lambda url: urlsplit(url).query,
}


def url(expression: str) -> Find:
    """`host`, `path`, `query` or `query.NAME` of the page's URL, or RE2 over it."""
    name = expression.strip()
    if name in _URL_PARTS:
        part = _URL_PARTS[name]
        return lambda subject: _values(part(subject.url))
    if name.startswith("query."):
        return partial(_parameter, name.removeprefix("query."))
    found = compile_regex("url", expression)
    return lambda subject: found(subject.url)


def _parameter(name: str, subject: Subject) -> list[Any]:
    query = urlsplit(subject.url).query
    return [value for key, value in parse_qsl(query, True) if key == name]


def compile_regex(source: str, expression: str) -> Callable[[str], list[Any]]:
    options = re2.Options()
    options.log_errors = False  # the RuleError says it
    try:
        compiled = re2.compile(expression, options)
    except re2.error as error:
        raise RuleError(
            f"{source}: {expression!r}: {error.args[0].decode()}; RE2 has no "
            "lookaround and no backreferences"
        ) from error
    group = 1 if compiled.groups else 0
    return lambda text: [
        one.group(group)
        for one in compiled.finditer(text)
        if one.group(group) is not None
    ]


SOURCES: Mapping[str, Callable[[str], Find]] = {
    "css": css,
    "xpath": xpath,
    "json": json,
    "jsonld": jsonld,
    "meta": meta,
    "re": regex,
    "url": url,
}
"""A new source is a line here."""
