"""parser: the responses that llhttp publishes together with its parser's events.

Skipped where the files are not present.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.helpers.corpora import corpus
from tests.helpers.http1 import Seen, read

RESPONSES = corpus("http1")

_CASE = re.compile(
    r"<!-- meta=(\{.*?\}) -->\s*```http\n(.*?)```\s*```log\n(.*?)```", re.S
)
_ESCAPES = {"\\r": "\r", "\\n": "\n", "\\t": "\t", "\\f": "\f"}


class Case(NamedTuple):
    title: str
    stream: bytes
    log: str


def cases() -> list[Case]:
    """The strict response cases, unescaped as llhttp's own runner does."""
    found = []
    for path in sorted(RESPONSES.glob("*.md")):
        for section in re.split(r"^#+ ", path.read_text(), flags=re.M)[1:]:
            match = _CASE.search(section)
            if (
                match
                and re.search(r'"response" *[,}]', match[1])
                and "skipBody" not in match[1]
            ):
                title = f"{path.stem}: {section.splitlines()[0]}"
                found.append(Case(title, _unescape(match[2]), match[3]))
    return found


def _unescape(text: str) -> bytes:
    text = text.removesuffix("\n").replace("\\\n", "").replace("\n", "\r\n")
    for escape, char in _ESCAPES.items():
        text = text.replace(escape, char)
    return text.encode()


def expected(log: str) -> tuple[int, bytes, bool]:
    """Status and body of the final response, and whether llhttp refused it."""
    statuses = [int(code) for code in re.findall(r"headers complete status=(\d+)", log)]
    final = next((code for code in statuses if code >= 200), 0)
    message = log.split(f"headers complete status={final}")[-1].split(
        "message complete"
    )[0]
    spans = re.findall(r'span\[body\]=(?:"(.*?)"|(cr|lf))$', message, re.M)
    body = "".join(text or {"cr": "\r", "lf": "\n", "": ""}[end] for text, end in spans)
    refused = "error code" in log and "message complete" not in log
    return final, body.encode(), refused


_STRICT = "RFC 9112 section 2.3: an HTTP/1 response begins with HTTP/1."
_FINAL = (
    "RFC 9112 section 6.3: framing by any transfer coding but chunked is not guessed"
)
_LONE_LF = "RFC 9112 section 2.2: a lone LF may end a line; old servers send it"
_TOLERATED = "curl and Chromium read it, and so does this reader"
DEVIATIONS = {
    "invalid: Only LFs present": _LONE_LF,
    "invalid: Only LFs present and no body": _LONE_LF,
    "sample: No carriage ret": _LONE_LF,
    "sample: RTSP response": _STRICT,
    "sample: ICE response": _STRICT,
    "sample: HTTP version 0.9": _STRICT,
    "invalid: Headers separated by CR": _TOLERATED,
    "invalid: Extra space between HTTP version and status code": _TOLERATED,
    "sample: Spaces in header name": _TOLERATED,
    "transfer-encoding: No extension after semicolon": _TOLERATED,
    "transfer-encoding: Trailing space on chunked body": "old servers pad chunk sizes",
    "transfer-encoding: `chunked` before": _FINAL,
    "transfer-encoding: multiple transfer-encoding": _FINAL,
    "transfer-encoding: `chunkedchunked`": _FINAL,
}


def test_llhttp_responses() -> None:
    every = cases()
    assert len(every) > 55
    differing = [
        case.title for case in every if not agrees(case, read(case.stream, eof=True))
    ]
    assert len(differing) == len(DEVIATIONS)
    assert all(title.startswith(tuple(DEVIATIONS)) for title in differing)


def agrees(case: Case, seen: Seen) -> bool:
    status, body, refused = expected(case.log)
    if refused or not status:
        # llhttp may refuse a head in the middle. This reader parses it only when it is
        # complete, so the stream may end before.
        return seen.error is not None
    if (seen.error or ("",))[0] == "protocol":
        return False
    return (seen.status, seen.body) == (status, body)
