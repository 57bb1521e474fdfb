"""`[fields]`, `[[site]]`, `[[api]]`: a field is a selector, or a table with its type.

The selectors are compiled when the settings are read, so a mistake in one is told with
its place in the file. A configuration without fields imports nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, get_args

import msgspec

from crawler.model.config import Config
from crawler.model.content_config import (
    ApiConfig,
    FieldConfig,
    FieldType,
    SiteConfig,
)
from crawler.model.errors import UsageError
from crawler.settings.checks import TableError, in_terms_of_toml

T = TypeVar("T", SiteConfig, ApiConfig)
_A = {"site": "a site", "api": "an API"}
_PLAIN_API = ApiConfig("")


def read_fields(value: Any, *above: str | int) -> dict[str, FieldConfig]:
    """The fields of a table of selectors, or of tables. Raises TableError."""
    if not isinstance(value, Mapping):
        raise TableError("fields are a table: write [fields]", *above)
    return {name: _read_field(name, one, above) for name, one in value.items()}


def read_sites(value: Any) -> tuple[SiteConfig, ...]:
    """The sites of a list of tables. Raises TableError."""
    from crawler.extract.fields.fields import compile_site

    return tuple(_read_tables(value, "site", SiteConfig, compile_site))


def read_apis(value: Any) -> tuple[ApiConfig, ...]:
    """The APIs of a list of tables. Raises TableError."""
    from crawler.extract.fields.fields import compile_api

    return tuple(_read_tables(value, "api", ApiConfig, compile_api))


def _read_field(name: str, value: Any, above: tuple[str | int, ...]) -> FieldConfig:
    if isinstance(value, str):
        value = {"select": value}
    try:
        field = msgspec.convert(value, FieldConfig)
    except msgspec.ValidationError as error:
        raise TableError(
            f"field {name!r}: {_explain(value, FieldConfig, error)}", *above, name
        ) from error
    from crawler.extract.fields.errors import RuleError
    from crawler.extract.fields.fields import compile_rules

    try:
        compile_rules({name: field})
    except RuleError as error:
        raise TableError(str(error), *above, name) from error
    return field


def _explain(
    value: Any, of: type[msgspec.Struct], error: msgspec.ValidationError
) -> str:
    """What is wrong with a table, or with one that should be there."""
    types = get_args(FieldType)
    if not isinstance(value, Mapping):
        return f"write a selector, or a table with `select` ({value!r})"
    if of is FieldConfig and value.get("type", "str") not in types:
        return f"type: {value['type']!r} is not one of {', '.join(types)}"
    known = of.__struct_fields__
    if unknown := [name for name in value if name not in known]:
        from crawler.extract.fields.errors import near

        return f"there is no {unknown[0]!r}{near(unknown[0], known)}"
    required = [field.name for field in msgspec.structs.fields(of) if field.required]
    if missing := [name for name in required if name not in value]:
        return f"{missing[0]!r} is missing"
    text, _, place = str(error).partition(" - at `$.")
    if not place:
        return text
    return f"{place.rstrip('`')}: {in_terms_of_toml(text)}"


def _read_tables(
    value: Any, name: str, of: type[T], compiled: Callable[[T], object]
) -> Iterator[T]:
    """The tables `[[name]]`, each with fields, as `of`; `compiled` checks one."""
    from crawler.extract.fields.errors import RuleError

    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TableError(f"{_A[name]} is a table: write [[{name}]]")
    for number, table in enumerate(value):
        one = msgspec.to_builtins(table) if isinstance(table, of) else table
        if not isinstance(one, Mapping):
            raise TableError(f"{_A[name]} is a table: write [[{name}]]", number)
        fields = read_fields(one.get("fields", {}), number, "fields")
        try:
            config = msgspec.convert({**one, "fields": fields}, of)
            compiled(config)
        except (msgspec.ValidationError, RuleError) as error:
            place = f"[[{name}]] {number + 1}"
            wrong = (
                _explain(one, of, error)
                if isinstance(error, msgspec.ValidationError)
                else str(error)
            )
            raise TableError(f"{place}: {wrong}", number) from error
        yield config


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
        return zeros(config.fields, config.site, config.api)
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


def write_apis(apis: Sequence[ApiConfig]) -> list[dict[str, Any]]:
    """The tables again, as one would write them."""
    return [
        {
            **{
                name: value
                for name in ApiConfig.__struct_fields__
                if (value := getattr(api, name)) != getattr(_PLAIN_API, name)
            },
            "fields": write_fields(api.fields),
        }
        for api in apis
    ]


READERS: Mapping[tuple[str, ...], Callable[[Any], Any]] = {
    ("fields",): read_fields,
    ("site",): read_sites,
    ("api",): read_apis,
}
WRITERS: Mapping[tuple[str, ...], Callable[[Any], Any]] = {
    ("fields",): write_fields,
    ("site",): write_sites,
    ("api",): write_apis,
}
