"""The settings that records depend on, as a fingerprint. No I/O."""

from __future__ import annotations

import hashlib

import msgspec

from crawler import __version__
from crawler.model.config import Config
from crawler.model.content_config import OutputConfig


def request_fingerprint(config: Config) -> bytes:
    """A hash of the program's version, and of the settings that requests depend on.

    A server may answer other requests otherwise, so a stored response may be
    revalidated only if its fingerprint equals the present one.
    """
    http = config.http
    headers = (http.user_agent, http.headers, http.max_body)
    session = http.contact, http.cookie_pairs, config.login.url, config.login.form
    return _hash((__version__, headers, *([session] if any(session) else [])))


def extraction_fingerprint(config: Config) -> bytes:
    """A hash of the settings that influence what is extracted from a response.

    The fields of a stored response may be reused only if it equals the present one;
    otherwise the body is extracted again, if it was saved.
    """
    robots = config.robots
    return _hash(
        (
            (robots.nofollow, robots.noai, robots.agent),
            (
                config.scope.strip_params,
                config.limits.max_links,
                config.images.fetch,
                config.images.styles,
            ),
            (config.plugin, config.fields, config.site, config.api),
            config.bodies,
            _text(config.records),
            sorted(_LISTS.intersection(config.records.include)),
            *(("phash",) if config.images.are_hashed else ()),
            *(("verify",) if config.images.verify else ()),
            *(("gps",) if config.images.gps else ()),
            *((config.images.thumbnails,) if config.images.thumbnails else ()),
        )
    )[:SIZE]


_LISTS = frozenset({"links", "images", "headers", "jsonld"})
SIZE = 8
"""Bytes of the second one, which is stored with each response."""


def _hash(settings: object) -> bytes:
    return hashlib.sha256(msgspec.json.encode(settings)).digest()


def _text(records: OutputConfig) -> tuple[str, ...]:
    """What the text of pages depends on."""
    wanted = sorted({"text", "markdown"}.intersection(records.include))
    return (records.text, *wanted) if wanted else ()
