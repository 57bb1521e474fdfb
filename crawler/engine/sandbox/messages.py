"""What passes between the crawl and an extraction process.

Each message is a frame: its length in eight bytes (big-endian), then so many bytes. An
order is the name of its task, a zero byte and the payload, which is sent from where it
lies: the body of a page is not copied on its way. An Answer is MessagePack. There are
two socket pairs:

    data   to the process: orders. From it: one Answer when it is ready, then one for
           each order, in their order
    bell   from the process: one byte, "there are answers", or "go on, I have only a
           part of this order"; and its end

Two, because the crawl waits for the bell only. A process that has more to do keeps on
writing answers, and announces them together: each time that the crawl is woken costs it
as much as a page, since other data have displaced its own in the caches. (For a socket
on which it waits, the kernel also wakes it when the process reads an order.) What was
written before a process dies is not lost, so the first order without an answer is the
one that it died of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.msgpack import Encoder

from crawler.model.reasons import ErrorCode

_HEADER_BYTES = 8
CHUNK = 2**18
"""So many bytes are received at once."""
MAX_ANSWER = 64 * 2**20
"""The maximum size of an answer (bytes).

The process is not trusted: it has read untrusted bytes. The size of an order is limited
only by `http.max_body` and by the memory of the process.
"""
SEND_BUFFER = 4 * 2**20
"""Both sides ask the kernel for buffers of this size (bytes); it gives less."""
RING = b"\n"

OUT_OF_MEMORY = 71
"""The exit status of a process that reached its memory limit."""


class ChildSettings(Struct, frozen=True):
    """The command line of the process."""

    path: list[str]
    """`sys.path` of the crawl, so that both find the same modules."""
    data_fd: int
    bell_fd: int
    """Descriptors of its ends of the socket pairs."""
    parent: int
    """Process id of the crawl."""
    memory_bytes: int
    cpu_s: float
    tasks: Mapping[str, str]
    """Where each task is found, `module:function`, by the task's name."""


class Answer(Struct, frozen=True, array_like=True):
    """What came of an order: the task's result, or a failure's code and message."""

    result: bytes = b""
    code: ErrorCode | None = None
    message: str = ""


_encode = Encoder().encode


def order_frame(task: str, payload: Sequence[bytes]) -> list[bytes]:
    """An order on the stream, in parts; the payload is that of `payload`, joined."""
    head = task.encode() + b"\0"
    length = len(head) + sum(map(len, payload))
    return [length.to_bytes(_HEADER_BYTES, "big") + head, *payload]


def read_order(content: bytes) -> tuple[str, bytes]:
    """The task of an order, and its payload."""
    task, _, payload = content.partition(b"\0")
    return task.decode(), payload


def answer_frame(answer: Answer) -> bytes:
    """The bytes of an answer on the stream."""
    content = _encode(answer)
    return len(content).to_bytes(_HEADER_BYTES, "big") + content


class Frames:
    """Cuts a stream into the contents of its frames, whatever its parts are."""

    def __init__(self, limit: int | None = None) -> None:
        """No content may be longer than `limit` bytes."""
        self._limit = limit
        self._received = bytearray()

    def add(self, part: bytes | memoryview) -> None:
        """The stream goes on with `part`."""
        self._received += part

    @property
    def has_part(self) -> bool:
        """Whether something has arrived that was not taken."""
        return bool(self._received)

    def take(self) -> bytes | None:
        """The next content, or None if it has not arrived whole.

        Raises ValueError if it is longer than the limit.
        """
        received = self._received
        if len(received) < _HEADER_BYTES:
            return None
        length = int.from_bytes(received[:_HEADER_BYTES], "big")
        if self._limit is not None and length > self._limit:
            raise ValueError(f"a message of {length} bytes, more than {self._limit}")
        end = _HEADER_BYTES + length
        if len(received) < end:
            return None
        with memoryview(received) as view:
            content = bytes(view[_HEADER_BYTES:end])
        del received[:end]
        return content

    def __iter__(self) -> Iterator[bytes]:
        """All contents that have arrived whole. Raises as `take`."""
        while (content := self.take()) is not None:
            yield content
