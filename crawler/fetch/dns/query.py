"""One attempt: questions to one name server, and the answers that arrive in time."""

from __future__ import annotations

import socket as standard
from collections.abc import Callable
from typing import TYPE_CHECKING

import hub
from crawler.fetch.dns.files import Server
from hub import socket

if TYPE_CHECKING:
    from crawler.fetch.dns.message import Answer, Question, RecordType

RESOLUTION_DELAY = 0.05
"""The Resolution Delay of RFC 8305 section 3 (seconds).

It is how long the other record type is awaited once one type has brought addresses.
"""


def send_query(
    server: Server,
    questions: list[Question],
    timeout: float,
    clock: Callable[[], float],
) -> dict[RecordType, Answer]:
    """Send `questions` to `server` by UDP; collect answers for `timeout` seconds.

    A truncated answer is requested again by TCP. Switches.
    """
    family = standard.AF_INET6 if ":" in server.address else standard.AF_INET
    # Each attempt has a socket of its own: a forged answer has to guess its port, and
    # a late answer to one attempt cannot reach another.
    with socket.socket(family, standard.SOCK_DGRAM) as sock:
        try:
            sock.connect((server.address, server.port))
            for question in questions:
                sock.send(question.wire)
            answers = _collect(sock, questions, timeout, clock)
        except OSError:  # nothing listens on the port, or the network is down
            return {}
    for question in questions:
        answer = answers.get(question.record_type)
        if answer is not None and answer.result == "truncated":
            del answers[question.record_type]
            with hub.Timeout(timeout, False):
                if (whole := _ask_over_tcp(server, question, family)) is not None:
                    answers[question.record_type] = whole
    return answers


def _collect(
    sock: socket.socket,
    questions: list[Question],
    timeout: float,
    clock: Callable[[], float],
) -> dict[RecordType, Answer]:
    answers: dict[RecordType, Answer] = {}
    end = clock() + timeout
    while len(answers) < len(questions):
        left = end - clock()
        if left <= 0:
            break
        sock.settimeout(left)
        try:
            data = sock.recv(4096)
        except TimeoutError:
            break
        for question in questions:
            answer = question.answer(data)
            if answer is not None:
                answers.setdefault(question.record_type, answer)
                if answer.addresses:
                    end = min(end, clock() + RESOLUTION_DELAY)
    return answers


def _ask_over_tcp(server: Server, question: Question, family: int) -> Answer | None:
    """The complete answer, which was too long for UDP (RFC 7766)."""
    try:
        with socket.socket(family, standard.SOCK_STREAM) as sock:
            sock.connect((server.address, server.port))
            sock.sendall(len(question.wire).to_bytes(2, "big") + question.wire)
            size = int.from_bytes(_receive_exactly(sock, 2), "big")
            answer = question.answer(_receive_exactly(sock, size))
    except (OSError, EOFError):
        return None
    return answer if answer is not None and answer.result != "truncated" else None


def _receive_exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data
