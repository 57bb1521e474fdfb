"""codings: every coding, stacked, cut anywhere, with huge output, damaged.

The cases follow RFC 9110 section 8.4, RFC 1950 to 1952, RFC 7932 and RFC 8878.
"""

from __future__ import annotations

import gzip
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.fetch.http1.codings import (
    ACCEPT_ENCODING,
    CODINGS,
    MAX_MEMBERS,
    STEP,
    body_decoder,
)
from crawler.model.errors import DecodeFailure

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = b"To be, or not to be. " * 40
MB = 2**20


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


def wide_zstd(log: int) -> bytes:
    """A frame of unknown size that needs a window of 2**log bytes."""
    parameters = {zstd.CompressionParameter.window_log: log}
    compressor = zstd.ZstdCompressor(options=parameters)
    return compressor.compress(TEXT) + compressor.flush()


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
}
GZ, ZL, RAW, BR, ZS = (f(TEXT) for f in [*list(ENCODERS.values())[:2], raw_deflate,
                                         brotli.compress, zstd.compress])  # fmt: skip
SKIPPABLE = bytes.fromhex("502a4d18") + (3).to_bytes(4, "little") + b"abc"


def decode(
    encoding: str, *pieces: bytes, limit: int = 10 * MB, finish: bool = True
) -> bytes:
    decoder = body_decoder(encoding, limit)
    if decoder is None:
        return b"".join(pieces)
    out = [part for piece in pieces if piece for part in decoder.feed(piece)]
    if finish:
        decoder.finish()
    return b"".join(out)


def with_extras(flags: int, extras: bytes) -> bytes:
    return GZ[:3] + bytes([flags]) + GZ[4:10] + extras + GZ[10:]


GOOD = {
    "gzip": ("gzip", GZ, TEXT),
    "x-gzip": ("x-gzip", GZ, TEXT),
    "upper case": ("GZIP", GZ, TEXT),
    "gzip with a file name": ("gzip", with_extras(8, b"page.html\0"), TEXT),
    "gzip with a comment": ("gzip", with_extras(16, b"hello\0"), TEXT),
    "gzip with an extra field": ("gzip", with_extras(4, b"\x03\x00abc"), TEXT),
    "gzip, stored only": ("gzip", gzip.compress(TEXT, 0), TEXT),
    "gzip of nothing": ("gzip", gzip.compress(b""), b""),
    "gzip, two members": ("gzip", GZ + GZ, TEXT * 2),
    "gzip, empty member between": ("gzip", GZ + gzip.compress(b"") + GZ, TEXT * 2),
    "gzip, zeros after": ("gzip", GZ + bytes(512), TEXT),
    "gzip, rubbish after": ("gzip", GZ + b"<!-- cached -->", TEXT),
    "gzip, one byte of magic after": ("gzip", GZ + b"\x1f", TEXT),
    "gzip, magic-like rubbish after": ("gzip", GZ + b"\x1f\x8c\x08", TEXT),
    "gzip, zeros, then a member": ("gzip", GZ + b"\0" + GZ, TEXT),
    "deflate, zlib": ("deflate", ZL, TEXT),
    "deflate, raw": ("deflate", RAW, TEXT),
    "deflate, zlib, stored": ("deflate", zlib.compress(TEXT, 0), TEXT),
    "deflate, zlib, best": ("deflate", zlib.compress(TEXT, 9), TEXT),
    "deflate, zlib of nothing": ("deflate", zlib.compress(b""), b""),
    "deflate, raw of nothing": ("deflate", raw_deflate(b""), b""),
    "deflate, rubbish after": ("deflate", ZL + b"xyz", TEXT),
    "deflate raw, rubbish after": ("deflate", RAW + b"xyz", TEXT),
    "br": ("br", BR, TEXT),
    "br of nothing": ("br", brotli.compress(b""), b""),
    "br, generic window": ("br", brotli.compress(TEXT, lgwin=24), TEXT),
    "br, fastest": ("br", brotli.compress(TEXT, quality=0), TEXT),
    "zstd": ("zstd", ZS, TEXT),
    "zstd of nothing": ("zstd", zstd.compress(b""), b""),
    "zstd, two frames": ("zstd", ZS + ZS, TEXT * 2),
    "zstd, skippable frame first": ("zstd", SKIPPABLE + ZS, TEXT),
    "zstd, skippable frame last": ("zstd", ZS + SKIPPABLE, TEXT),
    "zstd, window of 8 MB": ("zstd", wide_zstd(23), TEXT),
    "empty gzip body": ("gzip", b"", b""),
    "empty deflate body": ("deflate", b"", b""),
    "empty br body": ("br", b"", b""),
    "empty zstd body": ("zstd", b"", b""),
    "empty stacked body": ("gzip, br", b"", b""),
    "gzip, then br": ("gzip, br", brotli.compress(GZ), TEXT),
    "gzip twice": ("gzip,gzip", gzip.compress(GZ), TEXT),
    "deflate, then zstd": ("deflate , zstd", zstd.compress(ZL), TEXT),
    "five layers": ("gzip," * 4 + "gzip", gzip.compress(gzip.compress(gzip.compress(
        gzip.compress(GZ)))), TEXT),
    "identity": ("identity", TEXT, TEXT),
    "identity among others": ("identity, gzip", GZ, TEXT),
    "no coding named": ("", TEXT, TEXT),
    "a charset in the wrong place": ("utf-8", TEXT, TEXT),
    "a word that is no coding": ("none, gzip", GZ, TEXT),
}  # fmt: skip

BAD = {
    "gzip, plain body": ("gzip", TEXT),
    "gzip, half": ("gzip", GZ[: len(GZ) // 2]),
    "gzip, one byte": ("gzip", GZ[:1]),
    "gzip, header only": ("gzip", GZ[:10]),
    "gzip, no trailer": ("gzip", GZ[:-8]),
    "gzip, half a trailer": ("gzip", GZ[:-3]),
    "gzip, wrong checksum": ("gzip", GZ[:-8] + b"\0\0\0\0" + GZ[-4:]),
    "gzip, wrong length": ("gzip", GZ[:-4] + b"\0\0\0\0"),
    "gzip, unknown method": ("gzip", GZ[:2] + b"\x07" + GZ[3:]),
    "gzip, reserved flags": ("gzip", GZ[:3] + b"\xe0" + GZ[4:]),
    "gzip, second member half": ("gzip", GZ + GZ[:20]),
    "gzip, second member damaged": ("gzip", GZ + GZ[:12] + b"\xff\xff\xff" + GZ[15:]),
    "gzip in truth deflate": ("gzip", ZL),
    "deflate, half": ("deflate", ZL[: len(ZL) // 2]),
    "deflate, one byte": ("deflate", ZL[:1]),
    "deflate, wrong checksum": ("deflate", ZL[:-4] + b"\0\0\0\0"),
    "deflate, no checksum": ("deflate", ZL[:-4]),
    "deflate raw, half": ("deflate", RAW[: len(RAW) // 2]),
    "deflate, with dictionary": ("deflate", b"\x78\xbb" + ZL[2:]),
    "deflate, reserved block type": ("deflate", b"\x07\x00"),
    "br, plain body": ("br", TEXT),
    "br, half": ("br", BR[: len(BR) // 2]),
    "br, rubbish after": ("br", BR + b"xyz"),
    "br, large window": ("br", b"\x11" + BR),
    "zstd, plain body": ("zstd", TEXT),
    "zstd, half": ("zstd", ZS[: len(ZS) // 2]),
    "zstd, one byte": ("zstd", ZS[:1]),
    "zstd, rubbish after": ("zstd", ZS + b"xyz"),
    "zstd, second frame half": ("zstd", ZS + ZS[:10]),
    "zstd, half a skippable frame": ("zstd", ZS + SKIPPABLE[:-1]),
    "zstd, window of 16 MB": ("zstd", wide_zstd(24)),
    "zstd, window of 128 MB": ("zstd", wide_zstd(27)),
    "outer layer half": ("gzip, br", brotli.compress(GZ)[:-5]),
    "inner layer half": ("gzip, br", brotli.compress(GZ[:-5])),
    "layers in the wrong order": ("br, gzip", brotli.compress(GZ)),
    "six layers": (", ".join(["gzip"] * 6), GZ),
    "compress": ("compress", TEXT),
    "x-compress": ("x-compress", TEXT),
    "a dictionary's coding": ("dcb", TEXT),
    "exi": ("exi", TEXT),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_bodies(name: str) -> None:
    encoding, wire, text = GOOD[name]
    assert decode(encoding, wire) == text
    assert decode(encoding, *(bytes([byte]) for byte in wire)) == text


@pytest.mark.parametrize("name", BAD)
def test_bad_bodies(name: str) -> None:
    encoding, wire = BAD[name]
    with pytest.raises(DecodeFailure) as whole:
        decode(encoding, wire)
    with pytest.raises(DecodeFailure):
        decode(encoding, *(bytes([byte]) for byte in wire))
    assert (whole.value.code, whole.value.at_stage) == ("decode", "decode")


def test_accept_encoding_names_the_table() -> None:
    assert ACCEPT_ENCODING == "gzip, deflate, br, zstd"
    assert set(CODINGS) == set(ENCODERS)


# -- limits


@pytest.mark.parametrize("coding", ENCODERS)
def test_output_stops_at_the_limit(coding: str) -> None:
    decoder = body_decoder(coding, 1000)
    assert decoder is not None
    out = b"".join(decoder.feed(ENCODERS[coding](b"a" * 1001)))
    decoder.finish()
    assert (out, decoder.truncated) == (b"a" * 1000, True)
    assert decoder.feed(b"anything") == []


@pytest.mark.parametrize("coding", ENCODERS)
def test_output_of_just_the_limit_is_whole(coding: str) -> None:
    decoder = body_decoder(coding, 1000)
    assert decoder is not None
    out = b"".join(decoder.feed(ENCODERS[coding](b"a" * 1000)))
    decoder.finish()
    assert (len(out), decoder.truncated) == (1000, False)


def bomb(*layers: str) -> bytes:
    data = bytes(30 * MB)
    for coding in layers:
        data = ENCODERS[coding](data)
    return data


@pytest.mark.parametrize("layers", [("gzip",), ("zstd",), ("br",), ("deflate", "gzip")])
def test_a_decompression_bomb_costs_no_more_than_the_limit(
    layers: tuple[str, ...],
) -> None:
    wire = bomb(*layers)
    tracemalloc.start()
    out = decode(", ".join(layers), wire, limit=MB)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(out) == MB
    assert peak < 6 * MB


def test_an_inner_layer_is_limited_too() -> None:
    # The outer gzip decodes to 200 kB of inner gzip with more members than are allowed.
    inner = gzip.compress(b"") * 10_000
    decoder = body_decoder("gzip, gzip", 1000)
    assert decoder is not None
    assert decoder.feed(gzip.compress(inner)) == []
    assert decoder.truncated


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_endless_empty_members_are_refused(coding: str) -> None:
    empty = ENCODERS[coding](b"")
    decoder = body_decoder(coding, 1000, max_members=50)
    assert decoder is not None
    assert decoder.feed(empty * 50) == []
    decoder.finish()
    with pytest.raises(DecodeFailure, match="more than 50"):
        decoder.feed(empty)


# -- any cut of the bytes


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=3000),
    st.lists(st.sampled_from(list(ENCODERS)), min_size=1, max_size=3),
    st.lists(st.integers(0, 10_000), max_size=8),
)
def test_any_cut_gives_the_same_body(
    data: bytes, layers: list[str], places: list[int]
) -> None:
    wire = data
    for coding in layers:
        wire = ENCODERS[coding](wire)
    edges = [0, *sorted(place % len(wire) for place in places), len(wire)]
    pieces = [wire[a:b] for a, b in pairwise(edges)]
    assert decode(", ".join(layers), *pieces) == data


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(list(ENCODERS)), st.data())
def test_a_prefix_is_never_taken_for_the_whole(
    coding: str, data: st.DataObject
) -> None:
    wire = ENCODERS[coding](TEXT)
    end = data.draw(st.integers(1, len(wire) - 1))
    with pytest.raises(DecodeFailure):
        decode(coding, wire[:end])


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(list(ENCODERS)), st.binary(max_size=200), st.integers(0, 60))
def test_damage_is_decoded_or_refused(coding: str, noise: bytes, at: int) -> None:
    wire = ENCODERS[coding](TEXT)
    damaged = wire[:at] + noise + wire[at + len(noise) :]
    with suppress(DecodeFailure):  # any other exception would end the crawl
        decode(coding, damaged)


@pytest.mark.parametrize("coding", ENCODERS)
def test_long_output_arrives_in_steps(coding: str) -> None:
    decoder = CODINGS[coding](MAX_MEMBERS)
    pieces = list(decoder.feed(ENCODERS[coding](bytes(10 * STEP)), 20 * STEP))
    assert sum(map(len, pieces)) == 10 * STEP
    assert max(map(len, pieces)) <= 4 * STEP
    assert decoder.finished()
