"""Damaged images that are kept, apart from the others (`images.keep_damaged`)."""

from __future__ import annotations

from crawler.engine import record_builder
from crawler.engine.looking import damage_of
from crawler.extract.images.formats import FORMATS
from crawler.extract.sniff import image_type
from crawler.model.crawl import Lease, Outcome
from crawler.model.documents import Image
from crawler.model.errors import ImageDecodeFailure
from crawler.model.http import Response


def damaged_image(
    lease: Lease, response: Response, failure: ImageDecodeFailure, verify: bool
) -> Outcome:
    """The outcome of an image whose header could not be read. Raises `failure`.

    That is if it does not begin as an image of a known format. `verify`: whether images
    are verified.
    """
    media_type = image_type(response.body)
    if media_type is None:
        raise failure
    image = Image(media_type, FORMATS[media_type], None, None)
    record = record_builder.image_record(lease, response, image)
    record.verified = False if verify else None
    record.damage = damage_of(failure.message)
    return Outcome(lease, record, picture=response.streamed or response.body)
