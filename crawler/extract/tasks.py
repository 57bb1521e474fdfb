"""The tasks of the extraction process, by name.

A task is a pure function from bytes to bytes, named by module and function, because the
process that runs it is another one and imports it for itself. How the bytes are coded
is an affair between the task and its caller, so that the process need not know. A new
task is one function and one line in TASKS; a plug-in adds its own to a copy of it.

The first task is extraction itself. Its two ends are both here: `encode_order` and
`decode_document` for the caller, `document` for the process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import MsgspecError, Struct
from msgspec.msgpack import Decoder, Encoder

from crawler.extract.extractor import Extractor, InlineExtractor
from crawler.model.crawl import Destination
from crawler.model.documents import Document
from crawler.model.errors import ExtractFailure
from crawler.model.http import Response
from crawler.model.policy_config import LimitsConfig

Task = Callable[[bytes], bytes]
"""Raises BodyFailure; any other exception becomes an ExtractFailure for the caller."""

DOCUMENT = "document"

TASKS: Mapping[str, str] = {
    DOCUMENT: "crawler.extract.tasks:document",
}
"""Where each task is found: `module:function`."""


class DocumentOrder(Struct, frozen=True, array_like=True):
    """The arguments of `Extractor.extract`."""

    response: Response
    destination: Destination
    limits: LimitsConfig
    with_text: bool
    named_sitemap: bool


_encode = Encoder().encode
_decode_order = Decoder(DocumentOrder).decode
_decode_document: Decoder[Document] = Decoder(Document)


def document_task(extractor: Extractor) -> Task:
    """The task that has `extractor` make a Document of an encoded order."""

    def document(payload: bytes) -> bytes:
        order = _decode_order(payload)
        found = extractor.extract(
            order.response,
            order.destination,
            order.limits,
            with_text=order.with_text,
            named_sitemap=order.named_sitemap,
        )
        return _encode(found)

    return document


document = document_task(InlineExtractor())


def encode_order(
    response: Response,
    destination: Destination,
    limits: LimitsConfig,
    with_text: bool,
    named_sitemap: bool,
) -> bytes:
    return _encode(
        DocumentOrder(response, destination, limits, with_text, named_sitemap)
    )


def decode_document(result: bytes) -> Document:
    """Decode the result of an untrusted process.

    That process has read untrusted bytes. Raises ExtractFailure if `result` is no
    Document.
    """
    try:
        return _decode_document.decode(result)
    except MsgspecError as error:
        raise ExtractFailure(f"no document: {error}") from error
