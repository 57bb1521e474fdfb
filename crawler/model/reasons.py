"""The closed lists of the records: why a URL failed, why it was skipped, and others."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Literal

ErrorCode = Literal[
    "dns_nxdomain", "dns_timeout", "dns_servfail",
    "connect_refused", "connect_timeout", "connect_unreachable", "blocked_address",
    "tls_verify", "tls_handshake", "proxy",
    "read_timeout", "total_timeout", "reset", "protocol",
    "too_many_redirects", "redirect_loop",
    "decode", "too_large", "parse", "extract", "image_decode",
    "status_4xx", "status_5xx", "status_other", "rate_limited", "host_parked",
]  # fmt: skip

SkipReason = Literal[
    "scheme", "scope", "depth", "nofollow", "noai", "robots", "robots_unavailable",
    "limit_host", "limit_template", "limit_api", "trap", "filter_dimensions",
    "filter_bytes", "filter_format", "filter_icon", "duplicate_content", "logout",
    "not_kept", "plugin",
]  # fmt: skip
"""A limit of the whole crawl skips nothing: its URLs stay queued for a resume."""

MAY_PASS: tuple[ErrorCode | SkipReason, ...] = (
    "rate_limited", "status_5xx", "connect_refused", "connect_timeout",
    "connect_unreachable", "tls_handshake", "read_timeout", "total_timeout", "reset",
    "dns_timeout", "dns_servfail", "proxy", "host_parked", "robots_unavailable",
)  # fmt: skip
"""How URLs end by which another attempt, an hour later, may succeed."""

FinishReason = Literal[
    "done", "parked", "limit_pages", "limit_time", "limit_bytes", "signal"
]
"""Why a run ended."""

Tolerated = Literal[
    "empty_line", "status_line", "http_version", "second_status_line", "no_colon",
    "field_name", "space_before_colon", "control_character", "lone_cr",
    "repeated_length", "transfer_coding", "length_and_chunked", "chunk_line",
]  # fmt: skip
"""The faults of a response that are read over (`fetch/http1/repair.py`)."""


def retry_command(folder: str, codes: Mapping[str, int]) -> tuple[int, str]:
    """How many URLs ended in a way that may pass, and what tries them again.

    `codes`: the URLs by `error_code` or `reason`. "" where there are none.

    >>> retry_command("out", {"reset": 2, "status_4xx": 9, "rate_limited": 1})
    (3, 'orbweb retry out --code rate_limited,reset')
    """
    chosen = [code for code in MAY_PASS if codes.get(code)]
    if not chosen:
        return 0, ""
    urls = sum(codes[code] for code in chosen)
    return urls, f"orbweb retry {shlex.quote(folder)} --code {','.join(chosen)}"
