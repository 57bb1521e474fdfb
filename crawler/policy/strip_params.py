"""Query parameters that are stripped from links before any other check.

The option `scope.strip_params` decides. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from crawler.model.errors import UsageError

_NAME = re.compile(r"[^\s=&#?*]+\*?").fullmatch


class ParamStripper:
    """Strips the parameters with these names.

    `utm_*` stands for all names that begin with `utm_`.

    Raises UsageError for an invalid name.
    """

    def __init__(self, names: Iterable[str]) -> None:
        patterns = []
        for name in names:
            if not _NAME(name):
                raise UsageError(
                    f"scope.strip_params: {name!r} is not a valid parameter name;"
                    " write utm_source, or utm_* for all that begin so"
                )
            stem = re.escape(name.removesuffix("*"))
            patterns.append(f"{stem}[^=&]*" if name.endswith("*") else stem)
        self._names = (
            re.compile(f"(?:{'|'.join(patterns)})(?==|$)").match if patterns else None
        )

    def stripped(self, url: str) -> str:
        """The canonical `url` without them."""
        if self._names is None or "?" not in url:
            return url
        path, _, query = url.partition("?")
        pairs = query.split("&")
        kept = [pair for pair in pairs if not self._names(pair)]
        if len(kept) == len(pairs):
            return url
        return f"{path}?{'&'.join(kept)}" if kept else path
