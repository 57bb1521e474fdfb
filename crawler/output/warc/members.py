"""The bytes of a WARC file, whatever it is compressed with, from any offset on.

    plain           one member, which is the file
    .gz             members of gzip, in most files one for each record
    .zst            frames of zstd, also with the dictionary of the WARC-zstd draft

The first bytes decide, not the name. Damage ends one member; the next one is found by
its magic number, and by what stands at its beginning. Nothing is unpacked further than
it is read, so a bomb takes time and no memory.
"""

from __future__ import annotations

import zlib
from typing import Any, BinaryIO

from crawler.output.compression import zstd

_GZIP, _ZSTD = b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"
_SKIPPABLE = tuple(bytes([0x50 + low, 0x2A, 0x4D, 0x18]) for low in range(16))
"""Magic numbers of skippable frames (RFC 8878, section 3.1.2)."""
_DICTIONARY = _SKIPPABLE[0xD]
"""The frame that holds the dictionary of all others, in front of them."""
_MAX_DICTIONARY = 64 * 2**20
_RECORD = b"WARC/"
_READ = 2**18
STEP = 2**16
"""Bytes that are unpacked at once, at most."""
_PACKED_STEP = 2**14


class DamageError(Exception):
    """What is wrong at this place, in words."""


class Members:
    """Reads `file` forward, one member after the other.

    `begin_next` goes to the next member, and `fill` unpacks more of it into `buffer`.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start = 0  # the offset in the file of `_raw`
        self._raw = b""
        self._ended = True
        self._member: Any = None
        self._dictionary: Any = None
        self.offset = 0
        """Where the current member begins in the file (bytes)."""
        self.buffer = b""
        """Bytes of the current member that the reader has not taken yet."""
        self._magic = self._find_format()

    @property
    def is_plain(self) -> bool:
        return not self._magic

    def is_last(self) -> bool:
        """Whether nothing follows the current member; reads to its end to know it."""
        while self.fill():
            self.buffer = b""
        return not self._has_raw(1)

    def begin_next(self) -> bool:
        """Go to the next member; False at the end of the file. Raises DamageError."""
        self.buffer = b""
        if not self._has_raw(4):
            self._ended = True
            return False
        self.offset = self._start
        if self._magic and not self._raw.startswith(self._magic):
            if self._raw[:4] in _SKIPPABLE:
                self._skip_frame()
                return self.begin_next()
            raise DamageError("neither a record nor the end of the file")
        self._member = self._new_member()
        self._ended = False
        return True

    def fill(self) -> bool:
        """Unpack more of the member into `buffer`; False if there is no more of it.

        Raises DamageError, also where the file ends in the middle of the member.
        """
        while not self._ended:
            if piece := self._unpack():
                self.buffer = self.buffer + piece if self.buffer else piece
                return True
        return False

    def seek(self, offset: int) -> None:
        """Go on at a member that begins at `offset`, with `begin_next`."""
        self._file.seek(offset)
        self._start, self._raw, self._ended = offset, b"", True

    def find_next(self) -> bool:
        """Go behind a damaged member, to the next one that a record begins.

        False if there is none.
        """
        if self.is_plain:
            return False
        position = self.offset + 1
        while (found := self._search(position)) is not None:
            if self._begins_record(found):
                self.seek(found)
                return True
            position = found + 1
        return False

    def _find_format(self) -> bytes:
        self._has_raw(4)
        if self._raw[:4] == _DICTIONARY:
            self._dictionary = self._read_dictionary()
        if self._raw[:4] == _ZSTD or self._raw[:4] in _SKIPPABLE:
            return _ZSTD
        return _GZIP if self._raw.startswith(_GZIP) else b""

    def _has_raw(self, size: int) -> bool:
        """Read until there are `size` bytes, or as many as are left; False for none.

        Zeros at the end, as on a tape, are nothing.
        """
        while True:
            while len(self._raw) < size and (more := self._file.read(_READ)):
                self._raw += more
            if not self._raw or self._raw.strip(b"\0"):
                return bool(self._raw)
            self._take(len(self._raw))

    def _unpack(self) -> bytes:
        """Some more of the member, perhaps nothing yet."""
        if not self._raw and self._needs_input():
            self._raw = self._file.read(_READ)
            if not self._raw:
                self._ended = True
                if self._magic:
                    raise DamageError("the file ends in the middle of a record")
                return b""
        if not self._magic:
            return self._take(len(self._raw))
        try:
            piece: bytes = self._member.decompress(self._feed(), STEP)
        except (zlib.error, _zstd_error(), EOFError) as error:
            self._ended = True
            raise DamageError(f"the compressed data is damaged: {error}") from None
        if self._member.eof:
            self._ended = True
            self._put_back(self._member.unused_data)
        elif self._magic == _GZIP:
            self._put_back(self._member.unconsumed_tail)
        return piece

    def _needs_input(self) -> bool:
        return self._magic != _ZSTD or bool(self._member.needs_input)

    def _feed(self) -> bytes:
        """The next input; zstd keeps what it cannot unpack yet to itself."""
        return self._take(_PACKED_STEP) if self._needs_input() else b""

    def _take(self, size: int) -> bytes:
        data, self._raw = self._raw[:size], self._raw[size:]
        self._start += len(data)
        return data

    def _put_back(self, data: bytes) -> None:
        self._raw = data + self._raw
        self._start -= len(data)

    def _new_member(self) -> Any:
        if self._magic == _ZSTD:
            return zstd().ZstdDecompressor(zstd_dict=self._dictionary)
        return zlib.decompressobj(31) if self._magic else None

    def _skip_frame(self) -> None:
        self._has_raw(8)
        size = int.from_bytes(self._raw[4:8], "little")
        self.seek(self._start + 8 + size)

    def _read_dictionary(self) -> Any:
        self._has_raw(8)
        size = int.from_bytes(self._raw[4:8], "little")
        if size > _MAX_DICTIONARY:
            raise DamageError(f"a dictionary of {size} bytes")
        self._has_raw(8 + size)
        data = self._raw[8 : 8 + size]
        module = zstd()
        try:
            if data.startswith(_ZSTD):  # it is compressed itself
                data = module.ZstdDecompressor().decompress(data, _MAX_DICTIONARY)
            return module.ZstdDict(data)
        except (module.ZstdError, ValueError) as error:
            raise DamageError(f"the dictionary is damaged: {error}") from None

    def _search(self, position: int) -> int | None:
        """The offset of the next magic number from `position` on."""
        self._file.seek(position)
        overlap = b""
        while block := self._file.read(_READ):
            block = overlap + block
            if (found := block.find(self._magic)) >= 0:
                return position - len(overlap) + found
            position += len(block) - len(overlap)
            overlap = block[1 - len(self._magic) :]
        return None

    def _begins_record(self, offset: int) -> bool:
        self._file.seek(offset)
        try:
            start = self._new_member().decompress(self._file.read(4096), len(_RECORD))
        except (zlib.error, _zstd_error(), EOFError):
            return False
        return bool(start == _RECORD)


def _zstd_error() -> type[Exception]:
    error: type[Exception] = zstd().ZstdError
    return error
