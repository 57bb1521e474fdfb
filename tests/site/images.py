"""Images, valid and damaged. All valid ones are 8 x 6 pixels."""

from __future__ import annotations

import random
import struct
import zlib
from base64 import b64decode

from tests.site.page import Handler, Page, ok, raw, reply
from tests.site.server import Exchange


def png(width: int = 8, height: int = 6, pixel: bytes = b"\xc8\x1e\x1e") -> bytes:
    """A PNG in one colour."""
    return _png(width, height, (b"\0" + pixel * width) * height)


def noise(width: int, height: int) -> bytes:
    """A PNG of random pixels, which does not compress."""
    chance = random.Random(width)
    return _png(
        width,
        height,
        b"".join(b"\0" + chance.randbytes(3 * width) for _ in range(height)),
    )


def _png(width: int, height: int, rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(rows)
    parts = (b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


PNG = png()
GIF = b64decode(
    "R0lGODdhCAAGAIEAAMgeHgAAAAAAAAAAACwAAAAACAAGAAAIDgABCBxIsKDBgwgTDgwIADs="
)
JPEG = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4"
    "UG1RV19iZ2hnPk1xeXBkeFxlZ2P/2wBDARESEhgVGC8aGi9jQjhCY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2Nj"
    "Y2NjY2NjY2NjY2NjY2NjY2NjY2NjY2P/wAARCAAGAAgDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAX/xAAU"
    "EAEAAAAAAAAAAAAAAAAAAAAA/8QAFQEBAQAAAAAAAAAAAAAAAAAABAb/xAAUEQEAAAAAAAAAAAAAAAAAAAAA/9oADAMB"
    "AAIRAxEAPwCOACqH/9k="
)
WEBP = b64decode("UklGRiIAAABXRUJQVlA4TBYAAAAvB0ABAAdQjyLXo/8BgCD8b5uI6H8I")
AVIF = b64decode(
    "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAA"
    "AAAAAAAAAAAAAAAOcGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAAJQAAAChpaW5mAAAAAAABAAAA"
    "GmluZmUCAAAAAAEAAGF2MDFDb2xvcgAAAABqaXBycAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAACAAAAAYAAAAQcGl4aQAA"
    "AAADCAgIAAAADGF2MUOBAAwAAAAAE2NvbHJuY2x4AAEADQAGgAAAABdpcG1hAAAAAAAAAAEAAQQBAoMEAAAALW1kYXQS"
    "AAoIGAi9aICGg0IyFxxHh4Xd0000wsAAAJA1jjx+vgy3aCZK"
)
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="6">'
    b'<path d="M0 0h8"/></svg>'
)


def numbered(exchange: Exchange) -> None:
    """An image with a colour of its own for each number in the path."""
    number = int(exchange.arg("1").partition(".")[0])
    exchange.reply(png(pixel=struct.pack(">I", number)[1:]), "image/png")


def picture(data: bytes, content_type: str) -> Handler:
    return reply(data, content_type)


# name: (bytes, content type); the names say what is odd about them
PICTURES = {
    "red.png": (PNG, "image/png"),
    "red.gif": (GIF, "image/gif"),
    "red.jpg": (JPEG, "image/jpeg"),
    "red.webp": (WEBP, "image/webp"),
    "red.avif": (AVIF, "image/avif"),
    "red.svg": (SVG, "image/svg+xml"),
    "copy-of-red.png": (PNG, "image/png"),
    "no-extension": (PNG, "image/png"),
    "called-jpeg.png": (PNG, "image/jpeg"),
    "called-html.png": (PNG, "text/html"),
    "called-octets.png": (PNG, "application/octet-stream"),
    "cut.png": (PNG[:40], "image/png"),
    "cut.jpg": (JPEG[:100], "image/jpeg"),
    "empty.png": (b"", "image/png"),
    "html.png": (b"<!doctype html><p>no picture", "image/png"),
    "zero-size.png": (png(0, 0), "image/png"),
    "huge-size.png": (
        PNG[:16] + struct.pack(">II", 2**31 - 1, 2**31 - 1) + PNG[24:],
        "image/png",
    ),
    "svg-bomb.svg": (
        b'<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
        b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
        b'<svg xmlns="http://www.w3.org/2000/svg"><text>&c;&c;&c;</text></svg>',
        "image/svg+xml",
    ),
    "..%2f..%2fescape.png": (PNG, "image/png"),
}


def image(exchange: Exchange) -> None:
    data, content_type = PICTURES["/".join(exchange.args).replace("/", "%2f")]
    exchange.reply(data, content_type)


GALLERY = "<title>Gallery</title>" + "".join(
    f'<img src="/image/{name}">' for name in PICTURES
)

PAGES = [
    *[Page(f"/image/{name}", image, ok(data)) for name, (data, _) in PICTURES.items()],
    Page("/image-numbered/1.png", numbered, ok()),
    Page("/image-missing.png", reply("<p>gone", status=404), ok(b"<p>gone", 404)),
    Page(
        "/image-drop.png",
        raw(
            b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"
            b"Content-Length: %d\r\n\r\n" % len(PNG),
            PNG[:30],
        ),
    ),
    Page(
        "/image-redirect.png",
        reply(status=302, headers=(("Location", "/image/red.png"),)),
    ),
    Page("/gallery", reply(GALLERY), ok(GALLERY.encode())),
]
