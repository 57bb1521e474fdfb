"""The exit code of a crawl that finished: was it a success? No I/O."""

from __future__ import annotations

from collections.abc import Collection, Mapping

SeedFailures = Collection[tuple[str, int | None]]
"""(error_code, status) of each seed that failed."""

DONE = 0
SEEDS_UNREACHABLE = 4
SEEDS_UNTRUSTED = 5
SEEDS_FORBIDDEN = 6
TOO_MANY_FAILURES = 8
SEEDS_EXCLUDED = 9
NO_PAGE = 10
"""The seeds were answered, with an error such as 404 or 500, or led to no page."""
URLS_WAIT = 75
"""EX_TEMPFAIL of sysexits.h: hosts are parked, or the run was stopped by a signal.

It comes before all others, since a resume may change what they tell.
"""

_AUTHENTICATION = frozenset({401, 403, 407})
_UNANSWERED = frozenset({
    "dns_nxdomain", "dns_timeout", "dns_servfail", "connect_refused",
    "connect_timeout", "connect_unreachable", "blocked_address", "tls_handshake",
    "proxy", "read_timeout", "total_timeout", "reset", "protocol", "host_parked",
})  # fmt: skip
"""The codes of errors for which there was no answer in HTTP, or none that is whole."""


def exit_code(
    seed_failures: SeedFailures,
    counts: Mapping[str, int],
    fail_on: str,
    seeds: int = 1,
    *,
    only_files: bool = False,
) -> int:
    """The code of the list in the README, section "Exit codes".

    `counts` are URLs by state over the whole crawl; `fail_on` is the user's measure of
    failure: "any", "seed", a share such as "5%", or "" for none; `seeds`: their number;
    `only_files`: whether files alone are a success, as with an `[[api]]`.
    """
    fetched = counts["page"] + counts["file"] + counts["image"]
    suffice = only_files or not _led_on(counts, seeds)
    if not counts["page"] and not (fetched and suffice):
        return _of_nothing(seed_failures, counts["skip"] > 0)
    return (
        TOO_MANY_FAILURES
        if _failed(seed_failures, counts["error"], fetched, fail_on)
        else DONE
    )


def _led_on(counts: Mapping[str, int], seeds: int) -> bool:
    """Whether the seeds were sitemaps, or other files that lead to pages.

    Files that are wanted for themselves, such as pictures and papers, do not count.
    """
    known = sum(counts.values()) - counts["image"] - counts.get("redirect", 0)
    return known > seeds


def _of_nothing(seed_failures: SeedFailures, excluded: bool) -> int:
    """Zero pages are never a success; the seeds tell why there are none."""
    if not seed_failures:
        return SEEDS_EXCLUDED if excluded else NO_PAGE
    if any(code == "tls_verify" for code, _ in seed_failures):
        return SEEDS_UNTRUSTED
    if all(status in _AUTHENTICATION for _, status in seed_failures):
        return SEEDS_FORBIDDEN
    if any(code in _UNANSWERED for code, _ in seed_failures):
        return SEEDS_UNREACHABLE
    return NO_PAGE


def _failed(
    seed_failures: SeedFailures, errors: int, fetched: int, fail_on: str
) -> bool:
    if fail_on == "seed":
        return bool(seed_failures)
    if fail_on.endswith("%"):
        return errors * 100 > float(fail_on[:-1]) * (errors + fetched)
    return fail_on == "any" and errors > 0
