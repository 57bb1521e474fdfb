"""The settings that a resume has changed, as the user and the run record see them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from crawler.model.config_changes import Change, KeyPath
from crawler.model.records import SettingChange
from crawler.model.units import exact_bytes, exact_seconds
from crawler.settings.fields import keys
from crawler.settings.secrets import hidden

MAX_SHOWN = 500
"""Characters of a value that are shown: a list of rules may be long."""


def shown(changes: Iterable[Change]) -> tuple[SettingChange, ...]:
    """The changes in words, without secrets."""
    return tuple(
        SettingChange(
            ".".join(change.path),
            _text(change.path, change.before),
            _text(change.path, change.after),
        )
        for change in changes
    )


def _text(path: KeyPath, value: Any) -> str:
    text = _as_typed(path, hidden(path, value))
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _as_typed(path: KeyPath, value: Any) -> str:
    if value is None:
        return "none"
    unit = keys()[path].unit
    if unit == "bytes":
        return str(exact_bytes(value))
    if unit == "seconds":
        exact = exact_seconds(value)
        return exact if isinstance(exact, str) else f"{exact}s"
    if isinstance(value, str):
        return value or '""'
    if isinstance(value, tuple) and all(isinstance(one, str) for one in value):
        return ",".join(value) or "[]"
    return msgspec.json.encode(value).decode()
