"""An exchange as text, like `curl -v`: peer, request, response and timings. No I/O.

Secrets are redacted before anything leaves this file: credentials and cookies, in both
directions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from crawler.model.errors import Failure
from crawler.model.http import Exchange, Header, Peer, Response, Timings, TlsInfo
from crawler.model.redact import redact
from crawler.model.units import counted
from crawler.model.url import origin


def render(exchange: Exchange) -> Iterator[str]:
    """Yield the lines of an exchange: `*` facts, `>` sent, `<` received."""
    yield f"* {origin(exchange.url)}"
    if exchange.peer is not None:
        yield f"* {_peer(exchange.peer)}"
        yield from (f"* {line}" for line in tls_lines(exchange.peer.tls))
        yield f"> {request_line(exchange)}"
        yield from (f"> {name}: {value}" for name, value in request_headers(exchange))
    response = exchange.response
    if response is not None:
        yield f"< HTTP/{response.http_version} {_status(response)}"
        yield from (f"< {name}: {value}" for name, value in response_headers(exchange))
        yield f"* {_size(response)}"
        if response.tolerated:
            yield f"* tolerated: {', '.join(response.tolerated)}"
    if response is None:
        yield f"* {_failure(exchange.failure)}"
    yield "* " + _times(exchange.timings)


def brief(exchange: Exchange) -> list[str]:
    """Return an exchange in three lines: the facts, all sent, all received.

    A request without a connection has only the first line.
    """
    peer, response = exchange.peer, exchange.response
    about = (
        [_failure(exchange.failure)]
        if response is None
        else _response_briefly(response)
    )
    if peer is not None:
        about += [_peer_briefly(peer), *tls_lines(peer.tls)[:1]]
    about.append(_times_briefly(exchange.timings))
    lines = [f"* {exchange.method} {exchange.url}  {'; '.join(about)}"]
    if peer is not None:
        lines.append(f"> {_in_one_line(request_headers(exchange))}")
    if response is not None:
        lines.append(f"< {_in_one_line(response_headers(exchange))}")
    return lines


def _in_one_line(headers: list[Header]) -> str:
    return "  ".join(f"{name}: {value}" for name, value in headers)


def _response_briefly(response: Response) -> list[str]:
    size = counted(response.wire_bytes, "byte")
    if response.size != response.wire_bytes:
        size += f", {response.size:,} decoded"
    return [_status(response), f"{size}, truncated" if response.truncated else size]


def _peer_briefly(peer: Peer) -> str:
    by = f" through {peer.proxy}" if peer.proxy else ""
    how = "reused connection" if peer.reused else "new connection"
    return f"{peer.address}{by}, {how}"


def _peer(peer: Peer) -> str:
    how = "reused connection" if peer.reused else "new connection"
    by = f", through the proxy {peer.proxy}" if peer.proxy else ""
    return f"{how} to {peer.address}{by}"


def _status(response: Response) -> str:
    return f"{response.status} {response.reason}".rstrip()


def _size(response: Response) -> str:
    cut = ", truncated" if response.truncated else ""
    received = counted(response.wire_bytes, "byte")
    return f"{received} of body, {response.size:,} decoded{cut}"


def _failure(failure: Failure | None) -> str:
    if failure is None:  # interrupted by its deadline, or from outside
        return "cancelled"
    return f"failed ({failure.code}, {failure.at_stage}): {failure.message}"


def _phases(timings: Timings) -> dict[str, int]:
    """The phases that took place (milliseconds)."""
    phases = {
        "dns": timings.dns_ms,
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


def tls_lines(tls: TlsInfo | None) -> tuple[str, ...]:
    """Version and cipher, then the certificate, as lines; () without TLS."""
    if tls is None:
        return ()
    again = ", session resumed" if tls.resumed else ""
    weak = " (weak)" if tls.weak else ""
    return f"{tls.version}, {tls.cipher}{weak}{again}", *_certificate(tls.certificate)


def _certificate(certificate: Mapping[str, Any]) -> tuple[str, ...]:
    if not certificate:
        return ("certificate not verified",)
    subject, issuer = (_name(certificate.get(key, ())) for key in ("subject", "issuer"))
    names = [value for _, value in certificate.get("subjectAltName", ())]
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return (
        f"certificate of {subject or ', '.join(names[:1])}, issued by {issuer}",
        f"valid until {certificate.get('notAfter')}, for {', '.join(names[:4])}{more}",
    )


def request_line(exchange: Exchange) -> str:
    return exchange.request_head.partition(b"\r\n")[0].decode("latin-1")


def request_headers(exchange: Exchange) -> list[Header]:
    """The headers that were sent, redacted."""
    lines = exchange.request_head.decode("latin-1").split("\r\n")[1:-2]
    pairs = (line.partition(": ") for line in lines)
    return _redacted(((name, value) for name, _, value in pairs), exchange)


def response_headers(exchange: Exchange) -> list[Header]:
    """The headers that were received, redacted."""
    response = exchange.response
    return [] if response is None else _redacted(response.headers, exchange)


def _redacted(headers: Iterable[Header], exchange: Exchange) -> list[Header]:
    secret = exchange.secret_headers
    return [(name, redact(name, value, secret)) for name, value in headers]


def _name(parts: Any) -> str:
    fields = dict(pair for part in parts for pair in part)
    return str(fields.get("commonName") or fields.get("organizationName") or "")
