"""Fields: what selectors find, what they become, and what is refused."""

from __future__ import annotations

import time
from time import process_time
from typing import Any

import pytest

from crawler.extract.fields.errors import FieldFailure, RuleError
from crawler.extract.fields.fields import Fields, compile_rules, zeros
from crawler.extract.fields.rule import MAX_VALUE
from crawler.extract.fields.types import to_bool, to_float, to_int
from crawler.model.content_config import ApiConfig, FieldConfig, SiteConfig
from crawler.model.documents import Page
from crawler.plugins.document import PluginDocument

URL = "https://shop.example/p/12?id=7&tag=a&tag=b"
HTML = """<!doctype html><html><head><title>T</title><base href="/base/">
<meta property="og:title" content="OG"><meta name="Author" content=" Ann ">
<script type="application/ld+json">{"@context": "x", "@graph": [
  {"@type": "Product", "name": "N", "offers": {"price": "1.299,00"}},
  {"@type": ["Thing", "Org"], "name": "O"}]}</script>
<script type="application/ld+json">{not json</script>
<script type="application/ld+json"><!-- {"@type": "Loose", "name": "L",} --></script>
</head>
<body><h1> Hello <b>wor</b>ld </h1><p>one</p><p>two<script>x</script></p>
<ul><li>1</li><li>2</li></ul><a href="x?y=1">link</a>
<span class="price">€ 1.299,00</span>
<div class="product"><h2>A</h2><i>10</i></div>
<div class="product"><h2>B</h2><i>20 pcs</i></div>
<time>12 March 2024</time><em>yes</em></body></html>"""
JSON = (
    '{"data": [{"name": "a", "n": 1, "tags": ["x", "y"]}, {"name": "b"}], "next": null}'
)


def document(body: str = HTML, content_type: str = "text/html") -> PluginDocument:
    page = Page(content_type, "utf-8")
    return PluginDocument(URL, 200, (), body.encode(), page)


def value(select: str, body: str = HTML, kind: str = "text/html", **more: Any) -> Any:
    fields = Fields({"field": {"select": select, **more}})
    return fields.extract(document(body, kind)).get("field")


@pytest.mark.parametrize(
    ("select", "more", "expected"),
    [
        ("css:h1", {}, "Hello world"),
        ("css:h1::text", {}, "Hello world"),
        ("css:h1::html", {}, "<h1> Hello <b>wor</b>ld </h1>"),
        ("css:ul", {}, "1 2"),
        ("css:p", {"many": True}, ["one", "two"]),
        ("css:a::attr(href)", {"type": "url"}, "https://shop.example/base/x?y=1"),
        ("css:.price", {"type": "price"}, 1299.0),
        ("css:.price | currency", {}, "€"),
        ("css:.nothing", {}, None),
        ("css:.nothing", {"default": "none"}, "none"),
        ("css:.nothing", {"many": True}, None),
        ("css:time", {"type": "date"}, "2024-03-12"),
        ("css:em", {"type": "bool"}, True),
        ("xpath://h1/b/text()", {}, "wor"),
        ("xpath:count(//p)", {"type": "int"}, 2),
        ("xpath://p | //h2", {"many": True}, ["one", "two", "A", "B"]),
        ("xpath://p | //h2 | count", {"type": "int"}, 4),
        ("xpath://a/@href", {}, "x?y=1"),
        ("xpath://p[re:test(., '^t')]", {}, "two"),
        ("jsonld:Product.offers.price", {"type": "float"}, 1299.0),
        ("jsonld:Org.name", {}, "O"),
        ("jsonld:name", {"type": "list"}, ["N", "O", "L"]),
        ("jsonld:Product", {"type": "object"},
         {"@type": "Product", "name": "N", "offers": {"price": "1.299,00"}}),
        ("meta:og:title", {}, "OG"),
        ("meta:author | strip", {}, "Ann"),
        (r're:"@type": "(\w+)"', {}, "Product"),
        (r"url:/p/(\d+)", {"type": "int"}, 12),
        ("url:query.tag", {"many": True}, ["a", "b"]),
        ("url:host", {}, "shop.example"),
        ("url:", {}, URL),
        ("css:p | join(', ')", {}, "one, two"),
        ("css:p | join", {}, "one two"),
        ("css:p | last | upper", {}, "TWO"),
        ("css:p | replace('o', '0') | prefix(\"<\")", {}, "<0ne"),
        ("css:ul | split", {"type": "list"}, ["1", "2"]),
        ("css:.price | re('([0-9.]+),')", {}, "1.299"),
        ("css:.product i | int | unique", {"many": True, "type": "int"}, [10, 20]),
        ("json:data", {}, None),
    ],
)  # fmt: skip
def test_a_selector_finds_a_value(
    select: str, more: dict[str, Any], expected: Any
) -> None:
    assert value(select, **more) == expected


@pytest.mark.parametrize(
    ("select", "more", "expected"),
    [
        ("json:data[].name", {"many": True}, ["a", "b"]),
        ("json:data[0].tags | join('+')", {}, "x+y"),
        ("json:data[?n == `1`].name | [0]", {}, "a"),
        ("json:length(data)", {"type": "int"}, 2),
        ("json:next", {}, None),
        ("json:data[0]", {"type": "object"}, {"name": "a", "n": 1, "tags": ["x", "y"]}),
        ("json:length(next)", {}, None),
        ("css:h1", {"required": True}, None),
        ("url:host", {}, "shop.example"),
    ],
)
def test_a_json_body_has_the_fields_that_look_into_json(
    select: str, more: dict[str, Any], expected: Any
) -> None:
    assert value(select, JSON, "application/json", **more) == expected


@pytest.mark.parametrize("body", ["", "{", "[" * 100_000, "nul"])
def test_a_body_that_is_no_json_has_no_values(body: str) -> None:
    assert value("json:data", body, "application/json") is None


@pytest.mark.parametrize(
    ("items", "fields", "kind", "found"),
    [
        ("css:.product", {"name": "css:h2", "n": "css:i | int", "page": "url:"},
         "text/html", [{"name": "A", "n": "10", "page": URL},
                       {"name": "B", "n": "20", "page": URL}]),
        ("xpath://li", {"text": "xpath:."}, "text/html",
         [{"text": "1"}, {"text": "2"}]),
        ("json:data[]", {"name": "json:name", "n": "json:n"}, "application/json",
         [{"name": "a", "n": "1"}, {"name": "b", "n": None}]),
        ("css:.product", {"name": "css:h2"}, "application/json", []),
    ],
)  # fmt: skip
def test_items_have_fields_of_their_own(
    items: str, fields: dict[str, str], kind: str, found: list[dict[str, Any]]
) -> None:
    rules = {name: FieldConfig(select) for name, select in fields.items()}
    sites = [
        SiteConfig("glob:https://shop.example/p/*", rules, items),
        SiteConfig("other", rules, items),
    ]
    body = JSON if kind.endswith("json") else HTML
    assert Fields({}, sites).items(document(body, kind)) == found
    assert Fields({}, sites).extract(document(body, kind)) == {}


def test_a_site_adds_its_fields_to_those_of_all_pages() -> None:
    fields = Fields(
        {"a": {"select": "css:h1"}, "b": {"select": "css:h1"}},
        [
            {"match": "/p/", "fields": {"b": {"select": "css:h2"}}},
            {"match": "/q/", "fields": {"c": {"select": "css:h2"}}},
        ],
    )
    assert fields.extract(document()) == {"a": "Hello world", "b": "A"}


@pytest.mark.parametrize(
    "text",
    ["now", "today", "yesterday", "2 hours ago", "in 3 days", "5 min", "vor 2 Stunden",
     "il y a 2 jours", "tomorrow", "last week", "Monday", "12:30", "12"],
)  # fmt: skip
def test_a_date_is_one_whenever_it_is_read(text: str) -> None:
    assert value("css:p", f"<p>{text}", type="date") is None


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_a_date_does_not_depend_on_the_machine(
    monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        dates = [
            value("css:p", f"<p>{text}", type="date")
            for text in ("1700000000", "12 March 2024 10:00 EST", "12 March 2024 10:00")
        ]
    time.tzset()
    assert dates == [
        "2023-11-14T22:13:20", "2024-03-12T10:00:00-05:00", "2024-03-12T10:00:00"
    ]  # fmt: skip


def test_a_value_has_a_size_that_is_one_of_a_value() -> None:
    fits, large = "x" * MAX_VALUE, "é" * (MAX_VALUE // 2 + 1)
    assert value("css:p", f"<p>{fits}") == fits
    for select, body, more in (
        ("css:p::text", f"<p>{large}", {}),
        ("css:p", f"<p>a<p>{large}", {"many": True}),
        ("xpath://p/@x", f"<p x={large}>", {}),
    ):
        with pytest.raises(FieldFailure, match=r"'field': .*1,048,57[78] bytes; more"):
            value(select, body, **more)
    body = f'{{"a": {{"b": "{fits}"}}}}'
    with pytest.raises(FieldFailure, match="'field': json:a finds a value of 1,04"):
        value("json:a", body, "application/json", type="object")
    assert value("css:p", f"<p>a<p>{large}") == "a"  # only the first one is wanted


def field(type: str, **more: Any) -> dict[str, FieldConfig]:
    return {"x": FieldConfig("css:p", type=type, **more)}  # type: ignore[arg-type]


def test_a_field_has_one_type_on_all_sites() -> None:
    sites = [SiteConfig("a", field("int")), SiteConfig("b", field("float"))]
    assert repr(zeros({}, sites, [])) == "{'x': 0.0}"
    assert zeros(field("list"), [SiteConfig("a", field("str", many=True))], [])
    assert zeros(field("str"), [SiteConfig("a", field("date"))], []) == {"x": ""}
    for one, other, message in (
        (
            "int",
            field("str"),
            r"'x' is int in \[\[site\]\] 1 and str in \[\[site\]\] 2",
        ),
        ("bool", field("int"), "bool in .* and int in"),
        ("int", field("int", many=True), r"int in .* and int \(many\) in"),
    ):
        with pytest.raises(RuleError, match=message):
            zeros(
                {}, [SiteConfig("a", field(one)), SiteConfig("b", other, "css:p")], []
            )
    api = ApiConfig("http://h/", fields=field("int"))
    with pytest.raises(RuleError, match=r"str in \[fields\] and int in \[\[api\]\] 1"):
        zeros(field("str"), [], [api])


def test_a_required_field_that_is_missing_is_named() -> None:
    with pytest.raises(FieldFailure, match=r"field 'field' is required.*css:\.nothing"):
        value("css:.nothing", required=True)
    with pytest.raises(FieldFailure, match="required"):  # there, and no number
        value("css:h1", type="int", required=True)
    rules = {"n": FieldConfig("css:em", required=True)}
    with pytest.raises(FieldFailure, match="item 1: field 'n' is required"):
        Fields({}, [SiteConfig(".", rules, "css:.product")]).items(document())


@pytest.mark.parametrize(
    ("select", "message"),
    [
        ("css:h1[", r"css: 'h1\[': Expected"),
        ("h1::text", "write SOURCE:EXPRESSION, as in css:h1::text"),
        ("cs:h1", "did you mean 'css'"),
        ("xpath://a[", r"xpath: '//a\['"),
        ("xpath:nonsense(", "xpath"),
        ("json:a.", "json: 'a.'"),
        ("jsonld:Product.[", "json: "),
        ("re:(", r"missing \)"),
        ("url:(?=a)", "RE2 has no lookaround"),
        ("meta:", "there is nothing behind meta:"),
        ("css:h1 | stripp", "there is no pipe 'stripp'; did you mean 'strip'"),
        ("json:a | lowr", "there is no pipe 'lowr'; did you mean 'lower'"),
        ("css:h1 | replace('x')", "replace: takes 2 arguments, not 1"),
        ("css:h1 | join(', '", "bracket is not closed"),
        ("css:h1 | re('(')", "missing"),
    ],
)
def test_a_selector_that_cannot_be_understood_is_refused(
    select: str, message: str
) -> None:
    with pytest.raises(RuleError, match=f"field 'price': .*{message}"):
        compile_rules({"price": FieldConfig(select)})


def test_a_default_has_the_type_of_its_field() -> None:
    assert value("css:.nothing", type="int", default=0) == 0
    with pytest.raises(RuleError, match="default: 'none' is no int"):
        compile_rules({"n": FieldConfig("css:i", type="int", default="none")})


def test_items_without_fields_are_refused() -> None:
    with pytest.raises(RuleError, match="items without fields"):
        Fields({}, [{"match": ".", "items": "css:p"}])
    with pytest.raises(RuleError, match=r"write css:.*xpath:.*json:"):
        Fields({}, [{"match": ".", "items": "p", "fields": {"a": {"select": "url:"}}}])


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,234.50", 1234.5), ("1.234,50", 1234.5), ("1 234", 1234.0), ("-3", -3.0),
        ("1,234", 1234.0), ("12,5", 12.5), ("1,234,567", 1234567.0), ("0.5 kg", 0.5),
        ("1.234.567", 1234567.0), ("CHF 1'200.00", 1200.0), ("\u22125", -5.0),
        ("none", None), ("", None), (True, 1.0), (3, 3.0), ([], None),
    ],
)  # fmt: skip
def test_numbers_are_read_as_people_write_them(text: Any, number: float | None) -> None:
    assert to_float(text) == number


def test_only_a_whole_number_is_an_int() -> None:
    found = [to_int(text) for text in ("20 pcs", "1,234", "12.5", "x", 7, 10**30)]
    assert found == [20, 1234, None, None, 7, 10**30]
    assert [to_bool(text) for text in ("Yes", "0", "perhaps", 2, None)] == [
        True,
        False,
        None,
        True,
        None,
    ]


def test_the_schema_line_has_a_typed_zero_of_each_field() -> None:
    fields = {
        "s": FieldConfig("url:"),
        "n": FieldConfig("url:", type="int", many=True),
        "l": FieldConfig("url:", type="list"),
    }
    sites = [SiteConfig(".", {"p": FieldConfig("url:", type="price")})]
    apis = [ApiConfig("http://h/", fields={"a": FieldConfig("json:a", type="float")})]
    assert zeros(fields, sites, apis) == {
        "s": "", "n": [0], "l": [""], "p": 0.0, "a": 0.0
    }  # fmt: skip


def test_a_deep_tree_costs_no_recursion() -> None:
    deep = "<div>" * 200 + "<h1>x<b>" + "<i>" * 200 + "y"
    assert value("css:h1", deep) == "xy"


HUGE = "1" + "0" * 400


@pytest.mark.parametrize(
    ("number", "kind", "expected"),
    [
        (HUGE, "float", None), (HUGE, "int", None), (HUGE + "0" * 5000, "str", None),
        ("NaN", "float", None), ("NaN", "str", None), ("-Infinity", "float", None),
        ("1e999", "float", None), ("1e999", "int", None),
        ("9223372036854775807", "int", 2**63 - 1), ("9223372036854775808", "int", None),
        ("-9223372036854775808", "int", -(2**63)),
        ("9223372036854775808", "float", 2.0**63),
    ],
)  # fmt: skip
def test_a_number_that_no_record_can_hold_costs_only_its_own_field(
    number: str, kind: str, expected: object
) -> None:
    body = f'{{"n": {number}, "name": "kept"}}'
    assert value("json:n", body, "application/json", type=kind) == expected
    assert value("json:name", body, "application/json") == "kept"
    html = f'<script type="application/ld+json">{body}</script>'
    assert value("jsonld:n", html, type=kind) == expected
    assert value("jsonld:name", html) == "kept"


def test_a_text_with_a_number_beyond_its_type_has_no_value() -> None:
    nines = f"<p>{'9' * 400}</p>"
    assert value("css:p", nines, type="float") is None
    assert value("css:p", nines, type="int") is None
    assert value("css:p | int", f"<p>{2**63}</p>") is None
    assert value("css:p", "<p>9007199254740993</p>", type="int") == 2**53 + 1
    assert value('xpath:number("x")', nines) is None
    assert value("xpath:1 div 0", nines, type="float") is None


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"a\ud800b", "a\ufffdb"),
        (r"\udfff", "\ufffd"),
        (r"\ud83d\ude00", "\U0001f600"),
        (r"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (r"\\ud800", r"\ud800"),
        (r"\u0000\n", "\0\n"),
    ],
)
def test_a_lone_surrogate_of_json_is_a_replacement_character(
    written: str, read: str
) -> None:
    body = f'{{"t": "{written}"}}'
    assert value("json:t", body, "application/json") == read
    assert value("json:@", body, "application/json", type="object") == {"t": read}


def test_a_list_of_json_ld_costs_time_in_proportion_and_keeps_its_order() -> None:
    body = ",".join(["[]"] * 200_000 + ['{"n": 1}', '[{"n": 2}]', '{"n": 3}'])
    html = f'<script type="application/ld+json">[{body}]</script>'
    began = process_time()
    assert value("jsonld:n", html, type="int", many=True) == [1, 2, 3]
    assert process_time() - began < 5  # it took minutes


def test_a_pipe_makes_no_more_values_than_a_field_may_have() -> None:
    found = value("css:p | split", f"<p>{'a ' * 20_000}</p>", many=True)
    assert len(found) == 10_000
    with pytest.raises(RuleError, match="split: its text is empty"):
        compile_rules({"f": FieldConfig('css:p | split("")')})
