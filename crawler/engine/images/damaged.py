"""Damaged images that are kept, apart from the others (`images.keep_damaged`)."""

from __future__ import annotations

from crawler.engine import record_builder
from crawler.extract.images.formats import FORMATS
from crawler.extract.sniff import image_type
from crawler.model.content_config import ImagesConfig
from crawler.model.crawl import Lease, Outcome
from crawler.model.documents import Image
from crawler.model.errors import ImageDecodeFailure
from crawler.model.http import Response


def read_damaged(
    lease: Lease,
    response: Response,
    failure: ImageDecodeFailure,
    config: ImagesConfig,
    tries: int,
) -> Outcome:
    """The outcome of an image whose header could not be read. Raises `failure`.

    That is if it may be whole when it is requested again, of `tries` times at most; if
    damaged images are not kept; and if it does not begin as an image of a known format.
    """
    media_type = image_type(response.body)
    failure.retry = response.until_close and media_type is not None
    is_last = not failure.retry or lease.attempts + 1 >= tries
    if media_type is None or not (config.keep_damaged and is_last):
        raise failure
    from crawler.engine.images.looking import damage_of  # few are kept

    image = Image(media_type, FORMATS[media_type], None, None)
    record = record_builder.image_record(lease, response, image)
    record.verified = False if config.verify else None
    record.damage = damage_of(failure.message)
    return Outcome(lease, record, picture=response.streamed or response.body)
