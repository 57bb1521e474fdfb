"""Whether all blocks of a JPEG without EOI are in its scans (ITU T.81 annexes F and G).

Only the codes are counted; no coefficient is kept, except for which of them are not
zero, which the scans that refine need. A code of Huffman takes 0.2 us. A scan that is
followed by another counts as whole, so only the last one is walked, and of a sequential
one with restart markers only what stands behind the last of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from crawler.extract.images.jpeg_scans import (
    PROGRESSIVE,
    SEQUENTIAL,
    Frame,
    Scan,
    Table,
    intervals,
    read_scans,
)

_MAX_WALKED = 2**20
"""Bytes of scans that are walked, in less than a second; a longer one counts as cut."""
_MAX_BLOCKS = 500_000
"""Blocks that are visited, also those that take no bit."""
_MAX_COMPONENTS = 4
_MAX_BLOCKS_IN_UNIT = 10
"""Sections B.2.2 and B.2.3; a progressive frame has at most four components."""
_COEFFICIENTS = 64


def has_all_blocks(body: bytes) -> bool:
    """Raises struct.error, IndexError or KeyError where a segment is damaged."""
    frame, scans = read_scans(body)
    if frame is None or not scans or not _is_usual(frame, scans):
        return False
    if frame.kind in SEQUENTIAL:
        seen = {part.component for scan in scans for part in scan.parts}
        return seen == frame.sampling.keys() and _sequential(body, frame, scans[-1])
    return frame.kind == PROGRESSIVE and _progressive(body, frame, scans)


def _is_usual(frame: Frame, scans: Sequence[Scan]) -> bool:
    """Whether it has as many components, and blocks in an MCU, as the format allows."""
    return len(frame.sampling) <= _MAX_COMPONENTS and all(
        sum(frame.blocks_in_unit(scan, part) for part in scan.parts)
        <= _MAX_BLOCKS_IN_UNIT
        for scan in scans
    )


_Entry = tuple[int, int]
_Lookup = list[_Entry]
_NO_CODE = (1 << 30, _COEFFICIENTS)


def _lookup(table: Table | None, entry: Callable[[int, int], _Entry]) -> _Lookup:
    """The entry for each 16 bits, by the length and symbol of the code they begin with.

    Bits that no code begins with lead behind the end of any data.
    """
    lookup = [_NO_CODE] * 2**16
    if table is None:
        return lookup
    at, symbols = 0, iter(table.symbols)
    for length, count in enumerate(table.counts, 1):
        share = 1 << 16 - length
        for _, symbol in zip(range(count), symbols, strict=False):
            if at + share <= 2**16:
                lookup[at : at + share] = [entry(length, symbol)] * share
            at += share
    return lookup


def _dc(length: int, symbol: int) -> _Entry:
    """Bits of the code and of the value behind it."""
    return length + (symbol & 15), 0


def _ac(length: int, symbol: int) -> _Entry:
    """Bits of the code and of the value, and how many coefficients they stand for."""
    run, size = symbol >> 4, symbol & 15
    ends = size == 0 and run < 15
    return length + size, _COEFFICIENTS if ends else run + 1


def _symbol(length: int, symbol: int) -> _Entry:
    return length, symbol


def _sequential(body: bytes, frame: Frame, scan: Scan) -> bool:
    """Whether the last interval has all of its MCUs, and the others are there."""
    found, units = intervals(body, scan), frame.units(scan)
    data = found[-1]
    before = (len(found) - 1) * scan.restart
    expected = -(-units // scan.restart) if scan.restart else 1
    if len(found) > expected:
        return True
    if len(found) < expected or len(data) > _MAX_WALKED:
        return False
    blocks = [
        codes
        for part in scan.parts
        for codes in [(_lookup(part.dc, _dc), _lookup(part.ac, _ac))]
        for _ in range(frame.blocks_in_unit(scan, part))
    ]
    left = units - before
    return left * len(blocks) <= _MAX_BLOCKS and _has_units(data, blocks, left)


_BEHIND = b"\xff" * 256
"""What is read behind the end of the data: more than a block, and no code at all."""


def _has_units(
    data: bytes, blocks: Sequence[tuple[_Lookup, _Lookup]], units: int
) -> bool:
    size, position, number = 8 * len(data), 0, int.from_bytes
    data += _BEHIND
    for _ in range(units):
        for dc, ac in blocks:
            at = position >> 3
            window = number(data[at : at + 3], "big") >> 8 - (position & 7)
            position += dc[window & 0xFFFF][0]
            k = 1
            while k < _COEFFICIENTS:
                at = position >> 3
                window = number(data[at : at + 3], "big") >> 8 - (position & 7)
                bits, run = ac[window & 0xFFFF]
                position += bits
                k += run
            if position > size:
                return False
    return True


def _progressive(body: bytes, frame: Frame, scans: Sequence[Scan]) -> bool:
    """Whether each coefficient has all its bits, and the last scan all its blocks."""
    if not _has_all_bits(frame, scans):
        return False
    last = scans[-1]
    if last.first == 0:
        blocks = [
            codes
            for part in last.parts
            for codes in [_ONE_BIT if last.high else _lookup(part.dc, _dc)]
            for _ in range(frame.blocks_in_unit(last, part))
        ]
        return _in_intervals(
            body, frame, last, lambda data, units, _: _has_dc(data, blocks, units)
        )
    component, units = last.parts[0].component, frame.units(last)
    own = [
        each for each in scans if each.first and each.parts[0].component == component
    ]
    if sum(each.end - each.start for each in own) > _MAX_WALKED:
        return False
    if units * len(own) > _MAX_BLOCKS:
        return False
    # One bit of a number for each coefficient of a block that is not zero.
    nonzero = [0] * units
    return all(_walk(body, frame, scan, nonzero) for scan in own)


def _has_all_bits(frame: Frame, scans: Sequence[Scan]) -> bool:
    left = {(component, k) for component in frame.sampling for k in range(64)}
    for scan in scans:
        if scan.low == 0:
            for part in scan.parts:
                left -= {(part.component, k) for k in range(scan.first, scan.last + 1)}
    return not left


_ONE_BIT: _Lookup = [(1, 0)] * 2**16


def _in_intervals(
    body: bytes,
    frame: Frame,
    scan: Scan,
    has_units: Callable[[bytes, int, int], bool],
) -> bool:
    """Whether `has_units(data, units, units before)` holds for each interval."""
    units, first = frame.units(scan), 0
    for data in intervals(body, scan):
        count = min(scan.restart or units, units - first)
        if not has_units(data, count, first):
            return False
        first += count
    return first == units


def _has_dc(data: bytes, blocks: Sequence[_Lookup], units: int) -> bool:
    size, position, number = 8 * len(data), 0, int.from_bytes
    if units * len(blocks) > min(size, _MAX_BLOCKS):
        return False
    data += _BEHIND
    for _ in range(units):
        for dc in blocks:
            at = position >> 3
            window = number(data[at : at + 3], "big") >> 8 - (position & 7)
            position += dc[window & 0xFFFF][0]
    return position <= size


def _walk(body: bytes, frame: Frame, scan: Scan, nonzero: list[int]) -> bool:
    """Whether a scan of one component has all blocks; adds to their coefficients."""
    lookup = _lookup(scan.parts[0].ac, _symbol)
    walk = _refine if scan.high else _begin
    return _in_intervals(
        body,
        frame,
        scan,
        lambda data, units, first: walk(data, scan, lookup, nonzero, first, units),
    )


def _begin(
    data: bytes,
    scan: Scan,
    lookup: _Lookup,
    nonzero: list[int],
    first: int,
    units: int,
) -> bool:
    """The first scan of its coefficients (section G.1.2.2)."""
    size, position, number = 8 * len(data), 0, int.from_bytes
    data += _BEHIND
    block, end = first, first + units
    while block < end:
        k = scan.first
        while k <= scan.last:
            at = position >> 3
            window = number(data[at : at + 3], "big") >> 8 - (position & 7)
            length, symbol = lookup[window & 0xFFFF]
            position += length
            run, bits = symbol >> 4, symbol & 15
            if bits:
                k += run
                nonzero[block] |= 1 << k
                position += bits
            elif run < 15:
                block += _run(data, position, run) - 1
                position += run
                break
            else:
                k += run
            k += 1
        if position > size:
            return False
        block += 1
    return True


def _run(data: bytes, position: int, bits: int) -> int:
    """How many blocks end here, by so many bits at `position`."""
    at = position >> 3
    window = int.from_bytes(data[at : at + 3], "big") << (position & 7) & 0xFFFFFF
    return (1 << bits) + (window >> 24 - bits)


def _refine(
    data: bytes,
    scan: Scan,
    lookup: _Lookup,
    nonzero: list[int],
    first: int,
    units: int,
) -> bool:
    """A later scan, with a bit for each coefficient that is not zero (G.1.2.3)."""
    size, position, number = 8 * len(data), 0, int.from_bytes
    data += _BEHIND
    ended = 0  # blocks that the last run still ends
    covered = (1 << scan.last + 1) - 1
    for block in range(first, first + units):
        before, k = nonzero[block], scan.first
        while not ended and k <= scan.last:
            at = position >> 3
            window = number(data[at : at + 3], "big") >> 8 - (position & 7)
            length, symbol = lookup[window & 0xFFFF]
            position += length
            run, bits = symbol >> 4, symbol & 15
            if not bits and run < 15:
                ended = _run(data, position, run)
                position += run
                break
            position += bits
            k, corrected = _passed(before, k, scan.last, run)
            position += corrected
            if bits and k <= scan.last:
                nonzero[block] |= 1 << k
            k += 1
        if ended:
            ended -= 1
            position += ((before & covered) >> k).bit_count()
        if position > size:
            return False
    return True


def _passed(nonzero: int, k: int, last: int, run: int) -> tuple[int, int]:
    """Where `run` coefficients that are zero are passed, and how many others are."""
    corrected = 0
    while k <= last:
        if nonzero >> k & 1:
            corrected += 1
        elif run == 0:
            break
        else:
            run -= 1
        k += 1
    return k, corrected
