"""The configuration in the state of an earlier format, in today's names. No I/O."""

from __future__ import annotations

from typing import Any

import msgspec

_RENAMED_SINCE_4: dict[str, dict[str, str]] = {
    "http": {"idle_per_host": "max_idle_per_host", "idle_total": "max_idle"},
    "politeness": {
        "wait_most": "max_wait",
        "adaptive_max": "max_adaptive_wait",
        "parkings": "max_parkings",
    },
}
"""By section: each setting that has another name in format 5."""


def upgrade_from_4(config: str) -> str:
    """The JSON of a configuration of format 4 as JSON of format 5."""
    values: dict[str, Any] = msgspec.json.decode(config)
    for section, names in _RENAMED_SINCE_4.items():
        settings = values.get(section, {})
        for old, new in names.items():
            if old in settings:
                settings[new] = settings.pop(old)
    if isinstance(output := values.get("output"), str):
        values["output"] = [output] if output else []
    return msgspec.json.encode(values).decode()
