"""Variables of the environment that begin as settings do, and name none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec.json import encode

from crawler.model.config import Config
from crawler.settings.fields import Key, keys

PREFIX = "ORBWEB_"
_EXCHANGE = "ORBWEB_EXCHANGE_"
"""Variables of a crawl by several machines; see `fleet/address.py`."""


def variables() -> dict[str, Key]:
    """The setting of each variable: `ORBWEB_HTTP_TIMEOUT`, ..."""
    return {PREFIX + "_".join(path).upper(): key for path, key in keys().items()}


def similar_variable(name: str, known: Iterable[str]) -> str:
    """The variable that is spelt like `name`, or "" if there is none."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, known, n=1, cutoff=0.85)), "")


def unknown_variables(
    environ: Mapping[str, str], configs: Sequence[Config]
) -> Iterator[str]:
    """A warning for each variable that is no setting, and that no setting reads.

    It is no error, since the variable may be another program's. What lacks its section,
    as ORBWEB_MAX_PAGES does, is met with the whole name.
    """
    known = variables()
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in known or name.startswith(_EXCHANGE):
            continue
        if not any(f"env:{name}".encode() in encode(config) for config in configs):
            hint = _with_section(name, known)
            yield f"environment {name}: no such setting, it is ignored{hint}"


def _with_section(name: str, known: Mapping[str, Key]) -> str:
    last = name.removeprefix(PREFIX).lower()
    near = [variable for variable, key in known.items() if key.path[-1] == last]
    return f"; did you mean {' or '.join(near)}?" if near else ""
