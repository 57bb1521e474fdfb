"""What the records of a crawl depend on beside the answers of its servers. No I/O."""

from __future__ import annotations

import hashlib

import msgspec

from crawler import __version__
from crawler.model.config import Config


def extraction_fingerprint(config: Config) -> bytes:
    """Whatever decides what is asked for and what is seen in it; equal where it is the
    same."""
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
                ),
            )
        )
    ).digest()
