"""From a TOML file, the environment and the command line to the crawls they describe.

Every value becomes a `Setting`: key, value and origin. Later settings override earlier
ones (defaults < file < `[[job]]` < environment < options), so the origin of each
effective value is known without a second pass, and an error is reported at its place.
All errors of a file are reported at once.

tomllib gives no line numbers. They are found afterwards, and only for errors: a key is
set by the first statement after which the parsed beginning of the file holds the key.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from crawler.model.config import Config, CrawlFile
from crawler.model.errors import UsageError
from crawler.model.seed import parse_seed
from crawler.settings.checks import TableError
from crawler.settings.fields import (
    Key,
    Path,
    keys,
    read,
    read_text,
    spell,
    suggest,
    table_module,
)
from crawler.settings.secrets import refuse_literal_secrets
from crawler.settings.seed_input import default_name, https_note

MAX_FILE = 4 * 2**20


class Setting(Struct, frozen=True):
    """A value and its origin.

    Tables are merged by key; lists are appended to where `adds` is set.
    """

    path: Path
    value: Any
    origin: str
    adds: bool = False
    canonical: bool = False
    """The value are seeds in their canonical form."""
    notes: tuple[str, ...] = ()
    """What was assumed of the value."""
    warnings: tuple[str, ...] = ()
    """What is wrong with it, and was left out."""


class Job(Struct, frozen=True):
    """One crawl to run, and the origin of each key that is not at its default."""

    config: Config
    origins: dict[Path, str]


class Plan(Struct, frozen=True):
    """The crawls that one call of the program runs.

    `notes` and `warnings` are shown to the user, with `-q` only the warnings.
    """

    jobs: tuple[Job, ...]
    side_by_side: bool = False
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Problem(Struct, frozen=True):
    """An error in the file, at a path of keys and list indices."""

    path: tuple[str | int, ...]
    message: str


def load(
    file: tuple[str, str] | None,
    environ: Mapping[str, str],
    flags: Sequence[Setting],
) -> Plan:
    """The plan of a file, given as (name, text), the environment and the options.

    Raises UsageError with one line for each error.
    """
    jobs, side_by_side = settings_of_jobs(file, environ, flags)
    notes = [note for setting in flags for note in setting.notes]
    planned = [job_of(job, notes) for job in jobs]
    return plan_of(planned, side_by_side, notes, flags, environ)


def settings_of_jobs(
    file: tuple[str, str] | None,
    environ: Mapping[str, str],
    flags: Sequence[Setting],
) -> tuple[list[list[Setting]], bool]:
    """The settings of each crawl, and whether they run side by side.

    Raises UsageError with one line for each error.
    """
    tree = _parse(*file) if file else {}
    shared: list[Setting] = []
    jobs: list[list[Setting]] = []
    if file:
        shared, jobs = _settings_of_file(tree, *file)
    outer = [*from_environ(environ), *flags]
    settings = [[*shared, *job, *outer] for job in jobs or [[]]]
    return settings, tree.get("jobs") == "side_by_side"


def plan_of(
    jobs: Sequence[Job],
    side_by_side: bool,
    notes: Sequence[str],
    flags: Sequence[Setting],
    environ: Mapping[str, str],
) -> Plan:
    """A plan of these crawls. Raises UsageError if two of them share a folder."""
    _refuse_shared_folders(jobs)
    warnings = [text for setting in flags for text in setting.warnings]
    if any(name.startswith("ORBWEB_") for name in environ):
        from crawler.settings.environment import unknown_variables

        warnings += unknown_variables(environ, [job.config for job in jobs])
    return Plan(tuple(jobs), side_by_side, tuple(notes), tuple(warnings))


def job_of(settings: Iterable[Setting], notes: list[str]) -> Job:
    """The crawl that these settings describe; `notes` get what the user should know."""
    values: dict[Path, Any] = {}
    origins: dict[Path, str] = {}
    canonical: set[str] = set()
    for setting in settings:
        if setting.canonical:
            canonical.update(setting.value)
        values[setting.path] = _merged(values.get(setting.path), setting)
        origins[setting.path] = setting.origin
    config = _build(values)
    if config.site or config.api:
        table_module(("site",)).check_types(config)
    return Job(_completed(config, canonical, notes), origins)


def _merged(before: Any, setting: Setting) -> Any:
    if isinstance(setting.value, dict) and before:
        return {**before, **setting.value}
    if setting.adds and before:
        return (*before, *setting.value)
    return setting.value


def _build(values: Mapping[Path, Any]) -> Config:
    tree: dict[str, Any] = {}
    for path, value in values.items():
        table = tree
        for name in path[:-1]:
            table = table.setdefault(name, {})
        table[path[-1]] = value
    return msgspec.convert(tree, Config)


def _completed(config: Config, canonical: set[str], notes: list[str]) -> Config:
    """The configuration with canonical seeds, and with a folder if one is implied.

    Those that are in `canonical` are so already.
    """
    seeds = _first_answers(config)
    canonical |= set(seeds)
    for text in dict.fromkeys(config.seeds):
        if text in canonical:
            seeds.append(text)
            continue
        seed = parse_seed(text)
        seeds.append(seed.url)
        if seed.assumed_https:
            notes.append(https_note(text))
    folder = config.dir or config.name or (default_name(seeds[0]) if seeds else "")
    return msgspec.structs.replace(
        config, seeds=tuple(dict.fromkeys(seeds)), dir=folder
    )


def _first_answers(config: Config) -> list[str]:
    """The seeds that `[[api]]` tables are."""
    if not config.api:
        return []
    from crawler.extract.fields.fields import compile_api

    return [compile_api(api).first_url for api in config.api]


def _refuse_shared_folders(jobs: Sequence[Job]) -> None:
    taken: dict[str, int] = {}
    for number, job in enumerate(jobs, 1):
        places = [(path, "output") for path in job.config.output]
        for path, key in ((job.config.dir, "dir"), *places):
            other = taken.setdefault(path, number) if path else number
            if other != number:
                origin = job.origins.get((key,), "")
                by = f" ({origin})" if origin.startswith(("-", "ORBWEB_")) else ""
                raise UsageError(
                    f"[[job]] {other} and {number} both write to {path!r}{by}; "
                    "give each its own dir and output in the file"
                )


# -------------------------------------------------------- environment and options


def from_environ(environ: Mapping[str, str]) -> list[Setting]:
    """The settings in `ORBWEB_CONCURRENCY`, `ORBWEB_HTTP_TIMEOUT`, ...

    Raises UsageError for a name that is similar to one of them.
    """
    ours = [name for name in sorted(environ) if name.startswith("ORBWEB_")]
    if not ours:
        return []
    from crawler.settings.environment import similar_variable, variables

    by_name = variables()
    for name in ours:
        if name not in by_name and (similar := similar_variable(name, by_name)):
            raise UsageError(
                f"environment {name}: no such setting; did you mean {similar}?"
            )
    known = [name for name in ours if name in by_name]
    return [_setting(by_name[name], environ[name], name) for name in known]


def from_assignment(text: str) -> Setting:
    """The setting of `-s KEY=VALUE`. Raises UsageError."""
    name, equals, value = text.partition("=")
    path = tuple(name.strip().split("."))
    if not equals:
        raise UsageError(f"-s {text}: write KEY=VALUE, as in -s http.timeout=30s")
    if path not in keys():
        hint = suggest(path, dotted=True)
        raise UsageError(f"-s {text}: there is no {name.strip()!r}{hint}")
    return _setting(keys()[path], value.strip(), f"-s {name.strip()}")


def from_flag(path: Path, value: Any, flag: str, *, adds: bool = False) -> Setting:
    """The setting of an option: text as typed, or a value of the key's type."""
    return _setting(keys()[path], value, flag, adds=adds)


def _setting(key: Key, value: Any, origin: str, *, adds: bool = False) -> Setting:
    try:
        clean = read_text(key, value) if isinstance(value, str) else read(key, value)
    except ValueError as error:
        raise UsageError(f"{origin}: {error}") from error
    return Setting(key.path, clean, origin, adds)


# ------------------------------------------------------------------ the file


def _parse(name: str, text: str) -> dict[str, Any]:
    if len(text) > MAX_FILE:
        raise UsageError(
            f"{name}: larger than {MAX_FILE} characters; give seeds by -i FILE"
        )
    import tomllib  # slow to import, and most crawls have no file

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name}: not valid TOML: {error}") from error
    except RecursionError:
        raise UsageError(f"{name}: nested too deeply") from None


def _settings_of_file(
    tree: dict[str, Any], name: str, text: str
) -> tuple[list[Setting], list[list[Setting]]]:
    """The settings at the top of the file, and those of each of its jobs."""
    problems: list[Problem] = []
    shared = list(_walk(tree, CrawlFile, (), name, problems))
    tables = tree.get("job", [])
    if not (
        isinstance(tables, list) and all(isinstance(table, dict) for table in tables)
    ):
        problems.append(Problem(("job",), "a job is a table: write [[job]]"))
        tables = []
    jobs = [
        list(
            _walk(
                table, Config, ("job", index), f"{name} [[job]] {index + 1}", problems
            )
        )
        for index, table in enumerate(tables)
    ]
    if problems:
        raise UsageError(
            "\n".join(_report(name, text, problem) for problem in problems)
        )
    own = {("jobs",), ("job",)}
    return [setting for setting in shared if setting.path not in own], jobs


def _walk(
    table: dict[str, Any],
    struct: type[Struct],
    above: tuple[str | int, ...],
    origin: str,
    problems: list[Problem],
) -> Iterator[Setting]:
    """The settings in a table of the file; errors are added to `problems`."""
    known = keys(struct)
    sections = {path[:-1] for path in known if path[:-1]}
    for path, value in _leaves(table, sections):
        if path == ("job",):
            continue
        if path in sections:
            wrong = f"{path[-1]} is a section: write [{path[-1]}]"
        elif path not in known:
            wrong = f"there is no {spell(path)}{suggest(path, struct)}"
        else:
            try:
                refuse_literal_secrets(path, value)
                yield Setting(path, read(known[path], value), origin)
                continue
            except TableError as error:
                problems.append(Problem((*above, *path, *error.below), str(error)))
                continue
            except ValueError as error:
                wrong = f"{spell(path)}: {error}"
        problems.append(Problem((*above, *path), wrong))


def _leaves(
    table: dict[str, Any], sections: set[Path], above: Path = ()
) -> Iterator[tuple[Path, Any]]:
    """Keys and values of a table and of those of its tables that are sections."""
    for name, value in table.items():
        path = (*above, name)
        if isinstance(value, dict) and path in sections:
            yield from _leaves(value, sections, path)
        else:
            yield path, value


def _report(name: str, text: str, problem: Problem) -> str:
    line = find_line(text, problem.path)
    return f"{name}:{line}: {problem.message}" if line else f"{name}: {problem.message}"


_STATEMENT = r"""\s*(\[|([\w-]+|"[^"]*"|'[^']*')\s*[.=])"""


def find_line(text: str, path: tuple[str | int, ...]) -> int | None:
    """The number, from 1, of the line where the statement that sets `path` begins."""
    import tomllib

    lines = text.splitlines(keepends=True)
    starts = [number for number, line in enumerate(lines) if re.match(_STATEMENT, line)]
    ends = [*starts[1:], len(lines)]

    def set_by(statement: int) -> bool:
        # A line inside a long string or list may look like a statement. A file cut
        # there is not valid TOML, so the next cut is tried.
        for end in ends[statement:]:
            try:
                return _holds(tomllib.loads("".join(lines[:end])), path)
            except tomllib.TOMLDecodeError:
                continue
        return False

    found = bisect_left(range(len(starts)), True, key=set_by)
    return starts[found] + 1 if found < len(starts) else None


def _holds(tree: Any, path: tuple[str | int, ...]) -> bool:
    for step in path:
        try:
            tree = tree[step]
        except (KeyError, IndexError, TypeError):
            return False
    return True
