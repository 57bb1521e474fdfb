"""One exchange as people want to see it, like `curl -v`: what was sent, to whom, what came, when.

No I/O. Secrets are blanked before anything leaves this file: credentials and cookies, in both
directions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from crawler.errors import Failure
from crawler.http.request import SECRET
from crawler.records import Response, Timings

_DOTS = "•••"
_MAX_LINE = 2000


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
    peer: Peer | None
    timings: Timings
    response: Response | None = None
    failure: Failure | None = None


def render(exchange: Exchange) -> Iterator[str]:
    """The exchange, a line at a time: `*` about it, `>` sent, `<` received."""
    yield f"* {exchange.origin}"
    if exchange.peer is not None:
        yield from _peer(exchange.peer)
        for line in exchange.head.decode("latin-1").split("\r\n")[:-2]:
            yield "> " + blanked(line)
    if exchange.response is not None:
        yield from _response(exchange.response)
    failure = exchange.failure
    if failure is not None:
        yield f"* failed ({failure.code}, {failure.at_stage}): {failure.message}"
    yield "* " + _times(exchange.timings)


def _peer(peer: Peer) -> Iterator[str]:
    how = "the connection used before" if peer.reused else "a new connection"
    by = f", by the proxy {peer.proxy}" if peer.proxy else ""
    yield f"* {how} to {peer.address}{by}"
    yield from (f"* {line}" for line in peer.tls)


def _response(response: Response) -> Iterator[str]:
    yield f"< HTTP/{response.http_version} {response.status} {response.reason}".rstrip()
    for name, value in response.headers:
        yield "< " + blanked(f"{name}: {value}")
    cut = ", cut there" if response.truncated else ""
    yield f"* {response.wire_bytes:,} bytes of body, {len(response.body):,} decoded{cut}"


def blanked(line: str) -> str:
    """A header line without its secrets: schemes of credentials and names of cookies stay."""
    name, colon, value = line.partition(":")
    kind = name.lower()
    if kind == "set-cookie":
        cookie, _, rest = value.partition(";")
        shown = f" {cookie.partition('=')[0].strip()}={_DOTS};{rest}".rstrip(";")
    elif kind == "cookie":
        names = [pair.partition("=")[0].strip() for pair in value.split(";")]
        shown = " " + "; ".join(f"{name}={_DOTS}" for name in names)
    elif kind in SECRET or kind in _ALSO_SECRET:
        shown = f" {value.split()[0] if len(value.split()) > 1 else ''} {_DOTS}".replace("  ", " ")
    else:
        shown = value
    return (name + colon + shown)[:_MAX_LINE]


_ALSO_SECRET = frozenset({"x-api-key", "x-auth-token", "api-key", "authentication-info"})


def _times(timings: Timings) -> str:
    phases = {
        "name": timings.dns_ms,
        "connect": timings.connect_ms,
        "tls": timings.tls_ms,
        "first byte": timings.ttfb_ms,
        "download": timings.download_ms,
        "total": timings.fetch_ms,
    }
    return ", ".join(f"{name} {took} ms" for name, took in phases.items() if took is not None)


def certificate_lines(
    version: str, cipher: str, resumed: bool, certificate: Any
) -> tuple[str, ...]:
    """What is worth telling of a TLS connection; `certificate` as `getpeercert()` gives it."""
    again = ", session resumed" if resumed else ""
    lines = [f"{version}, {cipher}{again}"]
    if certificate:
        subject, issuer = (_name(certificate.get(key, ())) for key in ("subject", "issuer"))
        names = [value for _, value in certificate.get("subjectAltName", ())]
        more = f" and {len(names) - 4} more" if len(names) > 4 else ""
        lines.append(f"certificate of {subject or ', '.join(names[:1])}, by {issuer}")
        lines.append(f"valid until {certificate.get('notAfter')}, for {', '.join(names[:4])}{more}")
    else:
        lines.append("its certificate was not verified")
    return tuple(lines)


def _name(parts: Any) -> str:
    fields = dict(pair for part in parts for pair in part)
    return str(fields.get("commonName") or fields.get("organizationName") or "")
