"""crawler/engine/sandbox/messages.py: framing, whatever the stream's parts are.

A length is checked before anything is allocated.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.engine.sandbox.messages import (
    Answer,
    Frames,
    answer_frame,
    order_frame,
    read_order,
)

NAMES = st.text(st.characters(exclude_characters="\0"), max_size=9)


@given(
    st.lists(
        st.tuples(NAMES, st.lists(st.binary(max_size=99), max_size=3)), max_size=4
    ),
    st.lists(st.integers(1, 50), max_size=20),
)
def test_messages_arrive_whole(
    orders: list[tuple[str, list[bytes]]], sizes: list[int]
) -> None:
    rest = b"".join(
        part for task, payload in orders for part in order_frame(task, payload)
    )
    frames, arrived = Frames(), []
    while rest:
        size = sizes.pop(0) if sizes else 1
        frames.add(rest[:size])
        rest = rest[size:]
        arrived += [read_order(content) for content in frames]
    assert arrived == [(task, b"".join(payload)) for task, payload in orders]
    assert frames.take() is None


def test_a_stream_that_ends_inside_a_message() -> None:
    content = answer_frame(Answer(b"", "extract", "a message"))
    for length in range(len(content)):
        frames = Frames()
        frames.add(content[:length])
        assert frames.take() is None


def test_a_length_beyond_the_limit_is_refused_before_it_is_allocated() -> None:
    frames = Frames(limit=100)
    frames.add(answer_frame(Answer()))
    assert frames.take()
    frames.add((2**62).to_bytes(8, "big"))
    with pytest.raises(ValueError, match="more than 100"):
        frames.take()
