"""DNS servers that answer as told, byte by byte.

They share no code with the resolver.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

A, AAAA = 1, 28
Responder = Callable[[str, int], bytes | None]


def records(*addresses: str, ttl: int = 300, rcode: int = 0) -> bytes:
    """Flags, counts and answers of a response, to be put around the question."""
    body = b""
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        packed = socket.inet_pton(family, address)
        kind = AAAA if ":" in address else A
        body += b"\xc0\x0c" + kind.to_bytes(2, "big") + b"\0\1" + ttl.to_bytes(4, "big")
        body += len(packed).to_bytes(2, "big") + packed
    flags = (0x8180 | rcode).to_bytes(2, "big")
    return flags + b"\0\1" + len(addresses).to_bytes(2, "big") + bytes(4) + b"|" + body


def respond(query: bytes, reply: Responder) -> bytes | None:
    end = query.index(b"\0", 12) + 5
    labels, position = [], 12
    while size := query[position]:
        labels.append(query[position + 1 : position + 1 + size].decode())
        position += size + 1
    response = reply(".".join(labels), int.from_bytes(query[end - 4 : end - 2], "big"))
    if response is None:
        return None
    head, _, answers = response.partition(b"|")
    return query[:2] + head + query[12:end] + answers


class NameServer:
    """A UDP server on loopback, in a thread: answers with `reply(name, kind)`.

    None means no answer at all.
    """

    def __init__(self, reply: Responder) -> None:
        self._reply = reply
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._sock.getsockname()[1]}"
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            query, sender = self._sock.recvfrom(4096)
            if self._stopping:
                return
            answer = respond(query, self._reply)
            if answer is not None:
                self._sock.sendto(answer, sender)

    def stop(self) -> None:
        self._stopping = True
        with contextlib.suppress(OSError):
            self._sock.sendto(b"", self._sock.getsockname())
        self._thread.join()
        self._sock.close()
