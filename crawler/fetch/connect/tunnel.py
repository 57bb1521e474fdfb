"""Opens a tunnel through a proxy: CONNECT and SOCKS5 on a socket to the proxy.

Every reply of the proxy is bounded, and nothing beyond it is read, because the next
byte belongs to the target.
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

MAX_REPLY = 16 * 2**10


def open_tunnel(
    sock: socket, proxy: Proxy, host: str, port: int, user_agent: str
) -> None:
    """Make the proxy connect `sock` to `host`:`port`. Raises ProxyFailure."""
    try:
        if proxy.scheme == "http":
            _connect(sock, proxy, host, port, user_agent)
        else:
            _socks(sock, proxy, host, port)
    except OSError as error:
        raise ProxyFailure(f"proxy {proxy.key}: {error.strerror or error}") from None


def _connect(sock: socket, proxy: Proxy, host: str, port: int, user_agent: str) -> None:
    sock.sendall(connect_head(proxy, host, port, user_agent))
    reply = b""
    while not reply.endswith((b"\n\r\n", b"\n\n")):
        if len(reply) >= MAX_REPLY:
            raise ProxyFailure(f"proxy {proxy.key}: a reply to CONNECT without end")
        # One byte at a time, because what follows the reply belongs to the target.
        reply += _receive_exactly(sock, 1, proxy)
    reader = ResponseReader("HEAD", MAX_REPLY, 0)
    try:
        reader.feed(reply)
    except Failure as failure:
        raise ProxyFailure(f"proxy {proxy.key}: {failure.message}") from None
    if not 200 <= reader.status < 300:
        raise proxy_error(proxy, reader.status, reader.reason)


def proxy_error(proxy: Proxy, status: int, reason: str) -> ProxyFailure:
    """The failure that a proxy's own response with `status` stands for."""
    if status == 407:
        problem = (
            "rejected the credentials" if proxy.credentials else "requires credentials"
        )
        return ProxyFailure(f"proxy {proxy.key} {problem} (407)", status=status)
    return ProxyFailure(
        f"proxy {proxy.key} answered {status} {reason[:100]}".rstrip(), status=status
    )


def _socks(sock: socket, proxy: Proxy, host: str, port: int) -> None:
    sock.sendall(socks_greeting(proxy))
    version, method = _receive_exactly(sock, 2, proxy)
    if version != 5:
        raise ProxyFailure(f"proxy {proxy.key} does not speak SOCKS5")
    if method == 2 and proxy.credentials is not None:
        sock.sendall(socks_login(proxy.credentials))
        if _receive_exactly(sock, 2, proxy)[1] != 0:
            raise ProxyFailure(f"proxy {proxy.key} rejected the credentials")
    elif method != 0:
        raise ProxyFailure(f"proxy {proxy.key} requires credentials")
    sock.sendall(socks_request(host, port))
    _, reply, _, kind = _receive_exactly(sock, 4, proxy)
    if reply != 0:
        reason = SOCKS_REPLIES.get(reply, f"reply {reply}")
        raise ProxyFailure(f"proxy {proxy.key}: {host}:{port}: {reason}")
    size = {1: 4, 4: 16}.get(kind) or _receive_exactly(sock, 1, proxy)[0]
    _receive_exactly(sock, size + 2, proxy)  # the proxy's own address, not needed


def _receive_exactly(sock: socket, size: int, proxy: Proxy) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise ProxyFailure(f"proxy {proxy.key} closed the connection")
        data += piece
    return data
