"""The closed lists of the records: why a URL failed, why it was skipped, and others."""

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
