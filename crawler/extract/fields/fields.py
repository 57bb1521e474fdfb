"""All rules of a crawl, applied to its pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import re2
from msgspec import Struct

from crawler.extract.fields import sources
from crawler.extract.fields.errors import FieldFailure, RuleError
from crawler.extract.fields.rule import Rule
from crawler.extract.fields.sources import Find
from crawler.extract.fields.subject import FieldDocument, Subject
from crawler.model.content_config import FieldConfig, SiteConfig
from crawler.model.url_pattern import expression

MAX_ITEMS = 10_000
"""Items of one page that become records."""


class Site(Struct, frozen=True):
    """A compiled `[[site]]`."""

    matches: Callable[[str], bool]
    rules: tuple[Rule, ...]
    items: Find | None


class Fields:
    """The fields of a crawl.

    It is used as a plug-in is, in the extraction process. The options are `[fields]`
    and `[[site]]`, as Structs or as JSON has them.
    """

    reads_json = True
    """JSON bodies are read, not only HTML (`crawler/plugins/child.py`)."""

    def __init__(self, fields: Mapping[str, Any], sites: Sequence[Any] = ()) -> None:
        self._rules = compile_rules(msgspec.convert(fields, dict[str, FieldConfig]))
        self._sites = [compile_site(msgspec.convert(one, SiteConfig)) for one in sites]

    def extract(self, document: FieldDocument) -> dict[str, Any]:
        """The fields of the page itself. Raises FieldFailure."""
        subject = Subject(document)
        rules = [*self._rules]
        for site in self._sites:
            if site.items is None and site.matches(document.url):
                rules += site.rules
        return _values(rules, subject)

    def items(self, document: FieldDocument) -> list[dict[str, Any]]:
        """The fields of each item of the page. Raises FieldFailure."""
        subject = Subject(document)
        found: list[dict[str, Any]] = []
        for site in self._sites:
            if site.items is not None and site.matches(document.url):
                for node in site.items(subject)[: MAX_ITEMS - len(found)]:
                    found.append(_item(site.rules, subject.item(node), len(found)))
        return found


def _values(rules: Sequence[Rule], subject: Subject) -> dict[str, Any]:
    json = subject.is_json
    return {rule.name: rule.value(subject) for rule in rules if rule.applies(json=json)}


def _item(rules: Sequence[Rule], subject: Subject, index: int) -> dict[str, Any]:
    try:
        return _values(rules, subject)
    except FieldFailure as failure:
        raise FieldFailure(f"item {index + 1}: {failure.message}") from failure


def compile_rules(fields: Mapping[str, FieldConfig]) -> tuple[Rule, ...]:
    """Raises RuleError, which names the field."""
    rules = []
    for name, config in fields.items():
        try:
            rules.append(Rule(name, config))
        except RuleError as error:
            raise RuleError(f"field {name!r}: {error}") from error
    return tuple(rules)


def compile_site(config: SiteConfig) -> Site:
    """Raises RuleError."""
    if config.items and not config.fields:
        raise RuleError("items without fields: write [site.fields] below")
    return Site(
        _matcher(config.match),
        compile_rules(config.fields),
        sources.items(config.items) if config.items else None,
    )


def _matcher(pattern: str) -> Callable[[str], bool]:
    try:
        search = re2.compile(expression(pattern)).search
    except ValueError as error:
        raise RuleError(f"match: {pattern!r}: {error}") from error
    return lambda url: search(url) is not None


def zeros(
    fields: Mapping[str, FieldConfig], sites: Sequence[SiteConfig]
) -> dict[str, Any]:
    """A typed value of each field, for the schema line.

    A column has one type in the whole stream, so a field has one in all tables; int and
    float together are float. Raises RuleError, which names the two tables.
    """
    found: dict[str, tuple[Any, str, str]] = {}
    places = {f"[[site]] {n}": site.fields for n, site in enumerate(sites, 1)}
    for place, configs in {"[fields]": fields, **places}.items():
        for rule in compile_rules(configs):
            before = found.get(rule.name, (rule.zero, "", ""))
            zero = _common(before[0], rule.zero)
            if zero is None:
                raise RuleError(
                    f"field {rule.name!r} is {before[1]} in {before[2]} and "
                    f"{rule.kind} in {place}; give it one type, or two names"
                )
            found[rule.name] = zero, rule.kind, place
    return {name: zero for name, (zero, _, _) in found.items()}


def _common(one: Any, other: Any) -> Any:
    """The zero of the type that has the values of both; None if there is none."""
    if isinstance(one, list) and isinstance(other, list):
        inner = _common(one[0], other[0])
        return None if inner is None else [inner]
    if type(one) is type(other):
        return one
    return 0.0 if {type(one), type(other)} == {int, float} else None
