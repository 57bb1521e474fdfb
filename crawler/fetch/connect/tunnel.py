"""Through a proxy to the target: CONNECT and SOCKS5 on a socket that reaches the proxy.

Every answer of the proxy is bounded, and nothing is read beyond it: the next byte is
the target's.
"""

from __future__ import annotations

from crawler.fetch.connect.proxy import (
    SOCKS_REPLIES,
    Proxy,
    connect_head,
    socks_greeting,
    socks_login,
    socks_request,
)
from crawler.fetch.http1.parser import ResponseReader
from crawler.model.errors import Failure, ProxyFailure
from hub.socket import socket

MAX_ANSWER = 16 * 2**10


def open_tunnel(
    sock: socket, proxy: Proxy, host: str, port: int, user_agent: str
) -> None:
    """Make `sock` lead to `host`. Raises ProxyFailure."""
    try:
        if proxy.scheme == "http":
            _connect(sock, proxy, host, port, user_agent)
        else:
            _socks(sock, proxy, host, port)
    except OSError as error:
        raise ProxyFailure(f"{proxy.key}: {error.strerror or error}") from None


def _connect(sock: socket, proxy: Proxy, host: str, port: int, user_agent: str) -> None:
    sock.sendall(connect_head(proxy, host, port, user_agent))
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        if len(answer) >= MAX_ANSWER:
            raise ProxyFailure(f"{proxy.key}: an answer to CONNECT without end")
        answer += _exactly(
            sock, 1, proxy
        )  # byte by byte: what follows belongs to the target
    reader = ResponseReader("HEAD", MAX_ANSWER, 0)
    try:
        reader.feed(answer)
    except Failure as failure:
        raise ProxyFailure(f"{proxy.key}: {failure.message}") from None
    if not 200 <= reader.status < 300:
        raise proxy_error(proxy, reader.status, reader.reason)


def proxy_error(proxy: Proxy, status: int, reason: str) -> ProxyFailure:
    """What a proxy's own answer means."""
    if status == 407:
        given = "wants other credentials" if proxy.credentials else "wants credentials"
        return ProxyFailure(f"{proxy.key} {given} (407)", status=status)
    return ProxyFailure(
        f"{proxy.key} answered {status} {reason[:100]}".rstrip(), status=status
    )


def _socks(sock: socket, proxy: Proxy, host: str, port: int) -> None:
    sock.sendall(socks_greeting(proxy))
    version, method = _exactly(sock, 2, proxy)
    if version != 5:
        raise ProxyFailure(f"{proxy.key} does not speak SOCKS5")
    if method == 2 and proxy.credentials is not None:
        sock.sendall(socks_login(proxy.credentials))
        if _exactly(sock, 2, proxy)[1] != 0:
            raise ProxyFailure(f"{proxy.key} wants other credentials")
    elif method != 0:
        raise ProxyFailure(f"{proxy.key} wants credentials")
    sock.sendall(socks_request(host, port))
    _, reply, _, kind = _exactly(sock, 4, proxy)
    if reply != 0:
        why = SOCKS_REPLIES.get(reply, f"reply {reply}")
        raise ProxyFailure(f"{proxy.key}: {host}:{port}: {why}")
    size = {1: 4, 4: 16}.get(kind) or _exactly(sock, 1, proxy)[0]
    _exactly(sock, size + 2, proxy)  # the proxy's own address and port: of no use


def _exactly(sock: socket, size: int, proxy: Proxy) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise ProxyFailure(f"{proxy.key} closed the connection")
        data += piece
    return data
