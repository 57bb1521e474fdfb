"""The frame and the scans of a JPEG, with their tables of codes (ITU T.81 annex B)."""

from __future__ import annotations

import re
from struct import Struct
from typing import NamedTuple

_U16 = Struct(">H").unpack_from
_MARKER = re.compile(rb"\xff[\x01-\xfe]").search
_END_OF_DATA = re.compile(rb"\xff+(?:[\x01-\xcf\xd8-\xfe]|\Z)").search
_RESTART = re.compile(rb"\xff[\xd0-\xd7]").split
_ALONE = frozenset([0x01, *range(0xD0, 0xD9)])
_DHT, _DRI, _SOS = 0xC4, 0xDD, 0xDA
SEQUENTIAL, PROGRESSIVE = (0xC0, 0xC1), 0xC2
_MAX_SCANS = 1000


class Table(NamedTuple):
    """The numbers of codes of each length, and their symbols (section B.2.4.2)."""

    counts: bytes
    symbols: bytes


class Part(NamedTuple):
    """A component in a scan, with its tables of codes."""

    component: int
    dc: Table | None
    ac: Table | None


class Scan(NamedTuple):
    parts: tuple[Part, ...]
    first: int
    """Coefficients from `first` to `last`."""
    last: int
    high: int
    """The bit that an earlier scan ended with; 0: there is none."""
    low: int
    """The bit that this scan ends with."""
    start: int
    """Offset of its codes."""
    end: int
    restart: int
    """MCUs between two restart markers; 0: there are none."""


class Frame(NamedTuple):
    kind: int
    width: int
    height: int
    sampling: dict[int, tuple[int, int]]
    """Horizontal and vertical factor of each component."""

    def units(self, scan: Scan) -> int:
        """MCUs of a scan: of a single component they are its blocks (section A.2)."""
        across = max(h for h, _ in self.sampling.values())
        down = max(v for _, v in self.sampling.values())
        if len(scan.parts) > 1:
            return -(-self.width // (8 * across)) * -(-self.height // (8 * down))
        h, v = self.sampling[scan.parts[0].component]
        columns = -(-self.width * h // across)
        rows = -(-self.height * v // down)
        return -(-columns // 8) * -(-rows // 8)

    def blocks_in_unit(self, scan: Scan, part: Part) -> int:
        if len(scan.parts) == 1:
            return 1
        h, v = self.sampling[part.component]
        return h * v


def read_scans(body: bytes) -> tuple[Frame | None, list[Scan]]:
    frame: Frame | None = None
    scans: list[Scan] = []
    tables: dict[int, Table] = {}
    position, restart = 2, 0
    while len(scans) < _MAX_SCANS and (found := _MARKER(body, position)):
        marker, start = body[found.end() - 1], found.end() + 2
        if marker in _ALONE:
            position = found.end()
            continue
        position = found.end() + _U16(body, found.end())[0]
        if marker in (*SEQUENTIAL, PROGRESSIVE):
            frame = _frame(body, marker, start)
        elif marker == _DHT:
            tables |= _tables(body[start:position])
        elif marker == _DRI:
            restart = _U16(body, start)[0]
        elif marker == _SOS:
            ended = _END_OF_DATA(body, position)
            end = ended.start() if ended else len(body)
            scans.append(_scan(body, start, (position, end), restart, tables))
            position = end
    return frame, scans


def _frame(body: bytes, kind: int, at: int) -> Frame:
    height, width, count = Struct(">HHB").unpack_from(body, at + 1)
    sampling = {
        body[place]: (body[place + 1] >> 4 or 1, body[place + 1] & 15 or 1)
        for place in range(at + 6, at + 6 + 3 * count, 3)
    }
    return Frame(kind, width, height, sampling)


def _tables(data: bytes) -> dict[int, Table]:
    """Class and number of each table, together one byte, and the table."""
    tables, at = {}, 0
    while at + 17 <= len(data):
        counts = data[at + 1 : at + 17]
        end = at + 17 + sum(counts)
        tables[data[at]] = Table(counts, data[at + 17 : end])
        at = end
    return tables


def _scan(
    body: bytes,
    at: int,
    data: tuple[int, int],
    restart: int,
    tables: dict[int, Table],
) -> Scan:
    count = body[at]
    parts = tuple(
        Part(
            body[place],
            tables.get(body[place + 1] >> 4),
            tables.get(0x10 | body[place + 1] & 15),
        )
        for place in range(at + 1, at + 1 + 2 * count, 2)
    )
    first, last, bits = body[at + 1 + 2 * count : at + 4 + 2 * count]
    return Scan(parts, first, last, bits >> 4, bits & 15, *data, restart)


def intervals(body: bytes, scan: Scan) -> list[bytes]:
    """The codes between restart markers, without the zeros after bytes of 255."""
    data = body[scan.start : scan.end]
    return [part.replace(b"\xff\0", b"\xff") for part in _RESTART(data)]
