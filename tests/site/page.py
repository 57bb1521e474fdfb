"""A page of the fixture site: its path, its handler, the outcome of a correct fetch."""

from __future__ import annotations

from dataclasses import dataclass

from tests.site.server import Exchange, Handler


@dataclass(frozen=True)
class Expect:
    """The outcome for one URL, with the limits of `tests.site.fixtures.LIMITS`.

    Either a response (`status`, `body` if it matters, `truncated`) or a failure
    (`code`, `stage`).
    """

    status: int | None = 200
    body: bytes | None = None
    truncated: bool = False
    code: str | None = None
    stage: str | None = None
    seconds: float = 2.0
    """The fetch takes at most this long."""
    megabytes: float = 12.0
    """The fetch takes at most this much memory, extraction and a 2 MB body included."""


@dataclass(frozen=True)
class Page:
    """`path` begins with the page's name; the index links to it as it is here."""

    path: str
    answer: Handler
    expect: Expect | None = None
    """None: not for a single fetch (it never ends, or is about extraction)."""
    listed: bool = True
    """Whether the index links to it."""

    @property
    def name(self) -> str:
        return self.path.partition("?")[0].lstrip("/").partition("/")[0]


def ok(body: bytes | None = None, status: int = 200) -> Expect:
    return Expect(status=status, body=body)


def truncated_at_limit(body: bytes | None = None) -> Expect:
    return Expect(body=body, truncated=True)


def fails(code: str, stage: str, seconds: float = 2.0) -> Expect:
    return Expect(status=None, code=code, stage=stage, seconds=seconds)


def raw(*parts: bytes, pause: float = 0.0) -> Handler:
    """Send these bytes as they are, and close."""

    def answer(exchange: Exchange) -> None:
        exchange.raw(*parts, pause=pause)
        exchange.close()

    return answer


def keep_open(*parts: bytes) -> Handler:
    """Send these bytes as they are, and leave the connection open."""

    def answer(exchange: Exchange) -> None:
        exchange.raw(*parts)

    return answer


def endless(start: bytes, part: bytes, pause: float = 0.0) -> Handler:
    """Send `start`, and then `part` until the client closes."""

    def answer(exchange: Exchange) -> None:
        exchange.raw(start)
        while True:
            exchange.raw(part)
            exchange.sleep(pause)

    return answer


def reply(
    body: bytes | str = b"",
    content_type: str = "text/html",
    *,
    status: int = 200,
    headers: tuple[tuple[str, str], ...] = (),
) -> Handler:
    """Send a well-formed response."""

    def answer(exchange: Exchange) -> None:
        exchange.reply(body, content_type, status=status, headers=headers)

    return answer
