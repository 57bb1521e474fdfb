"""The `[[plugin]]` tables: `use`, and beside it the options of the plug-in itself.

A plug-in's options are known to the plug-in alone, so it is imported to check them; a
file without plug-ins imports nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from crawler.model.config import PluginConfig
from crawler.settings.checks import TableError


def read_plugins(value: Any) -> tuple[PluginConfig, ...]:
    """The plug-ins of a list of tables, or of names. Raises TableError."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TableError("a plug-in is a table: write [[plugin]]")
    return tuple(_read_table(table, number) for number, table in enumerate(value))


def _read_table(table: Any, number: int) -> PluginConfig:
    if isinstance(table, PluginConfig):
        config = table
    elif isinstance(table, str):
        config = PluginConfig(table)
    elif isinstance(table, dict) and isinstance(table.get("use"), str):
        options = {name: value for name, value in table.items() if name != "use"}
        for name, option in options.items():
            if msgspec.json.decode(msgspec.json.encode(option)) != option:
                raise TableError(
                    f"{name}: write a date or a time as text", number, name
                )
        config = PluginConfig(table["use"], options)
    else:
        raise TableError('a plug-in is named: write use = "module:object"', number)
    _check(config, number)
    return config


def _check(config: PluginConfig, number: int) -> None:
    from crawler.plugins.loading import PluginError, check_plugin

    try:
        check_plugin(config)
    except PluginError as error:
        below = () if error.option is None else (error.option,)
        raise TableError(str(error), number, *below) from error


def write_plugins(plugins: Sequence[PluginConfig]) -> list[dict[str, Any]]:
    """The tables again, as one would write them."""
    return [{"use": plugin.use, **plugin.options} for plugin in plugins]


READERS = {("plugin",): read_plugins}
WRITERS = {("plugin",): write_plugins}
SCHEMA = {
    "type": "array",
    "default": [],
    "items": {
        "type": "object",
        "properties": {"use": {"type": "string"}},
        "required": ["use"],
    },
}
"""JSON Schema of the tables; the options are the plug-in's own."""
