"""All rules of a crawl, applied to its pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import msgspec
import re2
from msgspec import Struct

from crawler.extract.fields import sources
from crawler.extract.fields.api import Api
from crawler.extract.fields.errors import FieldFailure, RuleError
from crawler.extract.fields.rule import Rule
from crawler.extract.fields.sources import Find
from crawler.extract.fields.subject import FieldDocument, Subject
from crawler.model.content_config import ApiConfig, FieldConfig, SiteConfig
from crawler.model.documents import FoundImage, LeftOut, Link, Listing
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

    It is used as a plug-in is, in the extraction process. The options are `[fields]`,
    `[[site]]` and `[[api]]`, as Structs or as JSON has them.
    """

    reads_json = True
    """JSON bodies are read, not only HTML (`crawler/plugins/child.py`)."""
    reads_apis = True
    """`listing` tells what the answer of an API lists, and `left_out` what is cut."""

    def __init__(
        self,
        fields: Mapping[str, Any],
        sites: Sequence[Any] = (),
        apis: Sequence[Any] = (),
    ) -> None:
        self._rules = compile_rules(msgspec.convert(fields, dict[str, FieldConfig]))
        self._sites = [compile_site(msgspec.convert(one, SiteConfig)) for one in sites]
        self._last: Subject | None = None
        self._apis = [compile_api(msgspec.convert(one, ApiConfig)) for one in apis]

    def extract(self, document: FieldDocument) -> dict[str, Any]:
        """The fields of the page itself. Raises FieldFailure."""
        subject = self._subject(document)
        rules = [*self._rules]
        for site in self._sites:
            if site.items is None and site.matches(document.url):
                rules += site.rules
        return _values(rules, subject)

    def items(self, document: FieldDocument) -> list[dict[str, Any]]:
        """The fields of each item of the page. Raises FieldFailure."""
        subject = self._subject(document)
        found: list[dict[str, Any]] = []
        for site in self._sites:
            if site.items is not None and site.matches(document.url):
                nodes, room = site.items(subject), MAX_ITEMS - len(found)
                if len(nodes) > room:
                    subject.left_out.add("items")
                for node in nodes[:room]:
                    found.append(_item(site.rules, subject.item(node), len(found)))
        return found

    def left_out(self, document: FieldDocument) -> Set[LeftOut]:
        """What a limit has left out of what the other methods returned."""
        return self._subject(document).left_out

    def listing(self, document: FieldDocument, asked: str) -> Listing | None:
        """What the body lists, if it is the answer of an API. Raises FieldFailure.

        `asked` is the URL that was requested; that of the document is where it led.
        """
        for api in self._apis:
            for url in (document.url, asked):
                if api.matches(url):
                    return _listing(api, self._subject(document), url)
        return None

    def _subject(self, document: FieldDocument) -> Subject:
        """The same for all methods, so that JSON is read once."""
        if self._last is None or self._last.document is not document:
            self._last = Subject(document)
        return self._last


def _listing(api: Api, answer: Subject, url: str) -> Listing:
    """What the answer lists. An item without a required field costs no other item.

    Its pictures and pages count all the same, as the links of such a page do.
    """
    if answer.json is None and answer.text.strip() not in ("", "null"):
        raise FieldFailure("field items: the answer of the [[api]] is no JSON")
    found = api.find_items(answer)
    nodes = found[:MAX_ITEMS]
    items: list[dict[str, Any]] = []
    images: list[FoundImage] = []
    links: list[Link] = []
    failure = ""
    if len(found) > MAX_ITEMS:
        failure = f"items: {len(found):,} in one answer; {MAX_ITEMS:,} of them are read"
        answer.left_out.add("items")
    for index, node in enumerate(nodes):
        item = answer.item(node)
        try:
            data = _item(api.rules, item, index)
        except FieldFailure as lacking:
            data, failure = {}, failure or lacking.message
        alt = api.alt(item)
        if data:
            items.append(data)
        images += [FoundImage(url, alt, data) for url in api.images(item)]
        links += [Link(url, "json") for url in api.links(item)]
    following = api.next_url(url, answer, len(nodes))
    if following is not None:
        links.append(Link(following, "api"))
    return Listing(tuple(items), tuple(images), tuple(links), api.max_requests, failure)


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


def compile_api(config: ApiConfig) -> Api:
    """Raises RuleError."""
    if not (config.image or config.link or config.fields):
        raise RuleError("nothing to take from the items: write image, link or fields")
    return Api(config, compile_rules(config.fields))


def _matcher(pattern: str) -> Callable[[str], bool]:
    try:
        search = re2.compile(expression(pattern)).search
    except ValueError as error:
        raise RuleError(f"match: {pattern!r}: {error}") from error
    return lambda url: search(url) is not None


def zeros(
    fields: Mapping[str, FieldConfig],
    sites: Sequence[SiteConfig],
    apis: Sequence[ApiConfig],
) -> dict[str, Any]:
    """A typed value of each field, for the schema line.

    A column has one type in the whole stream, so a field has one in all tables; int and
    float together are float. Raises RuleError, which names the two tables.
    """
    found: dict[str, tuple[Any, str, str]] = {}
    places = {
        "[fields]": fields,
        **{f"[[site]] {n}": site.fields for n, site in enumerate(sites, 1)},
        **{f"[[api]] {n}": api.fields for n, api in enumerate(apis, 1)},
    }
    for place, configs in places.items():
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
