"""message: only an answer to exactly the question sent is accepted."""

from __future__ import annotations

import pytest

from crawler.fetch.dns.message import Question
from tests.site.name_server import records, respond


@pytest.mark.parametrize(
    "garbage", [b"", b"\0" * 12, b"x" * 500, records("192.0.2.66").replace(b"|", b"")]
)
def test_garbage_is_not_an_answer(garbage: bytes) -> None:
    question = Question("a.example", "A", lambda: 7)
    assert question.answer(garbage) is None


def test_an_answer_to_another_question_is_refused() -> None:
    question = Question("a.example", "A", lambda: 7)

    def answer(query: bytes) -> bytes:
        made = respond(query, lambda name, kind: records("192.0.2.66"))
        assert made is not None
        return made

    true = answer(question.wire)
    assert question.answer(true) is not None
    assert question.answer(b"\0\x08" + true[2:]) is None
    for other in (
        Question("b.example", "A", lambda: 7),
        Question("a.example", "AAAA", lambda: 7),
    ):
        assert question.answer(answer(other.wire)) is None
    for cut in range(len(true)):
        forged = question.answer(true[:cut])
        assert forged is None or not forged.addresses
