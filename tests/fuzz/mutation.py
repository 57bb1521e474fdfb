"""New inputs from known ones.

A mutation flips bytes; cuts, doubles or moves pieces; or inserts numbers and words. Now
and then it repeats a piece until the input is long: work that grows with the square of
the length shows only then.
"""

from __future__ import annotations

import random

WORDS = [
    b"\r\n",
    b"\n\n",
    b"\0",
    b"\xff",
    b"\x7f",
    b";",
    b"=",
    b",",
    b'"',
    b"\\",
    b"<",
    b">",
    b"&",
    b"%",
    b"#",
    b"//",
    b"..",
    b"0",
    b"-1",
    b"4294967296",
    b"9" * 25,
    b"\xc0\x0c",
    b"<!--",
    b"]]>",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"HTTP/1.1 100 \r\n\r\n",
    b"; Domain=",
    b"; Path=",
    b"; Max-Age=",
    b"<a href=",
    b"<img srcset=",
    b"<!DOCTYPE ",
    "\u00e9\u2028\U0001f578".encode(),
    b"\x1f\x8b\x08",
    b"(\xb5/\xfd",
]
MAX_SIZE = 4096
LONG_SIZE = 64 * 2**10
LONG_ONE_IN = 200
"""One of so many inputs is long."""


def mutate(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """A few changes to `data`, with pieces taken from `other`."""
    if chance.randrange(LONG_ONE_IN) == 0:
        return _long(data, chance)
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        at = chance.randrange(len(out) + 1)
        end = min(len(out), at + chance.choice((1, 1, 2, 4, 16, 64)))
        match chance.randrange(7):
            case 0 if at < len(out):
                out[at] ^= 1 << chance.randrange(8)
            case 1 if at < len(out):
                out[at] = chance.randrange(256)
            case 2:
                del out[at:end]
            case 3:
                out[at:at] = out[at:end] * chance.choice((1, 2, 50))
            case 4:
                out[at:at] = chance.choice(WORDS)
            case 5 if other:
                start = chance.randrange(len(other))
                out[at:end] = other[start : start + chance.choice((1, 4, 32, 200))]
            case _:
                out[at:end] = chance.choice(WORDS)
    return bytes(out[:MAX_SIZE])


def _long(data: bytes, chance: random.Random) -> bytes:
    """A piece of `data`, or a word, repeated many times, with the rest around it."""
    at = chance.randrange(len(data) + 1)
    piece = (
        data[at : at + chance.choice((1, 1, 2, 3, 8))] if chance.randrange(2) else b""
    )
    piece = piece or chance.choice(
        (*WORDS, b" ", b"\t", b"1", b"a", b"(", b"a=", b"<a", b"\n ")
    )
    before, after = data[:at][:MAX_SIZE], data[at:][:MAX_SIZE]
    return before + piece * (LONG_SIZE // len(piece)) + after
