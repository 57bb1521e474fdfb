"""The configuration written out: example, effective values, JSON Schema, option help.

All of them are made from the structs of `config.py` and from the docstrings below the
fields there.
"""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from crawler.model import config as config_module
from crawler.model.config import Config, CrawlFile
from crawler.model.field_docs import field_doc
from crawler.model.units import exact_bytes, exact_seconds
from crawler.settings.fields import TABLES, Key, Path, choices, keys, table_module
from crawler.settings.load import Job
from crawler.settings.plugin_tables import SCHEMA
from crawler.settings.secrets import hidden

MAX_WIDTH = 88

_HEAD = """\
The configuration of a crawl. Every key is listed with its default: delete what you do
not change. Run it with `orbweb crawl --config FILE`; check it with
`orbweb config check FILE`.

Durations are seconds, or text such as "500ms", "30s", "2h". Sizes are bytes, or text
such as "64K", "50M". "none" means no limit, or no value. An environment variable
(ORBWEB_HTTP_TIMEOUT=30) overrides this file, and an option overrides both."""

_JOBS = """\
One file may hold several crawls: each [[job]] is a crawl with its own seeds, scope,
limits and output. What a job does not set is taken from above. For example:

[[job]]
name = "docs"
seeds = ["https://docs.example.com/"]
scope.within = "prefix"
limits.max_pages = 1000

[[job]]
name = "blog"
seeds = ["https://blog.example.com/"]
images.fetch = false"""


def explain(struct: type[Struct], field: str) -> str:
    """The whole docstring of a setting, in one line."""
    return " ".join(field_doc(struct, field).split())


def summarize(path: Path) -> str:
    """The first sentence of a setting's docstring, as the help of its option.

    It has no full stop, no backticks and no unit: the option's default shows the unit.
    """
    owner: type[Struct] = Config
    for section in path[:-1]:
        fields = msgspec.structs.fields(owner)
        owner = next(field.type for field in fields if field.name == section)
    first = re.split(r"(?<=\.)\s", explain(owner, path[-1]), maxsplit=1)[0]
    return re.sub(r" \[[a-z/]+\]$", "", first.rstrip(".")).replace("`", "")


def example_toml() -> str:
    """`config.example.toml`: all keys, their defaults, what they mean."""
    parts = [_comment(_HEAD), "", *_section(CrawlFile, ())]
    for field in msgspec.structs.fields(Config):
        if isinstance(field.type, type) and issubclass(field.type, Struct):
            summary = (inspect.getdoc(field.type) or "").partition("\n\n")[0]
            title = summary.partition(": ")[2]
            parts += [
                "",
                f"[{field.name}]",
                _comment(title[:1].upper() + title[1:]),
                "",
            ]
            parts += _section(field.type, (field.name,))
    return "\n".join([*parts, "", _comment(_JOBS)]) + "\n"


def _section(struct: type[Struct], above: Path) -> list[str]:
    lines = []
    for path, key in keys(struct).items():
        if len(path) == 1 and path != ("job",):
            text = explain(struct, path[0])
            options = " | ".join(map(json.dumps, choices(key.type)))
            lines.append(_comment(f"{text}\n{options}" if options else text))
            lines += [_pair(path[0], written(key, key.default)), ""]
    return lines[:-1]


def _pair(name: str, value: Any) -> str:
    """`name = value`; a list that is too long for a line is broken after its commas."""
    line = f"{name} = {toml_value(value)}"
    if len(line) <= MAX_WIDTH or not isinstance(value, list | tuple):
        return line
    items = ", ".join(map(toml_value, value)) + ","
    indent = " " * 4
    block = textwrap.fill(
        items, MAX_WIDTH, initial_indent=indent, subsequent_indent=indent
    )
    return f"{name} = [\n{block}\n]"


def _comment(text: str) -> str:
    lines: list[str] = []
    for line in text.splitlines():
        lines += textwrap.wrap(line, MAX_WIDTH - 2) or [""]
    return "\n".join(f"# {line}".rstrip() for line in lines)


def written(key: Key, value: Any) -> Any:
    """A value as a user would write it in the file: `"50M"`, `"none"`."""
    if value is None:
        return "none"
    if key.unit == "bytes":
        return exact_bytes(value)
    if key.path in TABLES:
        return table_module(key.path).WRITERS[key.path](value)
    return exact_seconds(value) if key.unit == "seconds" else value


def toml_value(value: Any) -> str:
    """One TOML value; tables are written in line."""
    if isinstance(value, dict):
        pairs = (
            f"{toml_value(name)} = {toml_value(item)}" for name, item in value.items()
        )
        return f"{{ {', '.join(pairs)} }}" if value else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    # JSON's strings, numbers and booleans are TOML's too, but for the bare DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def show(job: Job) -> str:
    """The effective configuration as TOML with origins; secrets are redacted."""
    return _toml(job, keys().values(), redacted=True)


def show_for_file(job: Job, *, only_changed: bool) -> str:
    """The same as a file that `--config` reads back: secrets are left out.

    `only_changed`: what is as the defaults are is left out, too.
    """
    wanted = (
        key
        for path, key in keys().items()
        if not only_changed or _value(job.config, path) != key.default
    )
    return _toml(job, wanted, redacted=False)


def _toml(job: Job, wanted: Iterable[Key], *, redacted: bool) -> str:
    lines = []
    section: Path = ()
    for key in wanted:
        path = key.path
        if path[:-1] != section:
            section = path[:-1]
            lines += ["", f"[{'.'.join(section)}]"]
        value = written(key, _value(job.config, path))
        shown, origin = hidden(path, value), job.origins.get(path, "default")
        pair = f"{path[-1]} = {toml_value(shown)}"
        if shown != value and not redacted:
            pair, more = _without_secrets(path[-1], value, shown)
            origin += more
        lines.append(f"{pair:<44}  # {origin}")
    return "\n".join(lines) + "\n"


def _without_secrets(name: str, value: Any, shown: Any) -> tuple[str, str]:
    """The pair without what `shown` hides of `value`, and a remark on that."""
    if isinstance(value, dict):
        left = [one for one in value if shown[one] != value[one]]
        kept = {one: text for one, text in value.items() if one not in left}
        names = ", ".join(left)
        return (
            f"{name} = {toml_value(kept)}",
            f"; without {names}: write it as env:NAME",
        )
    return f"# {name} = {toml_value(shown)}", "; a secret: write it as env:NAME"


def _value(config: Any, path: Path) -> Any:
    for name in path:
        config = getattr(config, name)
    return config


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the file, for editors that complete and check TOML."""
    (schema,), definitions = msgspec.json.schema_components(
        [CrawlFile], ref_template="#/$defs/{name}"
    )
    for name, definition in definitions.items():
        _widen(name, definition["properties"])
        for shape in definition["properties"].values():
            if "$ref" in shape:  # a section's default is that of its keys
                del shape["default"]
    del definitions["PluginConfig"]  # the form in the state; the file's is SCHEMA
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "orbweb configuration",
        **schema,
        "$defs": definitions,
    }


def _widen(struct: str, properties: Mapping[str, dict[str, Any]]) -> None:
    """Describe each property, and allow what `fields.read` accepts beyond the type."""
    owner = getattr(config_module, struct)
    known = keys(owner)
    for name, shape in properties.items():
        if text := explain(owner, name):
            shape["description"] = text
        key = known.get((name,))
        if key is None:
            continue
        if key.path == ("plugin",):
            shape.clear()
            shape.update(SCHEMA, description=text)
        if key.optional:
            shape["anyOf"] = [s for s in shape["anyOf"] if s != {"type": "null"}]
            shape["anyOf"].append({"const": "none"})
            shape["default"] = "none"
        if key.unit:
            alternatives = shape.setdefault("anyOf", [_number(shape)])
            alternatives.append({"type": "string", "pattern": _PATTERNS[key.unit]})


def _number(shape: dict[str, Any]) -> dict[str, Any]:
    """Take the number's own limits out of `shape`, as one of its alternatives."""
    moved = ("type", "minimum", "exclusiveMinimum")
    return {name: shape.pop(name) for name in moved if name in shape}


_PATTERNS = {
    "seconds": r"^\s*(\d+(\.\d+)?\s*(ms|s|m|h|d)\s*)+$",
    "bytes": r"^\s*\d+(\.\d+)?\s*([kKmMgGtT]([iI]?[bB])?|[bB])?\s*$",
}
