"""Unfolds a response head, and repairs one that curl and Chromium both read.

llhttp has refused the head as it was received (`parser.py`), and parses what is made of
it here: the rules on lengths and codings are the same for both. What curl and Chromium
agree on was measured with curl 7.88 and Chromium 156, on 150 responses:

    repaired                                      refused as before
    status line: `200OK`, spaces, `http/1.1`,     no status, four digits, HTTP/1.2
        `HTTP/2 200`
    white space before a colon                    white space before the first name
    a name that is no token, a line without a     NUL anywhere
        colon, a second status line: left out
    control characters in a value: kept
    a lone CR: a space (RFC 9112 section 2.2)     a lone CR before a framing field
    equal lengths (RFC 9110 section 8.6)          different ones, `3, `, `+3`, `3 b`
    identity and empty codings: none              any other coding
    chunked twice: once                           a length besides

Of the repaired ones curl 7.88 refuses a line without a colon, which says nothing, and
empty lines before the status line. White space before the colon of a framing field
makes curl ignore that field; RFC 9112 section 5.1 has it removed, as in Chromium.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from crawler.model.errors import ProtocolFailure
from crawler.model.reasons import Tolerated

# Chromium reads all of a reason phrase that follows three digits.
_STATUS_LINE = re.compile(
    rb"HTTP/(1\.[01]|2(?:\.0)?) +(\d{3})(?!\d)(.*)", re.IGNORECASE | re.DOTALL
).fullmatch
_REGULAR_STATUS_LINE = re.compile(rb"HTTP/1\.[01] \d{3}(?: [^\r]*)?").fullmatch
_REPEATED_STATUS_LINE = re.compile(rb"HTTP/\d", re.IGNORECASE).match
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_CONTROLS = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]").search
_FRAMING_AFTER_CR = re.compile(
    rb"\r[ \t\r]*(?:content-length|transfer-encoding)[ \t\r]*:", re.IGNORECASE
).search
# A line that begins with white space continues the line before it (obs-fold); a user
# agent replaces the fold by a space before it interprets the value (RFC 9112 section
# 5.2). The lookbehind lets a match begin only at the first of several spaces: otherwise
# a line of 60,000 spaces would take twenty seconds.
_FOLD = re.compile(rb"(?<![ \t])[ \t]*+\r?\n[ \t]++")
# Chromium skips four bytes. Of the versions that it reads these are curl's.
_LINE_ENDS = re.compile(rb"[\r\n]{0,4}")
_STARTS = (b"HTTP/1.", b"HTTP/2.0 ", b"HTTP/2 ")
_LENGTH = re.compile(rb"\d+").fullmatch
_NO_CODING = frozenset({b"", b"identity", b"none"})


def line_ends_before(start: bytes) -> int:
    """The size of the empty lines before a head that begins with `start`.

    Raises ProtocolFailure if this is the beginning of no head.
    """
    line_ends = _LINE_ENDS.match(start)
    skipped = line_ends.end() if line_ends else 0
    line = start[skipped:].upper()
    if not any(version.startswith(line[: len(version)]) for version in _STARTS):
        raise ProtocolFailure(f"not an HTTP/1 response: it begins with {start!r}")
    return skipped


def unfold(head: bytes) -> bytes:
    """`head` with a space for each fold."""
    # A fold right after the status line continues nothing; llhttp refuses it.
    first = head.index(b"\n") + 1
    return head[:first] + _FOLD.sub(b" ", head[first:])


class Repaired(NamedTuple):
    """A head without the faults that are named."""

    head: bytes
    tolerated: tuple[Tolerated, ...]


def repair(head: bytes) -> Repaired | None:
    """`head` (unfolded, with its empty line) without its faults.

    None if it cannot be repaired. Raises ProtocolFailure if it could be read in two
    ways that differ in where the response ends.
    """
    status_line, *lines = head.split(b"\n")[:-2]
    if b"\0" in head or (lines and lines[0][:1] in (b" ", b"\t")):
        return None
    return _Repair().repaired(status_line.removesuffix(b"\r"), lines)


class _Repair:
    """The faults of one head, in the order in which they were met."""

    def __init__(self) -> None:
        self._faults: dict[Tolerated, None] = {}

    def repaired(self, status_line: bytes, lines: list[bytes]) -> Repaired | None:
        first = self._status_line(status_line)
        fields = [
            field
            for line in lines
            if (field := self._field(line.removesuffix(b"\r"))) is not None
        ]
        framed = self._framing(fields)
        if first is None or framed is None or not self._faults:
            return None
        head = [first, *(name + b": " + value for name, value in framed), b"", b""]
        return Repaired(b"\r\n".join(head), tuple(self._faults))

    def _status_line(self, line: bytes) -> bytes | None:
        if _REGULAR_STATUS_LINE(line):
            return line
        match = _STATUS_LINE(line)
        if match is None:
            return None
        version, status, reason = match.groups()
        if version[:1] == b"2":
            version = b"1.1"
            self._faults["http_version"] = None
        else:
            self._faults["status_line"] = None
        if b"\r" in reason:
            reason = self._without_cr(reason)
        reason = reason.strip(b" \t")
        return b"HTTP/%s %s %s" % (version, status, reason)

    def _field(self, line: bytes) -> tuple[bytes, bytes] | None:
        """Name and value of a header line; None for one that is left out."""
        if b"\r" in line:
            line = self._without_cr(line)
        name, colon, value = line.partition(b":")
        stripped = name.rstrip(b" \t")
        if not colon or not _TOKEN(stripped):
            repeated = _REPEATED_STATUS_LINE(line)
            fault: Tolerated = "field_name" if colon else "no_colon"
            self._faults["second_status_line" if repeated else fault] = None
            return None
        if stripped != name:
            self._faults["space_before_colon"] = None
        if _CONTROLS(value):
            self._faults["control_character"] = None
        return stripped, value.strip(b" \t")

    def _without_cr(self, line: bytes) -> bytes:
        if _FRAMING_AFTER_CR(line):
            raise ProtocolFailure("malformed response head: a lone CR hides a field")
        self._faults["lone_cr"] = None
        return line.replace(b"\r", b" ")

    def _framing(
        self, fields: list[tuple[bytes, bytes]]
    ) -> list[tuple[bytes, bytes]] | None:
        """`fields` with one length and one coding at most; None for other codings."""
        lengths = [v for name, v in fields if name.lower() == b"content-length"]
        codings = [v for name, v in fields if name.lower() == b"transfer-encoding"]
        faults = len(self._faults)
        length = self._length(lengths)
        coding = self._coding(codings)
        if coding is None:
            return None
        if length and coding and len(self._faults) > faults:
            raise ProtocolFailure("both a length and a transfer coding, in doubt")
        framing = [(b"Content-Length", length)] if lengths else []
        framing += [(b"Transfer-Encoding", coding)] if coding else []
        others = (b"content-length", b"transfer-encoding")
        return [field for field in fields if field[0].lower() not in others] + framing

    def _length(self, fields: list[bytes]) -> bytes:
        values = [value.strip(b" \t") for value in b",".join(fields).split(b",")]
        if len(values) == 1:
            return values[0]
        if len(set(values)) > 1 or not _LENGTH(values[0]):
            raise ProtocolFailure("malformed response head: several Content-Lengths")
        self._faults["repeated_length"] = None
        return values[0]

    def _coding(self, fields: list[bytes]) -> bytes | None:
        """b"chunked", or b"" for none; None if there is any other."""
        if [value.lower() for value in fields] in ([], [b"chunked"]):
            return b"chunked" if fields else b""
        codings = {
            coding.strip(b" \t").lower() for coding in b",".join(fields).split(b",")
        } - _NO_CODING
        if not codings <= {b"chunked"}:
            return None
        self._faults["transfer_coding"] = None
        return b"chunked" if codings else b""
