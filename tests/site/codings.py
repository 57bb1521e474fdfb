"""Pages whose content codings are right, stacked, damaged or bombs."""

from __future__ import annotations

import gzip
import sys
import zlib

import brotli

from tests.site.page import Expect, Handler, Page, fails, ok, reply, truncated_at_limit
from tests.site.server import Exchange

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = b"<p>" + b"All the world is a stage. " * 30
GZ = gzip.compress(TEXT)
DECODE_FAULT = fails("decode", "decode")
MB = 2**20


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


def layered(count: int) -> bytes:
    body = TEXT
    for _ in range(count):
        body = gzip.compress(body)
    return body


def coded(coding: str, body: bytes, status: int = 200) -> Handler:
    return reply(body, status=status, headers=(("Content-Encoding", coding),))


def bomb(kind: str) -> bytes:
    """200 MB of zeros, compressed; "double" has nearly all of it in its inner layer.

    It repeats one compressed MB 200 times, so that a test does not wait for it. Its
    checksum is wrong, but no client reads that far.
    """
    if kind == "zstd":
        return zstd.compress(bytes(MB)) * 200
    compressor = zlib.compressobj(wbits=-15)
    block = compressor.compress(bytes(MB)) + compressor.flush(zlib.Z_FULL_FLUSH)
    once = gzip.compress(b"")[:10] + block * 200 + compressor.flush() + bytes(8)
    return gzip.compress(once) if kind == "double" else once


def reply_bomb(exchange: Exchange) -> None:
    kind = exchange.arg("gzip")
    coding = {"gzip": "gzip", "zstd": "zstd", "double": "gzip, gzip"}[kind]
    exchange.reply(bomb(kind), headers=[("Content-Encoding", coding)])


BODIES: dict[str, tuple[str, bytes, Expect]] = {
    "gzip": ("gzip", GZ, ok(TEXT)),
    "x-gzip": ("x-gzip", GZ, ok(TEXT)),
    "gzip-members": ("gzip", GZ + GZ, ok(TEXT * 2)),
    "gzip-padded": ("gzip", GZ + bytes(100), ok(TEXT)),
    "gzip-empty": ("gzip", b"", ok(b"")),
    "gzip-cut": ("gzip", GZ[:-20], DECODE_FAULT),
    "gzip-checksum": ("gzip", GZ[:-8] + bytes(8), DECODE_FAULT),
    "gzip-not": ("gzip", TEXT, DECODE_FAULT),
    "deflate": ("deflate", zlib.compress(TEXT), ok(TEXT)),
    "deflate-raw": ("deflate", raw_deflate(TEXT), ok(TEXT)),
    "deflate-cut": ("deflate", zlib.compress(TEXT)[:-6], DECODE_FAULT),
    "br": ("br", brotli.compress(TEXT), ok(TEXT)),
    "br-cut": ("br", brotli.compress(TEXT)[:-3], DECODE_FAULT),
    "br-not": ("br", TEXT, DECODE_FAULT),
    "zstd": ("zstd", zstd.compress(TEXT), ok(TEXT)),
    "zstd-frames": ("zstd", zstd.compress(TEXT) * 2, ok(TEXT * 2)),
    "zstd-cut": ("zstd", zstd.compress(TEXT)[:-3], DECODE_FAULT),
    "gzip-in-br": ("gzip, br", brotli.compress(GZ), ok(TEXT)),
    "five-layers": (", ".join(["gzip"] * 5), layered(5), ok(TEXT)),
    "six-layers": (", ".join(["gzip"] * 6), layered(6), DECODE_FAULT),
    "compress": ("compress", TEXT, DECODE_FAULT),
    "coding-utf-8": ("utf-8", TEXT, ok(TEXT)),
}

PAGES = [
    Page("/" + name, coded(coding, body), expect)
    for name, (coding, body, expect) in BODIES.items()
]
PAGES += [
    Page("/gzip-bomb/gzip", reply_bomb, truncated_at_limit()),
    Page("/zstd-bomb/zstd", reply_bomb, truncated_at_limit()),
    Page("/double-bomb/double", reply_bomb, truncated_at_limit()),
    Page("/missing-and-damaged", coded("gzip", TEXT, 404), ok(b"", 404)),
]  # fmt: skip
