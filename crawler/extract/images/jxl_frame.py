"""The header of a frame of JPEG XL, and its table of lengths (18181-1 annex F)."""

from __future__ import annotations

from typing import NamedTuple

from crawler.extract.images.jxl_bits import Bits, Distribution, Unreadable
from crawler.extract.images.jxl_metadata import Metadata

_REGULAR, _DC, _REFERENCE, _SKIP_PROGRESSIVE = range(4)
_USES_DC_FRAME = 0x20
_ENLARGED: Distribution = ((1, 0), (2, 0), (4, 0), (8, 0))
_PASSES: Distribution = ((1, 0), (2, 0), (3, 0), (4, 3))
_DOWNSAMPLED: Distribution = ((0, 0), (1, 0), (2, 0), (3, 1))
_LAST_PASS: Distribution = ((0, 0), (1, 0), (2, 0), (0, 3))
_PLACE: Distribution = ((0, 8), (256, 11), (2304, 14), (18688, 30))
_BLENDING: Distribution = ((0, 0), (1, 0), (2, 0), (3, 2))
_CHANNEL: Distribution = ((0, 0), (1, 0), (2, 0), (3, 3))
_REPLACE, _BLEND, _WEIGHTED, _MULTIPLY = 0, 2, 3, 4
_DURATION: Distribution = ((0, 0), (1, 0), (0, 8), (0, 32))
_LENGTH: Distribution = ((0, 10), (1024, 14), (17408, 22), (4211712, 30))
_BLOCK = 8


class Frame(NamedTuple):
    is_last: bool
    is_shown: bool


class _Header:
    """The fields that are needed, with the values that they have by default."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self.kind = _REGULAR
        self.is_modular = False
        self.is_last = True
        self.duration = 0
        self.passes = 1
        self.group = 256
        """Pixels of the side of a group."""

    @property
    def sections(self) -> int:
        """Entries of the table of lengths."""
        groups = -(-self.width // self.group) * -(-self.height // self.group)
        if groups == 1 and self.passes == 1:
            return 1
        side = self.group * _BLOCK
        dc_groups = -(-self.width // side) * -(-self.height // side)
        return 2 + dc_groups + self.passes * groups


def read_frame(bits: Bits, metadata: Metadata, size: tuple[int, int]) -> Frame:
    """Leaves `bits` behind the frame; `size` is that of the image.

    Raises Unreadable where the lengths of its sections are permuted.
    """
    bits.align()
    header = _Header(*size)
    if not bits.flag():
        _fields(bits, metadata, header)
    if bits.flag():
        raise Unreadable
    bits.align()
    lengths = 0
    for _ in range(header.sections):
        lengths += bits.number(_LENGTH)
    bits.align()
    bits.position += 8 * lengths
    is_visible = header.kind in (_REGULAR, _SKIP_PROGRESSIVE)
    return Frame(header.is_last, is_visible and (header.is_last or header.duration > 0))


def _fields(bits: Bits, metadata: Metadata, header: _Header) -> None:
    header.kind = bits.read(2)
    header.is_modular = bits.flag()
    flags = bits.long_number()
    is_ycbcr = not metadata.is_xyb and bits.flag()
    if is_ycbcr and not flags & _USES_DC_FRAME:
        bits.read(6)  # chroma subsampling
    enlarged = 1
    if not flags & _USES_DC_FRAME:
        enlarged = bits.number(_ENLARGED)
        for _ in range(metadata.extra_channels):
            bits.number(_ENLARGED)
    if header.is_modular:
        header.group = 128 << bits.read(2)
    elif metadata.is_xyb:
        bits.read(6)  # scales of quantization
    if header.kind != _REFERENCE:
        _passes(bits, header)
    if header.kind == _DC:
        shrunk = _BLOCK ** (1 + bits.read(2))
        header.width = -(-header.width // shrunk)
        header.height = -(-header.height // shrunk)
    _placing(bits, metadata, header)
    header.width = -(-header.width // enlarged)
    header.height = -(-header.height // enlarged)
    bits.skip_name()
    _skip_filter(bits, header.is_modular)
    bits.skip_extensions()


def _passes(bits: Bits, header: _Header) -> None:
    header.passes = bits.number(_PASSES)
    if header.passes == 1:
        return
    downsampled = bits.number(_DOWNSAMPLED)
    bits.read(2 * (header.passes - 1))
    for _ in range(downsampled):
        bits.number(_ENLARGED)
    for _ in range(downsampled):
        bits.number(_LAST_PASS)


def _placing(bits: Bits, metadata: Metadata, header: _Header) -> None:
    """Where the frame stands on the image, how it is blended, and what refers to it."""
    is_visible = header.kind in (_REGULAR, _SKIP_PROGRESSIVE)
    is_partial = False
    if header.kind != _DC and bits.flag():
        left = _signed(bits.number(_PLACE)) if is_visible else 0
        top = _signed(bits.number(_PLACE)) if is_visible else 0
        width, height = bits.number(_PLACE), bits.number(_PLACE)
        is_partial = (
            left > 0
            or top > 0
            or left + width < header.width
            or top + height < header.height
        )
        header.width, header.height = width, height
    mode = _REPLACE
    if is_visible:
        mode = _blending(bits, metadata, is_partial)
        for _ in range(metadata.extra_channels):
            _blending(bits, metadata, is_partial)
        if metadata.animated:
            header.duration = bits.number(_DURATION)
            bits.read(32 * metadata.has_timecodes)
        header.is_last = bits.flag()
    else:
        header.is_last = False
    reference = 0
    if header.kind != _DC and not header.is_last:
        reference = bits.read(2)
    is_kept = not header.is_last and (header.duration == 0 or reference != 0)
    replaces = is_visible and mode == _REPLACE and not is_partial
    if header.kind == _REFERENCE or (is_kept and replaces):
        bits.flag()  # whether it is kept before its colors are transformed


def _signed(number: int) -> int:
    return number >> 1 if not number & 1 else -(number + 1 >> 1)


def _blending(bits: Bits, metadata: Metadata, is_partial: bool) -> int:
    mode = bits.number(_BLENDING)
    by_alpha = metadata.extra_channels > 0 and mode in (_BLEND, _WEIGHTED)
    if by_alpha:
        bits.number(_CHANNEL)
    if by_alpha or mode == _MULTIPLY:
        bits.flag()  # whether alpha is kept between 0 and 1
    if mode != _REPLACE or is_partial:
        bits.read(2)  # the frame below
    return mode


def _skip_filter(bits: Bits, is_modular: bool) -> None:
    if bits.flag():
        return
    if bits.flag() and bits.flag():  # smoothing with weights of its own
        bits.skip_halves(6)
    if bits.read(2):  # edges are kept
        if not is_modular and bits.flag():
            bits.skip_halves(8)
        if bits.flag():
            bits.skip_halves(5)
        if bits.flag():
            bits.skip_halves(3 if is_modular else 4)
        if is_modular:
            bits.skip_halves(1)
    bits.skip_extensions()
