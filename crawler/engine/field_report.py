"""What each selector of a configuration finds in one page, for who writes selectors.

The page is untrusted, so this runs in the extraction process as well: `report` sends
the page there, and `run` is the task that looks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

import msgspec
from msgspec import Struct

from crawler.engine.sandbox.pool import ExtractionPool
from crawler.extract.fields.errors import RuleError
from crawler.extract.fields.fields import compile_rules, compile_site
from crawler.extract.fields.rule import Rule
from crawler.extract.fields.sources import css
from crawler.extract.fields.subject import Subject
from crawler.model.config import Config
from crawler.model.content_config import FieldConfig, SiteConfig
from crawler.model.documents import File, Page
from crawler.model.errors import ExtractFailure
from crawler.plugins.document import PluginDocument

TASK = "crawler.engine.field_report:run"
MAX_SHOWN = 5
"""Values of a field that are reported."""


class FieldReport(Struct, frozen=True):
    """What one selector finds."""

    name: str
    select: str
    count: int
    """How many values there are."""
    values: tuple[Any, ...] = ()
    """The first of them."""
    item: str = ""
    """The selector of items that the field is relative to."""
    required: bool = False
    hint: str = ""
    """Where nothing is found: what is found, that is similar."""


class _Order(Struct, frozen=True, array_like=True):
    url: str
    body: bytes
    page: Page
    fields: dict[str, FieldConfig]
    sites: tuple[SiteConfig, ...]


def report(
    config: Config, url: str, body: bytes, document: Page | File
) -> Sequence[FieldReport]:
    """What the selectors of `config` find in a body. Raises ExtractFailure."""
    page = Page(document.content_type, document.charset or "utf-8")
    order = _Order(url, body, page, config.fields, config.site)
    worker = ExtractionPool({"report": TASK})
    try:
        answer = worker.run("report", msgspec.msgpack.encode(order))
        return msgspec.msgpack.decode(answer, type=tuple[FieldReport, ...])
    except msgspec.MsgspecError as error:
        raise ExtractFailure(f"no report: {error}") from error
    finally:
        worker.close()


def run(payload: bytes) -> bytes:
    """The task: from an encoded order to encoded reports."""
    order = msgspec.msgpack.decode(payload, type=_Order)
    document = PluginDocument(order.url, 200, (), order.body, order.page)
    return msgspec.msgpack.encode(tuple(_reports(order, Subject(document))))


def _reports(order: _Order, subject: Subject) -> Iterator[FieldReport]:
    yield from _of_rules(compile_rules(order.fields), [subject])
    for config in order.sites:
        site = compile_site(config)
        if not site.matches(order.url):
            continue
        if site.items is None:
            yield from _of_rules(site.rules, [subject])
            continue
        nodes = site.items(subject)
        hint = "" if nodes else _hint(config.items, subject)
        yield FieldReport("items", config.items, len(nodes), hint=hint)
        subjects = [subject.item(node) for node in nodes]
        yield from _of_rules(site.rules, subjects, config.items)


def _of_rules(
    rules: Sequence[Rule], subjects: Sequence[Subject], item: str = ""
) -> Iterator[FieldReport]:
    for rule in rules:
        values = [value for one in subjects for value in rule.values(one)]
        select = rule.config.select
        hint = "" if values or not subjects else _hint(select, subjects[0])
        yield FieldReport(
            rule.name,
            select,
            len(values),
            tuple(values[:MAX_SHOWN]),
            item,
            rule.config.required,
            hint,
        )


def _hint(select: str, subject: Subject) -> str:
    """What is similar to a selector that finds nothing."""
    source, _, expression = select.partition(":")
    if subject.is_json != (source == "json") and source not in ("re", "url"):
        return f"the body is {'JSON' if subject.is_json else 'HTML, not JSON'}"
    if source == "meta":
        names = _attributes(subject, "meta", ("name", "property", "itemprop"))
        return _similar(expression.partition("|")[0].strip(), names)
    if source != "css":
        return ""
    selector = expression.partition("|")[0].partition("::")[0].strip()
    parts = selector.split()
    for length in range(len(parts) - 1, 0, -1):
        shorter = " ".join(parts[:length])
        if count := _count(shorter, subject):
            return f"{shorter} finds {count}, and nothing below is {parts[length]}"
    last = parts[-1] if parts else ""
    classes = _attributes(subject, "*", ("class", "id"))
    return _similar(last.lstrip(".#"), classes)


def _count(selector: str, subject: Subject) -> int:
    try:
        return len(css(selector)(subject))
    except RuleError:
        return 0  # cut in the middle of an expression


def _attributes(subject: Subject, tag: str, names: Sequence[str]) -> list[str]:
    found: dict[str, None] = {}
    for node in subject.node.iter(tag):
        for name in names:
            found.update(dict.fromkeys((node.get(name) or "").split()))
    return list(found)


def _similar(word: str, words: Sequence[str]) -> str:
    close = get_close_matches(word, words, 3, 0.5)
    return f"similar in this page: {', '.join(close)}" if close else ""
