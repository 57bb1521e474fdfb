"""The size and the metadata of a JPEG XL image (18181-1 annexes D and E)."""

from __future__ import annotations

from typing import NamedTuple

from crawler.extract.images.jxl_bits import Bits, Distribution

_SIDE: Distribution = ((1, 9), (1, 13), (1, 18), (1, 30))
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_PREVIEW_EIGHTHS: Distribution = ((16, 0), (32, 0), (1, 5), (33, 9))
_PREVIEW_SIDE: Distribution = ((1, 6), (65, 8), (321, 10), (1345, 12))
_TICKS: Distribution = ((100, 0), (1000, 0), (1, 10), (1, 30))
_TICKS_UNDER: Distribution = ((1, 0), (1001, 0), (1, 8), (1, 10))
_LOOPS: Distribution = ((0, 0), (0, 3), (0, 16), (0, 32))
_INTEGER_DEPTH: Distribution = ((8, 0), (10, 0), (12, 0), (1, 6))
_FLOAT_DEPTH: Distribution = ((32, 0), (16, 0), (24, 0), (1, 6))
_CHANNELS: Distribution = ((0, 0), (1, 0), (2, 4), (1, 12))
_SHIFT: Distribution = ((0, 0), (3, 0), (4, 0), (1, 3))
_FILTER: Distribution = ((1, 0), (0, 2), (3, 4), (19, 8))
_CHROMATICITY: Distribution = ((0, 19), (2**19, 19), (2**20, 20), (2**21, 21))
_ALPHA, _SPOT_COLOR, _COLOR_FILTER = 0, 2, 5
_GRAY, _XYB = 1, 2
_CUSTOM = 2
_WEIGHTS = (15, 55, 210)
"""Numbers of the weights that enlarge 2, 4 and 8 times."""
_Size = tuple[int, int]


class Metadata(NamedTuple):
    width: int
    height: int
    orientation: int = 1
    """As in Exif."""
    preview: _Size | None = None
    animated: bool = False
    has_timecodes: bool = False
    extra_channels: int = 0
    is_xyb: bool = True
    has_icc: bool = False


def read_metadata(bits: Bits) -> Metadata:
    """Leaves `bits` behind the metadata, where a profile or the first frame begins."""
    metadata = Metadata(*_size(bits))
    if not bits.flag():
        metadata = _fields(bits, metadata)
    if not bits.flag():
        _skip_transform(bits, metadata.is_xyb)
    return metadata


def _size(bits: Bits) -> _Size:
    eighths = bits.flag()

    def side() -> int:
        return 8 * (1 + bits.read(5)) if eighths else bits.number(_SIDE)

    height = side()
    return _by_ratio(bits, height) or (side(), height)


def _by_ratio(bits: Bits, height: int) -> _Size | None:
    """The size, if the width is given by its ratio to the height."""
    ratio = bits.read(3)
    if not ratio:
        return None
    over, under = _RATIOS[ratio - 1]
    return height * over // under, height


def _preview(bits: Bits) -> _Size:
    eighths = bits.flag()

    def side() -> int:
        if eighths:
            return 8 * bits.number(_PREVIEW_EIGHTHS)
        return bits.number(_PREVIEW_SIDE)

    height = side()
    return _by_ratio(bits, height) or (side(), height)


def _fields(bits: Bits, metadata: Metadata) -> Metadata:
    has_more = bits.flag()
    if has_more:
        metadata = _more_fields(bits, metadata)
    _skip_depth(bits)
    bits.flag()  # whether 16 bits are enough for a modular image
    extra_channels = bits.number(_CHANNELS)
    for _ in range(extra_channels):
        _skip_channel(bits)
    is_xyb = bits.flag()
    has_icc = _has_icc(bits)
    if has_more and not bits.flag():  # tone mapping
        bits.skip_halves(2)
        bits.flag()
        bits.skip_halves(1)
    bits.skip_extensions()
    return metadata._replace(
        extra_channels=extra_channels, is_xyb=is_xyb, has_icc=has_icc
    )


def _more_fields(bits: Bits, metadata: Metadata) -> Metadata:
    orientation = 1 + bits.read(3)
    if bits.flag():
        _size(bits)  # the size that the author wanted
    preview = _preview(bits) if bits.flag() else None
    animated, has_timecodes = bits.flag(), False
    if animated:
        for distribution in (_TICKS, _TICKS_UNDER, _LOOPS):
            bits.number(distribution)
        has_timecodes = bits.flag()
    return metadata._replace(
        orientation=orientation,
        preview=preview,
        animated=animated,
        has_timecodes=has_timecodes,
    )


def _skip_depth(bits: Bits) -> None:
    if bits.flag():
        bits.number(_FLOAT_DEPTH)
        bits.read(4)
    else:
        bits.number(_INTEGER_DEPTH)


def _skip_channel(bits: Bits) -> None:
    if bits.flag():
        return
    kind = bits.enum()
    _skip_depth(bits)
    bits.number(_SHIFT)
    bits.skip_name()
    if kind == _ALPHA:
        bits.flag()
    elif kind == _SPOT_COLOR:
        bits.skip_halves(4)
    elif kind == _COLOR_FILTER:
        bits.number(_FILTER)


def _has_icc(bits: Bits) -> bool:
    """Passes over the color encoding; whether an ICC profile follows the metadata."""
    if bits.flag():
        return False
    has_icc, space = bits.flag(), bits.enum()
    if has_icc:
        return True
    if space != _XYB and bits.enum() == _CUSTOM:
        _skip_chromaticities(bits, 1)
    if space not in (_GRAY, _XYB) and bits.enum() == _CUSTOM:
        _skip_chromaticities(bits, 3)
    if space != _XYB:  # transfer function
        if bits.flag():
            bits.read(24)
        else:
            bits.enum()
    bits.enum()  # rendering intent
    return False


def _skip_chromaticities(bits: Bits, count: int) -> None:
    for _ in range(2 * count):
        bits.number(_CHROMATICITY)


def _skip_transform(bits: Bits, is_xyb: bool) -> None:
    if is_xyb and not bits.flag():
        bits.skip_halves(9 + 3 + 4)
    mask = bits.read(3)
    for bit, count in enumerate(_WEIGHTS):
        if mask >> bit & 1:
            bits.skip_halves(count)
