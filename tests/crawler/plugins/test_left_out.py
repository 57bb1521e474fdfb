"""What is beyond a limit of plug-ins, fields and sites is said, and only then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from crawler.extract.fields import fields, rule, subject
from crawler.extract.fields.fields import Fields
from crawler.model.documents import Page
from crawler.plugins import child
from crawler.plugins.document import PluginDocument
from crawler.plugins.loading import check

LIMIT = 3


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "MAX_ITEMS", LIMIT)
    monkeypatch.setattr(fields, "MAX_ITEMS", LIMIT)
    monkeypatch.setattr(rule, "MAX_VALUES", LIMIT)


def found(paragraphs: int, *targets: Any) -> child.Findings:
    """What plug-ins find in a page of so many paragraphs."""
    body = b"<p>a b</p>" * paragraphs
    document = PluginDocument("http://h/", 200, (), body, Page("text/html", "utf-8"))
    plugins = [check(type(one).__name__, one, None) for one in targets]
    return child.apply(plugins, document, LIMIT, "http://h/")


class Discovers:
    def discover(self, document: Any) -> Iterator[str]:
        return (f"/{n}" for n in range(document.body.count(b"<p>")))


class Lists:
    def items(self, document: Any) -> Iterator[dict[str, Any]]:
        return ({"n": n} for n in range(document.body.count(b"<p>")))


def site(items: str, select: str = "css:p") -> Fields:
    name = {"name": {"select": select, "many": True}}
    return Fields({}, [{"match": "http://h/*", "items": items, "fields": name}])


def many(select: str) -> Fields:
    return Fields({"all": {"select": select, "many": True}})


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        (Discovers, "urls"),
        (Lists, "items"),
        (lambda: site("css:p"), "items"),
        (lambda: many("css:p"), "values"),
        (lambda: site("css:body", "css:p"), "values"),
    ],
)
def test_more_than_the_limit(target: Any, kind: str) -> None:
    assert found(LIMIT, target()).left_out == ()
    assert found(LIMIT + 1, target()).left_out == (kind,)


def test_values_that_a_pipe_makes_count() -> None:
    pipe = "css:p | split(' ')"
    assert found(1, many(pipe)).left_out == ()
    assert found(2, many(pipe)).left_out == ("values",)


def test_objects_of_json_ld(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "_MAX_NODES", LIMIT)
    for number, expected in ((LIMIT, ()), (LIMIT + 1, ("values",))):
        script = b'<script type="application/ld+json">%s</script>' % (
            b"[" + b", ".join([b'{"@type": "A", "n": 1}'] * number) + b"]"
        )
        page = Page("text/html", "utf-8")
        document = PluginDocument("http://h/", 200, (), script, page)
        taken = child.apply(
            [check("Fields", many("jsonld:A.n"), None)], document, LIMIT, "http://h/"
        )
        assert taken.left_out == expected
        assert taken.data == {"all": ["1"] * LIMIT}


def test_items_of_several_plug_ins_count_together() -> None:
    half = found(2, Lists(), site("css:p"))
    assert (len(half.items), half.left_out) == (LIMIT, ("items",))
    assert found(1, Lists(), site("css:p")).left_out == ()
