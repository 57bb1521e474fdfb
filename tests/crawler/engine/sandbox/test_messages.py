"""crawler/engine/sandbox/messages.py: framing, whatever the stream's parts are.

A length is checked before anything is allocated.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.msgpack import decode

from crawler.engine.sandbox.messages import Answer, Order, frame, read_frame


def stream(content: bytes, *sizes: int) -> Callable[[memoryview], int]:
    """A `recv_into` that receives parts of these sizes, then single bytes."""
    rest, parts = memoryview(content), list(sizes)

    def recv_into(buffer: memoryview) -> int:
        nonlocal rest
        size = min(len(buffer), len(rest), parts.pop(0) if parts else 1)
        buffer[:size] = rest[:size]
        rest = rest[size:]
        return size

    return recv_into


@given(
    st.lists(st.tuples(st.text(max_size=9), st.binary(max_size=99)), max_size=4),
    st.lists(st.integers(1, 50), max_size=20),
)
def test_messages_arrive_whole(
    orders: list[tuple[str, bytes]], sizes: list[int]
) -> None:
    sent = [Order(task, payload) for task, payload in orders]
    recv_into = stream(b"".join(map(frame, sent)), *sizes)
    assert [decode(read_frame(recv_into), type=Order) for _ in sent] == sent
    with pytest.raises(EOFError):
        read_frame(recv_into)


def test_a_stream_that_ends_inside_a_message() -> None:
    content = frame(Answer(b"", "extract", "a message"))
    for length in range(len(content)):
        with pytest.raises(EOFError):
            read_frame(stream(content[:length]))


def test_a_length_beyond_the_limit_is_refused_before_it_is_allocated() -> None:
    content = (2**62).to_bytes(8, "big")
    with pytest.raises(ValueError, match="more than 100"):
        read_frame(stream(content), limit=100)
    assert read_frame(stream(frame(Answer())), limit=100)
