"""`[fields]` and `[[site]]`: a field is a selector, or a table with its type.

The selectors are compiled when the settings are read, so a mistake in one is told with
its place in the file. A configuration without fields imports nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import msgspec

from crawler.model.config import Config
from crawler.model.content_config import FieldConfig, FieldType, SiteConfig
from crawler.model.errors import UsageError
from crawler.settings.checks import TableError


def read_fields(value: Any, *above: str | int) -> dict[str, FieldConfig]:
    """The fields of a table of selectors, or of tables. Raises TableError."""
    if not isinstance(value, Mapping):
        raise TableError("fields are a table: write [fields]", *above)
    return {name: _read_field(name, one, above) for name, one in value.items()}


def read_sites(value: Any) -> tuple[SiteConfig, ...]:
    """The sites of a list of tables. Raises TableError."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TableError("a site is a table: write [[site]]")
    return tuple(_read_site(one, number) for number, one in enumerate(value))


def _read_field(name: str, value: Any, above: tuple[str | int, ...]) -> FieldConfig:
    if isinstance(value, str):
        value = {"select": value}
    try:
        field = msgspec.convert(value, FieldConfig)
    except msgspec.ValidationError as error:
        raise TableError(
            f"field {name!r}: {_explain(value, error)}", *above, name
        ) from error
    from crawler.extract.fields.errors import RuleError
    from crawler.extract.fields.fields import compile_rules

    try:
        compile_rules({name: field})
    except RuleError as error:
        raise TableError(str(error), *above, name) from error
    return field


def _explain(value: Any, error: msgspec.ValidationError) -> str:
    types = get_args(FieldType)
    if isinstance(value, Mapping) and value.get("type", "str") not in types:
        return f"type: {value['type']!r} is not one of {', '.join(types)}"
    return str(error)


def _read_site(value: Any, number: int) -> SiteConfig:
    if isinstance(value, SiteConfig):
        value = msgspec.to_builtins(value)
    if not isinstance(value, Mapping):
        raise TableError("a site is a table: write [[site]]", number)
    fields = read_fields(value.get("fields", {}), number, "fields")
    try:
        site = msgspec.convert({**value, "fields": fields}, SiteConfig)
    except msgspec.ValidationError as error:
        raise TableError(f"[[site]] {number + 1}: {error}", number) from error
    from crawler.extract.fields.errors import RuleError
    from crawler.extract.fields.fields import compile_site

    try:
        compile_site(site)
    except RuleError as error:
        raise TableError(f"[[site]] {number + 1}: {error}", number) from error
    return site


def check_types(config: Config) -> None:
    """Raises UsageError for a field that has two types: see `zeros`."""
    _zeros(config)


def check_kept_types(config: Config, before: Config) -> None:
    """Raises UsageError for a field that had another type in the crawl so far.

    Its records are in the same file, whose first line tells the type.
    """
    types = _zeros(before)
    for name, zero in _zeros(config).items():
        if name in types and repr(types[name]) != repr(zero):
            raise UsageError(
                f"field {name!r} has another type in the records of the crawl so far; "
                "give it another name, or begin anew with --fresh"
            )


def _zeros(config: Config) -> dict[str, Any]:
    from crawler.extract.fields.errors import RuleError
    from crawler.extract.fields.fields import zeros

    try:
        return zeros(config.fields, config.site)
    except RuleError as error:
        raise UsageError(str(error)) from error


def write_fields(fields: Mapping[str, FieldConfig]) -> dict[str, Any]:
    """The table again, as one would write it."""
    plain = FieldConfig("")
    written: dict[str, Any] = {}
    for name, field in fields.items():
        further = {
            key: value
            for key in FieldConfig.__struct_fields__[1:]
            if (value := getattr(field, key)) != getattr(plain, key)
        }
        written[name] = {"select": field.select, **further} if further else field.select
    return written


def write_sites(sites: Sequence[SiteConfig]) -> list[dict[str, Any]]:
    """The tables again, as one would write them."""
    return [
        {
            "match": site.match,
            **({"items": site.items} if site.items else {}),
            "fields": write_fields(site.fields),
        }
        for site in sites
    ]


READERS: Mapping[tuple[str, ...], Callable[[Any], Any]] = {
    ("fields",): read_fields,
    ("site",): read_sites,
}
WRITERS: Mapping[tuple[str, ...], Callable[[Any], Any]] = {
    ("fields",): write_fields,
    ("site",): write_sites,
}
