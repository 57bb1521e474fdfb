"""The readers of images: binary formats, and SVG."""

from __future__ import annotations

from crawler.extract.body import Body
from crawler.extract.images.formats import HeaderWithExif, ImageHeader, read_header
from crawler.model.documents import Image


def read_image(body: Body) -> Image:
    return _image(body.media_type, read_header(body.content, body.media_type))


def read_svg(body: Body) -> Image:
    # Imported late: a crawl without SVG does not need a parser of XML.
    from crawler.extract.images.svg import read_svg_header

    header = read_svg_header(body.content, body.charset)
    return _image("image/svg+xml", header)


def _image(media_type: str, header: ImageHeader) -> Image:
    photo = None
    if isinstance(header, HeaderWithExif):
        from crawler.extract.images.photo import read_photo  # most images have none

        photo = read_photo(header.exif)
    return Image(
        media_type, header.format, header.width, header.height, header.frames, photo
    )
