"""The query of a link in the encoding of its document.

It is "percent-encode after encoding" of the URL Standard, section 1.3, with the
encoders of the Encoding Standard, where they differ from Python's codecs. Documents in
UTF-8 do not need it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from webencodings import Encoding

_STRIPPED = "".join(map(chr, range(0x21)))
"""The characters that the URL parser strips from both ends of a link."""

# The special-query percent-encode set of the URL Standard, as a table by byte.
_QUERY_BYTES = tuple(
    f"%{n:02X}" if n <= 0x20 or n >= 0x7F or chr(n) in "\"#<>'" else chr(n)
    for n in range(256)
)
_TAB_OR_NEWLINE = {9: None, 10: None, 13: None}

_FIRST_HALFWIDTH = 0xFF61
_FULLWIDTH = (
    "。「」、・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテト"
    "ナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン゛゜"
)
"""What the half-width katakana from _FIRST_HALFWIDTH on are in ISO-2022-JP."""
_YEN, _OVERLINE, _MINUS = "\xa5", "\u203e", "\u2212"
_SHIFTS = "\x0e\x0f\x1b"
_ASCII, _ROMAN, _KANJI = b"\x1b(B", b"\x1b(J", b"\x1b$B"

_PAIRS = bytes.fromhex(
    "A6D9 A6DA A6DB A6DC A6DD A6DE A6DF A6EC A6ED A6F3 "
    "FE59 FE61 FE66 FE67 FE6D FE7E FE90 FEA0"
)
_GB18030 = dict(
    zip(
        "\ufe10\ufe12\ufe11\ufe13\ufe14\ufe15\ufe16\ufe17\ufe18\ufe19"
        "\u9fb4\u9fb5\u9fb6\u9fb7\u9fb8\u9fb9\u9fba\u9fbb"
        "\ue78d\ue78e\ue78f\ue790\ue791\ue792\ue793\ue794\ue795\ue796"
        "\ue81e\ue826\ue82b\ue82c\ue832\ue843\ue854\ue864",
        [_PAIRS[at : at + 2] for at in range(0, len(_PAIRS), 2)] * 2,
        strict=True,
    )
)
_GB18030 |= {"\u1e3f": b"\xa8\xbc", "\ue7c7": b"\x81\x35\xf4\x37"}
"""Where the standard follows GB 18030-2022, and Python the edition of 2000."""
_NOT_IN_GB18030 = "\ue5e5"


def encode_query(href: str, encoding: Encoding) -> str:
    """`href` with its query in `encoding`."""
    before, mark, query = href.rstrip(_STRIPPED).removesuffix("#").partition("?")
    encode = _ENCODERS.get(encoding.name, _by_character(encoding))
    pieces = encode(query.translate(_TAB_OR_NEWLINE))
    return before + mark + "".join(map(_percent_encoded, pieces))


Piece = bytes | str
"""Bytes of the encoding; or a character that it lacks, which becomes a reference."""


def _percent_encoded(piece: Piece) -> str:
    if isinstance(piece, str):
        return f"%26%23{ord(piece)}%3B"
    return "".join([_QUERY_BYTES[byte] for byte in piece])


def _by_character(encoding: Encoding) -> Callable[[str], Iterator[Piece]]:
    """An encoder that asks Python's codec about each character."""
    codec = encoding.codec_info.encode

    def encode(text: str) -> Iterator[Piece]:
        for char in text:
            try:
                yield codec(char, "strict")[0]
            except UnicodeEncodeError:
                yield char

    return encode


def _gb18030(text: str) -> Iterator[Piece]:
    for char in text:
        if char in _GB18030:
            yield _GB18030[char]
        elif char == _NOT_IN_GB18030 or "\ud800" <= char <= "\udfff":
            yield char
        else:
            yield char.encode("gb18030")


def _gbk(text: str) -> Iterator[Piece]:
    """As GB18030 without its characters of four bytes."""
    for char, piece in zip(text, _gb18030(text), strict=True):
        if char == "€":
            yield b"\x80"
        else:
            yield char if len(piece) > 2 else piece


def _big5(text: str) -> Iterator[Piece]:
    """The encoder has none of the characters that only Hong Kong's extension has."""
    for char in text:
        try:
            encoded = char.encode("big5hkscs")
        except UnicodeEncodeError:
            yield char
        else:
            yield char if len(encoded) == 2 and encoded[0] < 0xA1 else encoded


def _shift_jis(text: str) -> Iterator[Piece]:
    for char in text.replace(_YEN, "\\").replace(_OVERLINE, "~"):
        try:
            encoded = char.replace(_MINUS, "\uff0d").encode("cp932")
        except UnicodeEncodeError:
            yield char
        else:
            yield _ibm_kanji()[char] if encoded[0] in _NEC_SELECTED else encoded


def _euc_jp(text: str) -> Iterator[Piece]:
    for char in text.replace(_YEN, "\\").replace(_OVERLINE, "~"):
        if char.isascii():
            yield char.encode()
        elif _FIRST_HALFWIDTH <= ord(char) < _FIRST_HALFWIDTH + len(_FULLWIDTH):
            yield bytes((0x8E, ord(char) - _FIRST_HALFWIDTH + 0xA1))
        elif (cell := _jis_x_0208().get(char)) is None:
            yield char
        else:
            yield bytes((cell[0] + 0x80, cell[1] + 0x80))


def _iso_2022_jp(text: str) -> Iterator[Piece]:
    mode = _ASCII
    for char in text:
        wanted, piece = _in_iso_2022_jp(char, mode)
        if wanted != mode:
            yield wanted
            mode = wanted
        yield piece
    if mode != _ASCII:
        yield _ASCII


def _in_iso_2022_jp(char: str, mode: bytes) -> tuple[bytes, Piece]:
    """The escape sequence of the set in which `char` is written, and its bytes."""
    if char in _SHIFTS:
        return (_ASCII if mode == _KANJI else mode), "\ufffd"
    if char in (_YEN, _OVERLINE):
        return _ROMAN, b"\\" if char == _YEN else b"~"
    if char.isascii():
        stays = mode == _ROMAN and char not in "\\~"
        return (_ROMAN if stays else _ASCII), char.encode()
    kana = ord(char) - _FIRST_HALFWIDTH
    written = _FULLWIDTH[kana] if 0 <= kana < len(_FULLWIDTH) else char
    cell = _jis_x_0208().get(written.replace(_MINUS, "\uff0d"))
    if cell is None:
        return (_ASCII if mode == _KANJI else mode), char
    return _KANJI, bytes(cell)


_NEC_SELECTED = b"\xed\xee"
"""First bytes of IBM's kanji where NEC put them; the encoder leaves these out."""


@cache
def _ibm_kanji() -> dict[str, bytes]:
    """Shift_JIS of each of IBM's kanji."""
    pairs = [bytes((lead, trail)) for lead in b"\xfa\xfb\xfc" for trail in range(256)]
    return {pair.decode("cp932", "ignore"): pair for pair in pairs}


@cache
def _jis_x_0208() -> dict[str, tuple[int, int]]:
    """Row and cell, from 0x21 on, of each character; of several the first."""
    cells: dict[str, tuple[int, int]] = {}
    for row in range(94):
        lead = row // 2 + (0x81 if row < 62 else 0xC1)
        for cell in range(94):
            trail = cell + 0x9F if row % 2 else cell + (0x40 if cell < 63 else 0x41)
            char = bytes((lead, trail)).decode("cp932", "ignore")
            if len(char) == 1 and not "\ue000" <= char <= "\uf8ff":
                cells.setdefault(char, (row + 0x21, cell + 0x21))
    cells.setdefault(_MINUS, cells["\uff0d"])
    return cells


_ENCODERS: dict[str, Callable[[str], Iterator[Piece]]] = {
    "big5": _big5,
    "euc-jp": _euc_jp,
    "gb18030": _gb18030,
    "gbk": _gbk,
    "iso-2022-jp": _iso_2022_jp,
    "shift_jis": _shift_jis,
}
