"""conditional: what changed, and the rest, by table and against the fixture site."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crawler.http.client import Client
from crawler.http.conditional import Validators, if_changed, joined, the_rest, validators_of
from crawler.records import Request, Response, Timings
from tests.site.fixtures import LIMITS
from tests.site.server import Site

OLD, NEW = "Wed, 01 Jan 2025 00:00:00 GMT", "Wed, 01 Jan 2025 00:00:59 GMT"
LATER = "Wed, 01 Jan 2025 00:01:00 GMT"


def response(status: int = 200, body: bytes = b"", **headers: str) -> Response:
    fields = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    coding = headers.get("content_encoding")
    return Response("http://a.example/", status, "", "1.1", fields, body, 0, Timings(0), None,
                    False, coding)  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, Validators()),
        ({"etag": '"a"'}, Validators('"a"')),
        ({"etag": 'W/"a"'}, Validators('W/"a"')),
        ({"etag": '""'}, Validators('""')),
        ({"etag": "bare"}, Validators()),
        ({"etag": '"a" b"'}, Validators()),
        ({"etag": 'w/"a"'}, Validators()),
        ({"last_modified": OLD}, Validators(None, OLD)),
        ({"last_modified": "yesterday"}, Validators()),
        ({"last_modified": "0"}, Validators()),
        ({"last_modified": "Wed, 01 Jan 2025 00:00:00"}, Validators()),
        ({"last_modified": "Wed, 01 Jan 99999 00:00:00 GMT"}, Validators()),
    ],
)
def test_validators(headers: dict[str, str], expected: Validators) -> None:
    assert validators_of(response(**headers)) == expected


@pytest.mark.parametrize(
    ("validators", "if_range"),
    [
        (Validators(), None),
        (Validators('"a"'), '"a"'),
        (Validators('W/"a"'), None),
        (Validators('W/"a"', OLD, LATER), None),
        (Validators(None, OLD), None),
        (Validators(None, OLD, NEW), None),
        (Validators(None, OLD, LATER), OLD),
    ],
)
def test_the_rest_is_asked_for_by_a_strong_validator(
    validators: Validators, if_range: str | None
) -> None:
    headers = the_rest(validators, 100)
    assert (headers and dict(headers)["If-Range"]) == if_range
    assert the_rest(validators, 0) is None


@pytest.mark.parametrize(
    ("answer", "whole"),
    [
        (response(206, b"def", content_range="bytes 3-5/6"), b"abcdef"),
        (response(206, b"cdef", content_range="bytes 2-5/6"), b"abcdef"),
        (response(206, b"def", content_range="bytes 3-5/*"), b"abcdef"),
        (response(200, b"whole"), b"whole"),
        (response(206, b"def", content_range="bytes 4-6/7"), None),
        (response(206, b"de", content_range="bytes 3-5/6"), None),
        (response(206, b"def", content_range="bytes 3-5/9"), None),
        (response(206, b"def", content_range="lines 3-5/6"), None),
        (response(206, b"def", content_range="bytes */6"), None),
        (response(206, b"def"), None),
        (response(206, b"def", content_range="bytes 3-5/6", content_encoding="gzip"), None),
        (response(416, b"", content_range="bytes */3"), None),
    ],
)
def test_parts_are_joined_if_they_fit(answer: Response, whole: bytes | None) -> None:
    assert joined(b"abc", answer) == whole


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client(LIMITS, named_hosts={"127.0.0.1"})
    yield client
    client.close()


def test_what_has_not_changed_is_not_sent_again(client: Client, site: Site) -> None:
    url = site.base + "/cached"
    first = client.fetch(Request(url))
    again = client.fetch(Request(url, headers=tuple(if_changed(validators_of(first)))))
    assert (first.status, again.status, again.body) == (200, 304, b"")


def test_the_rest_of_a_body(client: Client, site: Site) -> None:
    url = site.base + "/ranges"
    first = client.fetch(Request(url))
    headers = the_rest(validators_of(first), 100)
    assert headers is not None
    rest = client.fetch(Request(url, headers=tuple(headers)))
    assert rest.status == 206
    assert joined(first.body[:100], rest) == first.body
    changed = the_rest(Validators('"another"'), 100)
    assert changed is not None
    whole = client.fetch(Request(url, headers=tuple(changed)))
    assert (whole.status, joined(b"x" * 100, whole)) == (200, first.body)
