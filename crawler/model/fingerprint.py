"""The settings that records depend on, as a fingerprint. No I/O."""

from __future__ import annotations

import hashlib

import msgspec

from crawler import __version__
from crawler.model.config import Config
from crawler.model.content_config import OutputConfig


def extraction_fingerprint(config: Config) -> bytes:
    """A hash of all settings that influence requests or what is extracted.

    A stored response may be reused only if its fingerprint equals the present one.
    """
    http, robots = config.http, config.robots
    return hashlib.sha256(
        msgspec.json.encode(
            (
                __version__,
                (http.user_agent, http.headers, http.max_body),
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
                "jsonld" in config.records.include,
            )
        )
    ).digest()


def _text(records: OutputConfig) -> tuple[str, ...]:
    """What the text of pages depends on."""
    wanted = sorted({"text", "markdown"}.intersection(records.include))
    return (records.text, *wanted) if wanted else ()
