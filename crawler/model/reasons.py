"""The closed lists of the record stream: why a URL failed, and why it was left out."""

from typing import Literal

ErrorCode = Literal[
    "dns_nxdomain", "dns_timeout", "dns_servfail",
    "connect_refused", "connect_timeout", "connect_unreachable", "blocked_address",
    "tls_verify", "tls_handshake", "proxy",
    "read_timeout", "total_timeout", "reset", "protocol",
    "too_many_redirects", "redirect_loop",
    "decode", "too_large", "parse", "extract", "image_decode",
    "status_4xx", "status_5xx", "rate_limited", "host_parked",
]  # fmt: skip

SkipReason = Literal[
    "scheme", "scope", "depth", "nofollow", "noai", "robots", "robots_deferred",
    "limit_host", "limit_template", "trap", "filter_dimensions", "duplicate_content",
]  # fmt: skip
"""A limit of the whole crawl leaves its URLs queued, for a resume with a higher one."""
