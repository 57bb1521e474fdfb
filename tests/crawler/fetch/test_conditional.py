"""conditional: revalidation and resumption, in tables and with the fixture site."""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.fetch.client import Client
from crawler.fetch.conditional import (
    MIN_PART,
    OVERLAP,
    PartialResponse,
    conditional_headers,
    extend,
    merge,
    resumable,
    resume_range,
    updated_validators,
    validators_match,
    validators_of,
)
from crawler.model.http import Request, Response, Timings, Validators
from tests.site.fixtures import LIMITS
from tests.site.server import Site
from tests.site.statuses import ETAG

OLD, NEW = "Wed, 01 Jan 2025 00:00:00 GMT", "Wed, 01 Jan 2025 00:00:59 GMT"
LATER = "Wed, 01 Jan 2025 00:01:00 GMT"


def response(status: int = 200, body: bytes = b"", **headers: str) -> Response:
    fields = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    coding = headers.get("content_encoding")
    return Response("http://a.example/", status, "", "1.1", fields, body, 0, Timings(0),
                    None, False, coding)  # fmt: skip


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
    ("validators", "expected"),
    [
        (Validators(), {}),
        (Validators('"a"'), {"If-None-Match": '"a"'}),
        (Validators('W/"a"'), {"If-None-Match": 'W/"a"'}),
        (Validators(None, OLD), {"If-Modified-Since": OLD}),
        (Validators(None, OLD, LATER), {"If-Modified-Since": OLD}),
        (Validators('"a"', OLD), {"If-None-Match": '"a"', "If-Modified-Since": OLD}),
        # The response is from the second of the last change, so a later change in the
        # same second would never be noticed.
        (Validators(None, OLD, OLD), {}),
        (Validators('"a"', OLD, OLD), {"If-None-Match": '"a"'}),
    ],
)
def test_weak_validators_may_be_used_to_revalidate(
    validators: Validators, expected: dict[str, str]
) -> None:
    assert dict(conditional_headers(validators)) == expected


@pytest.mark.parametrize(
    ("asked", "said", "expected"),
    [
        (Validators('"a"'), '"a"', True),
        (Validators('W/"a"'), '"a"', True),
        (Validators('"a"'), 'W/"a"', True),
        (Validators('"a"'), None, True),
        (Validators(None, OLD), '"b"', True),
        (Validators('"a"'), '"b"', False),
    ],
)
def test_a_304_about_another_version(
    asked: Validators, said: str | None, expected: bool
) -> None:
    headers = {} if said is None else {"etag": said}
    assert validators_match(response(304, **headers), asked) is expected


def test_a_304_may_bring_better_validators() -> None:
    asked = Validators('W/"a"', OLD)
    assert updated_validators(response(304), asked) == asked
    assert updated_validators(response(304, etag='"b"', date=NEW), asked) == Validators(
        '"b"', OLD, NEW
    )


START = bytes(range(256)) * (MIN_PART // 256)
N = len(START)


def part(
    length: int | None = N + 3, start: bytes = START, **headers: str
) -> PartialResponse:
    found = resumable(response(200, start, **({"etag": '"a"'} | headers)))
    assert found is not None
    return msgspec.structs.replace(found, length=length)


@pytest.mark.parametrize(
    ("headers", "if_range"),
    [
        ({}, None),
        ({"etag": '"a"'}, '"a"'),
        ({"etag": 'W/"a"'}, None),
        ({"etag": 'W/"a"', "last_modified": OLD, "date": LATER}, None),
        ({"last_modified": OLD}, None),
        ({"last_modified": OLD, "date": NEW}, None),
        ({"last_modified": OLD, "date": LATER}, OLD),
        ({"last_modified": "Wed, 31 Feb 2025 00:00:00 GMT", "date": LATER}, None),
        ({"etag": '"a"', "accept_ranges": "none"}, None),
        ({"etag": '"a"', "accept_ranges": "bytes"}, '"a"'),
        ({"etag": '"a"', "content_encoding": "gzip"}, None),
    ],
)
def test_a_body_is_resumed_with_a_strong_validator_only(
    headers: dict[str, str], if_range: str | None
) -> None:
    found = resumable(response(200, START, **headers))
    assert (found and found.validator) == if_range
    assert resumable(response(200, START[1:], **headers)) is None
    assert resumable(response(404, START, **headers)) is None


def test_the_headers_of_a_resumed_request() -> None:
    conditions = (("If-None-Match", '"z"'), ("X-Own", "1"))
    assert resume_range(part(), conditions) == (
        ("X-Own", "1"),
        ("Range", f"bytes={N - OVERLAP}-"),
        ("If-Range", '"a"'),
        ("Accept-Encoding", "identity"),
    )


def ranged(
    first: int, last: int, total: int | str, body: bytes, **more: str
) -> Response:
    return response(206, body, content_range=f"bytes {first}-{last}/{total}", **more)


M = N - OVERLAP
"""The position at which a body is resumed."""
REST = START[M:] + b"def"


@pytest.mark.parametrize(
    ("length", "answer", "fits"),
    [
        (N + 3, ranged(M, N + 2, N + 3, REST), True),
        (N + 3, ranged(M - 1, N + 2, N + 3, START[M - 1 : M] + REST), True),
        (N + 3, ranged(0, N + 2, N + 3, START + b"def"), True),
        (N + 3, ranged(M, N + 2, "*", REST), True),
        (None, ranged(M, N + 2, N + 3, REST), True),
        (N + 3, ranged(M, N + 2, N + 3, REST, etag='"a"'), True),
        # One byte too late, one too few, one too many, another length, no known end.
        (N + 3, ranged(M + 1, N + 3, N + 4, REST), False),
        (N + 3, ranged(M, N + 2, N + 3, REST[:-1]), False),
        (N + 3, ranged(M, N + 2, N + 3, REST + b"g"), False),
        (N + 3, ranged(M, N + 2, N + 9, REST), False),
        (N + 9, ranged(M, N + 2, N + 3, REST), False),
        (None, ranged(M, N + 2, "*", REST), False),
        (N + 3, ranged(0, 2, 3, b"def"), False),
        # The bytes are from another position, or from another body.
        (N + 3, ranged(M, N + 2, N + 3, REST[1:] + b"g"), False),
        (N + 3, ranged(M, N + 2, N + 3, b"x" + REST[1:]), False),
        # Other units, no range, a coding, another version, another status.
        (N + 3, response(206, REST, content_range=f"lines {M}-{N + 2}/{N + 3}"), False),
        (N + 3, response(206, REST, content_range=f"bytes */{N + 3}"), False),
        (N + 3, response(206, REST), False),
        (N + 3, ranged(M, N + 2, N + 3, REST, content_encoding="gzip"), False),
        (N + 3, ranged(M, N + 2, N + 3, REST, etag='"b"'), False),
        (N + 3, ranged(M, N + 2, N + 3, REST, etag='W/"a"'), False),
        (N + 3, response(200, b"whole"), False),
        (N + 3, response(416, b"", content_range="bytes */3"), False),
    ],
)
def test_parts_are_merged_if_they_fit(
    length: int | None, answer: Response, fits: bool
) -> None:
    whole = merge(part(length), answer, 2 * N)
    assert (whole and whole.body) == (START + b"def" if fits else None)
    if whole is not None:
        assert (whole.status, whole.resumed, whole.truncated) == (200, True, None)


def test_a_merged_body_beyond_the_limit_is_cut() -> None:
    whole = merge(part(), ranged(M, N + 2, N + 3, REST), N + 1)
    assert whole is not None
    assert (whole.body, whole.truncated) == (START + b"d", "length")


def test_a_resumed_body_that_breaks_off_too() -> None:
    little = ranged(M, 3 * N - 1, 3 * N, START[M:] + START[:-1])
    assert extend(part(3 * N), little) is None
    more = extend(part(None), ranged(M, 3 * N - 1, 3 * N, START[M:] + START + b"x"))
    assert more is not None
    assert (more.head.body, more.length) == (START + START + b"x", 3 * N)
    assert extend(part(3 * N), response(200, START * 2)) is None


@given(
    cuts=st.lists(st.integers(0, 3 * N), max_size=3),
    back=st.integers(0, 5),
    lie=st.integers(-2, 2),
)
def test_never_a_wrong_byte(cuts: list[int], back: int, lie: int) -> None:
    """The merged body is the whole one or there is none, for any cut and response."""
    body = random.Random(1).randbytes(4 * N)
    found = resumable(response(200, body[:N], etag='"a"'))
    assert found is not None
    for cut in cuts:
        asked = dict(resume_range(found))["Range"]
        first = int(asked.removeprefix("bytes=").removesuffix("-")) - back
        answer = ranged(
            first, len(body) - 1, len(body), body[first + lie : first + cut]
        )
        whole = merge(found, answer, 5 * N)
        assert whole is None or whole.body == body
        found = extend(found, answer) or found
        assert body.startswith(found.head.body)


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client(LIMITS, named_hosts={"127.0.0.1"})
    yield client
    client.close()


def test_an_unchanged_body_is_not_sent_again(client: Client, site: Site) -> None:
    url = site.base + "/cached"
    first = client.fetch(Request(url))
    again = client.fetch(
        Request(url, headers=tuple(conditional_headers(validators_of(first))))
    )
    assert (first.status, again.status, again.body) == (200, 304, b"")


def test_the_rest_of_a_body(client: Client, site: Site) -> None:
    url = site.base + "/ranges"
    first = client.fetch(Request(url))
    known = PartialResponse(
        msgspec.structs.replace(first, body=first.body[:100]), ETAG, len(first.body)
    )
    rest = client.fetch(Request(url, headers=resume_range(known)))
    whole = merge(known, rest, 2**20)
    assert (rest.status, whole and whole.body) == (206, first.body)
    other = msgspec.structs.replace(known, validator='"another"')
    assert client.fetch(Request(url, headers=resume_range(other))).body == first.body
