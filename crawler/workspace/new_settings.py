"""A resume under other settings: what may change, and what is checked anew.

A crawl that goes on takes every setting from its new configuration. Three things need
more than that, all of them in the transaction of the resume:

* What the records or the frontier are built on cannot change, and is refused.
* URLs that a former setting refused are checked anew. Those of which that was decided
  where they were found (scope, depth, nofollow) pass today's scope or stay skips; all
  others are queued, and checked when they are due. A URL that has a record of its
  refusal gets a second one then, of which the later counts, as after `orbweb retry`.
  URLs that wait and are no longer in scope become skips. What was fetched stays.
* Responses to other requests (User-Agent, headers) are not revalidated by a recrawl.
  Fields that other settings extracted are made anew there, from what was saved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from crawler.frontier.sqlite.store import SqliteStore
from crawler.model.config import Config
from crawler.model.config_changes import Change, KeyPath
from crawler.model.errors import UsageError
from crawler.model.fingerprint import request_fingerprint
from crawler.model.metadata import (
    REQUESTS,
    SEED_REDIRECTS,
    TRAPS,
    TRAPS_OUT_OF_MEMORY,
)
from crawler.workspace.outputs import keep_outputs, schema_data
from crawler.workspace.scope_check import scope_check

FIXED: dict[KeyPath, str] = {
    ("seeds",): "a resume continues with the seeds that the crawl was started with",
    ("plugin",): "a resume uses the plug-ins that the crawl was started with",
    ("records", "schema_line"): "the head of the records is written already",
    ("warc", "prefix"): "the WARC files have their names already",
}
"""The settings that cannot change, and why."""

_LIMIT_OF: dict[KeyPath, tuple[str, ...]] = {
    ("limits", "max_pages_per_host"): ("limit_host",),
    ("limits", "max_bytes_per_host"): ("limit_host",),
    ("limits", "max_time_per_host"): ("limit_host",),
    ("limits", "max_sitemaps_per_host"): ("limit_host",),
    ("limits", "max_pages_per_template"): ("limit_template",),
    ("limits", "max_redirects"): ("too_many_redirects",),
    ("http", "max_body"): ("too_large",),
    ("politeness", "max_parkings"): ("host_parked",),
}
"""The reasons and error codes for which a limit ends a URL."""

_REFUSED_BY: dict[KeyPath, tuple[str, ...]] = {
    ("limits", "traps"): ("trap",),
    **{
        ("images", f"{bound}_{what}"): ("filter_dimensions",)
        for bound in ("min", "max")
        for what in ("width", "height", "pixels", "ratio")
    },
    ("images", "min_file_size"): ("filter_bytes",),
    ("images", "max_file_size"): ("filter_bytes",),
    ("images", "formats"): ("filter_format",),
    ("images", "icons"): ("filter_icon",),
    ("login", "logout_pattern"): ("logout",),
    ("records", "only_keep"): ("not_kept",),
    ("robots", "obey"): ("robots", "robots_unavailable"),
    ("robots", "agent"): ("robots",),
    ("robots", "noai"): ("noai",),
    ("scope", "dedupe_content"): ("duplicate_content",),
    ("http", "allow_net"): ("blocked_address",),
}
"""The same of settings that are no maximum."""

_OF_THE_SCOPE = ("scope", "depth", "scheme")
_SCOPE_SETTINGS = frozenset(
    {"within", "domains", "rules", "depth", "follow_redirect", "images_within",
     "check_external"}
)  # fmt: skip


def take_new_settings(
    store: SqliteStore,
    old: Config,
    config: Config,
    changes: tuple[Change, ...],
    now: float,
) -> None:
    """Make the state of a crawl under `old` one under `config`; the caller commits.

    Raises UsageError for a setting that cannot change.
    """
    refuse_fixed(old, config, changes)
    if old.output != config.output:
        keep_outputs(store, old, config)
    scope_changed = any(_is_of_scope(change.path) for change in changes)
    again = _checked_anew(changes)
    if again is not None:
        check = scope_check(config, store.items(SEED_REDIRECTS))
        store.check_refused(now, check, again, queued=scope_changed)
    if any(change.path == ("limits", "traps") for change in changes):
        for kind in (TRAPS, TRAPS_OUT_OF_MEMORY):
            for key, _ in list(store.items(kind)):
                store.set(kind, key, None)
    fingerprint = request_fingerprint(config)
    if request_fingerprint(old) != fingerprint:
        store.forget_responses()
        store.set(REQUESTS, "", fingerprint)


def refuse_fixed(old: Config, config: Config, changes: Iterable[Change]) -> None:
    """Raise UsageError for a setting that cannot change."""
    for change in changes:
        if change.path == ("seeds",) and set(change.before) <= set(change.after):
            continue  # they are added when it goes on
        if change.path == ("warc", "prefix") and not change.before:
            continue  # there are no WARC files yet
        if (why := FIXED.get(change.path)) is not None:
            key = ".".join(change.path)
            raise UsageError(
                f"{key} can't change on a resume: {why}; begin anew with --fresh, or "
                "in another folder with --dir"
            )
    if schema_data(old) != schema_data(config):
        raise UsageError(
            "fields can't get other names or types on a resume: the head of the "
            "records has those that the crawl was started with; begin anew with "
            "--fresh, or in another folder with --dir"
        )


def _is_of_scope(path: KeyPath) -> bool:
    return path == ("seeds",) or (path[0] == "scope" and path[-1] in _SCOPE_SETTINGS)


def _checked_anew(changes: Iterable[Change]) -> Callable[[str, str], bool] | None:
    """Whether (reason or error code, rule) is checked anew; None if nothing is."""
    reasons: set[str] = set()
    rel_alone = False
    for change in changes:
        if _is_of_scope(change.path):
            reasons.update(_OF_THE_SCOPE)
        elif change.path == ("robots", "nofollow"):
            rel_alone = (change.before, change.after) == ("link", "page")
            if rel_alone or change.after == "ignore":
                reasons.add("nofollow")
        elif change.path in _REFUSED_BY:
            reasons.update(_REFUSED_BY[change.path])
        elif change.path in _LIMIT_OF and change.loosens:
            reasons.update(_LIMIT_OF[change.path])
    if not reasons:
        return None

    def again(reason: str, rule: str) -> bool:
        if reason == "nofollow" and rel_alone:
            return rule.startswith("rel:")
        return reason in reasons

    return again
