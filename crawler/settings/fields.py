"""The keys of the configuration, and how a value of each is read.

The structs of `config.py` are the only source: keys, types and limits come from their
fields. A value is read from TOML (`read`), or from the text of an environment variable
or an option (`read_text`); both pass the same checks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from types import ModuleType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from crawler.model.config import Config
from crawler.model.units import parse_bytes, parse_seconds
from crawler.settings.checks import CHECKS, in_terms_of_toml

Path = tuple[str, ...]
"""`("http", "timeout")`, or `("seeds",)` at the top."""


class Key(Struct, frozen=True):
    """One key: its path, type, default and unit."""

    path: Path
    type: Any
    default: Any
    unit: Literal["seconds", "bytes"] | None
    optional: bool
    """True if "none" is a valid value."""

    @property
    def name(self) -> str:
        """The key as errors show it: `[http] timeout`."""
        return spell(self.path)


TABLES: Mapping[Path, str] = {
    ("plugin",): "plugin_tables",
    ("fields",): "field_tables",
    ("site",): "field_tables",
    ("api",): "field_tables",
}
"""The keys whose values are tables, and the file of this room that reads them."""


def table_module(path: Path) -> ModuleType:
    """The file that reads a key of TABLES; a crawl without such a key loads none."""
    return import_module(f"crawler.settings.{TABLES[path]}")


def spell(path: Path) -> str:
    """`[http] timeout`, or `seeds` for a key at the top."""
    return path[0] if len(path) == 1 else f"[{'.'.join(path[:-1])}] {path[-1]}"


@cache
def keys(struct: type[Struct] = Config) -> dict[Path, Key]:
    """All keys of a struct and its sections, in the order of their definition."""
    return {key.path: key for key in _keys(struct, ())}


def _keys(struct: type[Struct], above: Path) -> Iterator[Key]:
    for field in msgspec.structs.fields(struct):
        path = (*above, field.name)
        if isinstance(field.type, type) and issubclass(field.type, Struct):
            yield from _keys(field.type, path)
        else:
            default = (
                field.default_factory()
                if callable(field.default_factory)
                else field.default
            )
            bare = _without_none(field.type)
            yield Key(path, field.type, default, _unit(bare), bare is not field.type)


def _without_none(hint: Any) -> Any:
    """`X` for `X | None`, and the type itself otherwise."""
    members = get_args(hint)
    if type(None) not in members:
        return hint
    return next(member for member in members if member is not type(None))


def _is_union(hint: Any) -> bool:
    """Whether it is a number or one of some words."""
    return get_origin(hint) in (Union, UnionType)


def _unit(hint: Any) -> Any:
    if get_origin(hint) is Annotated:
        for meta in get_args(hint)[1:]:
            if isinstance(meta, Meta) and meta.extra:
                return meta.extra.get("unit")
    return None


def suggest(path: Path, struct: type[Struct] = Config, *, dotted: bool = False) -> str:
    """`; did you mean ...?` for a key that does not exist, or "" if none is similar.

    A key of the same name in another section is nearer than one that is spelt alike.
    `dotted`: the whole key is spelled, as `-s` takes it.
    """
    known = keys(struct)
    elsewhere = [other for other in known if other[-1] == path[-1]]
    if elsewhere:
        found = repr(".".join(elsewhere[0])) if dotted else spell(elsewhere[0])
        return f"; did you mean {found}?"
    sections = {other[:-1] for other in known if other[:-1]}
    siblings = [other for other in known if other[:-1] == path[:-1]]
    siblings += [section for section in sections if section[:-1] == path[:-1]]
    from difflib import get_close_matches

    near = get_close_matches(
        path[-1], [other[-1] for other in siblings], n=1, cutoff=0.6
    )
    if not near:
        return ""
    spelled = ".".join([*path[:-1], near[0]]) if dotted else near[0]
    return f"; did you mean {spelled!r}?"


def read(key: Key, value: Any) -> Any:
    """A TOML value as the type of its key.

    Raises ValueError with a sentence for the user.
    """
    if key.path in TABLES:
        return table_module(key.path).READERS[key.path](value)
    if key.optional and value == "none":
        return None
    if key.unit and isinstance(value, str):
        value = {"seconds": parse_seconds, "bytes": parse_bytes}[key.unit](value)
    try:
        clean = msgspec.convert(value, key.type)
    except msgspec.ValidationError as error:
        raise ValueError(_explain(key, value, str(error))) from error
    if clean and key.path in CHECKS:
        CHECKS[key.path](clean)
    return clean


def read_text(key: Key, text: str) -> Any:
    """A value from the environment or the command line, as the type of its key.

    A list is TOML, or words separated by commas. Raises ValueError as `read` does.
    """
    bare = _without_none(key.type)
    kind = get_origin(bare)
    if kind is tuple and not text.startswith("["):
        return read(key, [part.strip() for part in text.split(",") if part.strip()])
    if kind in (tuple, dict):
        return read(key, _toml(text))
    if bare is str or kind is Literal or key.unit:
        return read(key, text)
    return read(key, _toml(text.lower()) if text != "none" else text)


def _toml(text: str) -> Any:
    if text.isdecimal() and str(int(text)) == text:  # tomllib is slow to import
        return int(text)
    import tomllib

    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


_NO_VALUE = "; none means no limit, or no value"


def _explain(key: Key, value: Any, message: str) -> str:
    """msgspec's message in the terms of TOML, with the values that are valid."""
    allowed = list(choices(key.type))
    if allowed and _is_union(_without_none(key.type)):
        return f"{value!r} is neither a number from 1 on nor {' or '.join(allowed)}"
    if allowed:
        wrong = (
            next((v for v in value if v not in allowed), value)
            if isinstance(value, list)
            else value
        )
        from difflib import get_close_matches

        near = get_close_matches(str(wrong), allowed, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"{wrong!r} is not one of {', '.join(allowed)}{hint}"
    message = in_terms_of_toml(re.sub(r" - at `.*`$", "", message))
    shown = f" ({value!r})" if isinstance(value, str | int | float) else ""
    return message + shown + (_NO_VALUE if key.optional else "")


def choices(hint: Any) -> Iterator[str]:
    """The values of the Literals in a type, at any depth."""
    if get_origin(hint) is Literal:
        yield from get_args(hint)
    else:
        for member in get_args(hint):
            yield from choices(member)
