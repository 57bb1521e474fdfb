"""The bits of a JPEG XL codestream, lowest first, and its numbers (18181-1 annex B)."""

from __future__ import annotations

Distribution = tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]
"""An offset and a number of bits for each of four selectors."""

ENUM: Distribution = ((0, 0), (1, 0), (2, 4), (18, 6))
_NAME: Distribution = ((0, 0), (0, 4), (16, 5), (48, 10))
_F16 = 16
_MAX_READS = 300_000
"""Numbers that are read of one codestream, in half a second."""


class Unreadable(Exception):
    """What follows is coded with entropy, or it is too much."""


class Bits:
    """Raises IndexError behind the end, and Unreadable after _MAX_READS."""

    __slots__ = ("_data", "_left", "position")

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._left = _MAX_READS
        self.position = position
        """In bits."""

    def read(self, count: int) -> int:
        self._left -= 1
        if self._left < 0:
            raise Unreadable
        at, shift = divmod(self.position, 8)
        self.position += count
        if self.position > 8 * len(self._data):
            raise IndexError("behind the end of the codestream")
        window = int.from_bytes(
            self._data[at : at + (shift + count + 7) // 8], "little"
        )
        return window >> shift & (1 << count) - 1

    def flag(self) -> bool:
        return self.read(1) == 1

    def number(self, distribution: Distribution) -> int:
        """U32()."""
        offset, count = distribution[self.read(2)]
        return offset + self.read(count)

    def enum(self) -> int:
        return self.number(ENUM)

    def long_number(self) -> int:
        """U64()."""
        selector = self.read(2)
        if selector < 3:
            offset, count = ((0, 0), (1, 4), (17, 8))[selector]
            return offset + self.read(count)
        value, shift = self.read(12), 12
        while self.flag():
            if shift == 60:
                return value | self.read(4) << shift
            value |= self.read(8) << shift
            shift += 8
        return value

    def skip_halves(self, count: int) -> None:
        """F16(), so many times."""
        self.position += _F16 * count

    def skip_name(self) -> None:
        length = self.number(_NAME)  # reading it moves the position
        self.position += 8 * length

    def skip_extensions(self) -> None:
        """Each bit of a number announces an extension, whose length follows."""
        announced = self.long_number().bit_count()
        lengths = [self.long_number() for _ in range(announced)]
        self.position += sum(lengths)

    def align(self) -> None:
        self.position += -self.position % 8
