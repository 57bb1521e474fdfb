"""What passes between the crawl and its extraction process.

Each message is a frame on a socket pair: its length in eight bytes (big-endian), then
that many bytes of MessagePack. The process sends one Answer when it is ready, and then
one for each Order; it never has more than one Order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct
from msgspec.msgpack import Encoder

from crawler.model.reasons import ErrorCode

_HEADER_BYTES = 8
MAX_ANSWER = 64 * 2**20
"""The maximum size of an answer (bytes).

The process is not trusted: it has read untrusted bytes. The size of an order is limited
only by `http.max_body` and by the memory of the process.
"""

OUT_OF_MEMORY = 71
"""The exit status of a process that reached its memory limit."""


class ChildSettings(Struct, frozen=True):
    """The command line of the process."""

    path: list[str]
    """`sys.path` of the crawl, so that both find the same modules."""
    fd: int
    """Descriptor of its end of the socket pair."""
    parent: int
    """Process id of the crawl."""
    memory_bytes: int
    cpu_s: float
    tasks: Mapping[str, str]
    """Where each task is found, `module:function`, by the task's name."""


class Order(Struct, frozen=True, array_like=True):
    """Run the task of that name."""

    task: str
    payload: bytes


class Answer(Struct, frozen=True, array_like=True):
    """What came of an order: the task's result, or a failure's code and message."""

    result: bytes = b""
    code: ErrorCode | None = None
    message: str = ""


_encode = Encoder().encode


def frame(message: Order | Answer) -> bytes:
    """The bytes of the message on the stream."""
    content = _encode(message)
    return len(content).to_bytes(_HEADER_BYTES, "big") + content


def read_frame(
    recv_into: Callable[[memoryview], int], limit: int | None = None
) -> bytearray:
    """The content of the next frame; `recv_into` is a socket's.

    Raises EOFError at the end of the stream, ValueError for more than `limit` bytes.
    """
    length = int.from_bytes(_read(recv_into, _HEADER_BYTES), "big")
    if limit is not None and length > limit:
        raise ValueError(f"a message of {length} bytes, more than {limit}")
    return _read(recv_into, length)


def _read(recv_into: Callable[[memoryview], int], length: int) -> bytearray:
    content = bytearray(length)
    rest = memoryview(content)
    while rest:
        received = recv_into(rest)
        if not received:
            raise EOFError
        rest = rest[received:]
    return content
