"""One exchange as people want to see it, like `curl -v`: what was sent, to whom, what
came, when.

No I/O. Secrets are blanked before anything leaves this file: credentials and cookies,
in both directions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from msgspec import Struct

from crawler.model.errors import Failure
from crawler.model.http import Header, Response, Timings
from crawler.model.redact import REDACTED, is_secret

_MAX_VALUE = 2000


class Peer(Struct, frozen=True):
    """Who is at the other end of a connection."""

    address: str
    proxy: str | None = None
    """Key of the proxy that the address is of."""
    reused: bool = False
    tls: tuple[str, ...] = ()
    """Version, cipher, certificate; a line each. Empty without TLS."""


class Exchange(Struct, frozen=True):
    """One request and what came of it; `peer` is None if nobody was reached."""

    origin: str
    head: bytes
    """As it was sent, or was to be sent. With its secrets: show `request_headers`."""
    peer: Peer | None
    timings: Timings
    response: Response | None = None
    failure: Failure | None = None
    secret: Collection[str] = ()
    """Names of headers, in lower case, that hold secrets beside those that look so."""

    @property
    def request_line(self) -> str:
        return self.head.partition(b"\r\n")[0].decode("latin-1")

    @property
    def url(self) -> str:
        target = self.request_line.split(" ")[1]
        return self.origin + target if target.startswith("/") else target

    @property
    def request_headers(self) -> list[Header]:
        """Without their secrets."""
        lines = self.head.decode("latin-1").split("\r\n")[1:-2]
        return self._blanked(
            (name, value) for name, _, value in (x.partition(": ") for x in lines)
        )

    @property
    def response_headers(self) -> list[Header]:
        """Without their secrets."""
        return [] if self.response is None else self._blanked(self.response.headers)

    def _blanked(self, headers: Iterable[Header]) -> list[Header]:
        return [(name, redact(name, value, self.secret)) for name, value in headers]


def render(exchange: Exchange) -> Iterator[str]:
    """The exchange, a line at a time: `*` about it, `>` sent, `<` received."""
    yield f"* {exchange.origin}"
    if exchange.peer is not None:
        yield f"* {_way(exchange.peer)}"
        yield from (f"* {line}" for line in exchange.peer.tls)
        yield f"> {exchange.request_line}"
        yield from (f"> {name}: {value}" for name, value in exchange.request_headers)
    response = exchange.response
    if response is not None:
        yield f"< HTTP/{response.http_version} {_status(response)}"
        yield from (f"< {name}: {value}" for name, value in exchange.response_headers)
        yield f"* {_size(response)}"
    if response is None:
        yield f"* {_failure(exchange.failure)}"
    yield "* " + _times(exchange.timings)


def brief(exchange: Exchange) -> list[str]:
    """The exchange in three lines, for where there are many: all about it, all sent,
    all received.

    Of an exchange that was none, one line.
    """
    peer, response = exchange.peer, exchange.response
    about = [_failure(exchange.failure)] if response is None else _came(response)
    if peer is not None:
        about += [_way_briefly(peer), *peer.tls[:1]]
    about.append(_times_briefly(exchange.timings))
    method = exchange.request_line.partition(" ")[0]
    lines = [f"* {method} {exchange.url}  {'; '.join(about)}"]
    if peer is not None:
        lines.append(f"> {_in_one_line(exchange.request_headers)}")
    if response is not None:
        lines.append(f"< {_in_one_line(exchange.response_headers)}")
    return lines


def _in_one_line(headers: list[Header]) -> str:
    return "  ".join(f"{name}: {value}" for name, value in headers)


def _came(response: Response) -> list[str]:
    size = f"{response.wire_bytes:,} bytes"
    if len(response.body) != response.wire_bytes:
        size += f", {len(response.body):,} decoded"
    return [_status(response), f"{size}, cut there" if response.truncated else size]


def _way_briefly(peer: Peer) -> str:
    by = f" by {peer.proxy}" if peer.proxy else ""
    return f"{peer.address}{by}, {'used before' if peer.reused else 'new connection'}"


def _way(peer: Peer) -> str:
    how = "the connection used before" if peer.reused else "a new connection"
    by = f", by the proxy {peer.proxy}" if peer.proxy else ""
    return f"{how} to {peer.address}{by}"


def _status(response: Response) -> str:
    return f"{response.status} {response.reason}".rstrip()


def _size(response: Response) -> str:
    cut = ", cut there" if response.truncated else ""
    return f"{response.wire_bytes:,} bytes of body, {len(response.body):,} decoded{cut}"


def _failure(failure: Failure | None) -> str:
    if failure is None:  # whoever waited for it had enough
        return "given up before its end"
    return f"failed ({failure.code}, {failure.at_stage}): {failure.message}"


def redact(name: str, value: str, secret: Collection[str] = ()) -> str:
    """The value of a header without its secrets: schemes of credentials, names of
    cookies stay.

    `secret`: further names that hold one, in lower case.
    """
    kind = name.lower()
    if kind == "set-cookie":
        cookie, semicolon, rest = value.partition(";")
        shown = _cookie(cookie) + semicolon + rest
    elif kind == "cookie":
        shown = "; ".join(map(_cookie, value.split(";")))
    elif kind in secret or is_secret(kind):
        words = value.split(maxsplit=1)
        scheme = kind.endswith("authorization") and len(words) > 1
        shown = f"{words[0]} {REDACTED}" if scheme else REDACTED
    else:
        shown = value
    return shown[:_MAX_VALUE]


def _cookie(pair: str) -> str:
    """A cookie without a name is all value."""
    name, equals, _ = pair.partition("=")
    return f"{name.strip()}={REDACTED}" if equals else REDACTED


def _phases(timings: Timings) -> dict[str, int]:
    """Those that took place, milliseconds."""
    phases = {
        "name": timings.dns_ms,
        "connect": timings.connect_ms,
        "tls": timings.tls_ms,
        "first byte": timings.ttfb_ms,
        "download": timings.download_ms,
    }
    return {name: took for name, took in phases.items() if took is not None}


def _times(timings: Timings) -> str:
    phases = _phases(timings) | {"total": timings.fetch_ms}
    return ", ".join(f"{name} {took} ms" for name, took in phases.items())


def _times_briefly(timings: Timings) -> str:
    phases = ", ".join(f"{name} {took}" for name, took in _phases(timings).items())
    return f"{timings.fetch_ms} ms ({phases})" if phases else f"{timings.fetch_ms} ms"


def certificate_lines(
    version: str, cipher: str, resumed: bool, certificate: Any
) -> tuple[str, ...]:
    """What is worth telling of a TLS connection; `certificate` as `getpeercert()` gives
    it."""
    again = ", session resumed" if resumed else ""
    lines = [f"{version}, {cipher}{again}"]
    if certificate:
        subject, issuer = (
            _name(certificate.get(key, ())) for key in ("subject", "issuer")
        )
        names = [value for _, value in certificate.get("subjectAltName", ())]
        more = f" and {len(names) - 4} more" if len(names) > 4 else ""
        lines.append(f"certificate of {subject or ', '.join(names[:1])}, by {issuer}")
        lines.append(
            f"valid until {certificate.get('notAfter')}, for {', '.join(names[:4])}{more}"
        )
    else:
        lines.append("its certificate was not verified")
    return tuple(lines)


def _name(parts: Any) -> str:
    fields = dict(pair for part in parts for pair in part)
    return str(fields.get("commonName") or fields.get("organizationName") or "")
