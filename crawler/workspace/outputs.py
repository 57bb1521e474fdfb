"""The outputs of a crawl: the name, path and sink of each.

Without `output` in the configuration there is one, `records.jsonl` in the crawl's
folder. The store keeps the position of each sink under the output's name, which is the
path as it was configured, so that a crawl's folder can be moved.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from crawler.frontier.sqlite.database import has_fleet, sync_commits
from crawler.frontier.store import Store
from crawler.model.config import Config
from crawler.model.errors import OutputError, UsageError
from crawler.model.metadata import REOPENED
from crawler.output.jsonl import open_jsonl
from crawler.output.lines import (
    STDOUT,
    position_of_end,
    split_position,
    stream_files,
)
from crawler.output.registry import open_sink, opener_of
from crawler.output.sink import DEFAULT_NAME, Position, RecordSink, compression_of
from crawler.workspace.paths import (
    content_folder,
    part_of,
    state_folder,
    wacz_file,
    warc_folder,
)

if TYPE_CHECKING:
    from crawler.output.objects.address import Address

RECORDS = "records.jsonl"
PARTS = "records"
"""The folder of the records of shards."""

OBJECT_SIZE = "100M"
"""Size of a part in object storage, where `records.rotate` does not say it."""

_BLOCK = 1 << 20

OpenSink = Callable[[Position | None], RecordSink]
"""Opens a sink, rewound to its committed position (None: nothing was committed)."""


class Output(Struct, frozen=True):
    """One output: the name of its sink in the store, and its path (None: stdout).

    An output in object storage has the path where its parts wait for their upload.
    """

    name: str
    path: Path | None


def outputs(config: Config) -> tuple[Output, ...]:
    """The outputs of a crawl. A relative path counts from the working directory."""
    if not config.output:
        return (Output(DEFAULT_NAME, _records(config.dir)),)
    objects, folder = object_outputs(config), content_folder(config.dir)
    return tuple(
        Output(name, objects[name].path(folder) if name in objects else Path(name))
        if name != STDOUT
        else Output(name, None)
        for name in config.output
    )


def _records(folder: str) -> Path:
    if part := part_of(folder):
        return content_folder(folder) / PARTS / f"{part}.jsonl"
    return Path(folder) / RECORDS


def record_streams(config: Config) -> list[list[Path]]:
    """The files that are there, by output of JSON Lines, those of all shards together.

    They are in the order of their records, one shard after the other.
    """
    parts = [jsonl_files(one).values() for one in parts_of(config)]
    return [
        [file for path in streams for file in stream_files(path)]
        for streams in zip(*parts, strict=True)
    ]


def last_files(config: Config) -> list[Path]:
    """The files to which records go, or went last: of the first output, one a shard."""
    files = [
        next(filter(None, map(stream_files, jsonl_files(one).values())), [])
        for one in parts_of(config)
    ]
    return [one[-1] for one in files if one]


def parts_of(config: Config) -> list[Config]:
    """The crawl as each of its shards has its folder and files; itself without any."""
    if not has_fleet(config.dir):
        return [config]
    from crawler.workspace.shard_parts import as_parts  # few crawls have shards

    return as_parts(config)


def object_outputs(config: Config) -> dict[str, Address]:
    """The outputs in object storage, by name. Raises UsageError for a wrong address."""
    names = [name for name in config.output if "://" in name]
    if not names:
        return {}
    from crawler.output.objects.address import parse_address  # few crawls need it

    return {name: parse_address(name) for name in names}


def output_files(config: Config) -> list[Path]:
    """The files of all outputs that are there, each part of a rotated one."""
    paths = [one.path for one in outputs(config) if one.path is not None]
    files = [file for path in paths for file in stream_files(path)]
    return [*files, *_manifests(config)]


def _manifests(config: Config) -> Iterator[Path]:
    for address in object_outputs(config).values():
        from crawler.output.objects.manifest import manifest_name

        path = address.path(content_folder(config.dir))
        if (manifest := path.with_name(manifest_name(path.name))).is_file():
            yield manifest


def jsonl_files(config: Config) -> dict[str, Path]:
    """The outputs that are files of JSON Lines, by name. One may have parts."""
    return {
        one.name: one.path
        for one in outputs(config)
        if one.path is not None and opener_of(str(one.path)) is open_jsonl
    }


def with_absolute_outputs(config: Config) -> Config:
    """`config` with absolute paths, each once: a resume may run in another folder.

    Raises UsageError for the ending of a format that no sink writes, and for a wrong
    address in object storage.
    """
    objects = object_outputs(config)
    for name in config.output:
        opener_of(name)
    paths = [
        name if name == STDOUT or name in objects else str(Path(name).absolute())
        for name in config.output
    ]
    config = replace(config, output=tuple(dict.fromkeys(paths)))
    if not (config.warc.write or config.warc.wacz):
        return config
    return _with_warc_prefix(replace(config, warc=replace(config.warc, write=True)))


def _with_warc_prefix(config: Config) -> Config:
    """`config` with a prefix for its WARC files: a folder that is moved keeps it."""
    if config.warc.prefix:
        return config
    name = re.sub(r"[^\w.-]", "_", Path(config.dir).absolute().name).lstrip(".")
    return replace(config, warc=replace(config.warc, prefix=name or "crawl"))


def warc_files(config: Config) -> list[Path]:
    """The WARC files and indexes that are there, and the WACZ file."""
    if not config.warc.write:
        return []
    from crawler.output.warc.files import existing_files

    packed = wacz_file(config.dir, config.warc.prefix)
    files = existing_files(warc_folder(config.dir), config.warc.prefix)
    return [*files, packed] if config.warc.wacz and packed.is_file() else files


def files_of(configs: Iterable[Config]) -> list[Path]:
    """The files of records, and the WARC files, of crawls or shards that are there."""
    return [file for one in configs for file in (*output_files(one), *warc_files(one))]


def sink_openers(
    config: Config, part_finished: Callable[[str], None] = lambda _name: None
) -> dict[str, OpenSink]:
    """The openers of the sinks that the configuration names, by output.

    `part_finished` is called with the output's name when a part in object storage is
    finished, and its commit is on the disk.
    """
    return {one.name: _opener(config, one, part_finished) for one in outputs(config)}


def _opener(
    config: Config, one: Output, part_finished: Callable[[str], None]
) -> OpenSink:
    path = STDOUT if one.path is None else str(one.path)
    data = schema_data(config)
    state = state_folder(config.dir)
    records, is_object = config.records, "://" in one.name
    if is_object and not records.rotate:
        records = replace(records, rotate=OBJECT_SIZE)

    def before_part() -> None:
        sync_commits(state)
        if is_object:
            part_finished(one.name)

    return lambda position: open_sink(path, position, records, data, before_part)


def schema_data(config: Config) -> dict[str, Any]:
    """A typed zero of each field, for the schema line.

    Raises UsageError for a field that has two types.
    """
    if not (config.fields or config.site or config.api):
        return {}
    from crawler.extract.fields.errors import RuleError
    from crawler.extract.fields.fields import zeros

    try:
        return zeros(config.fields, config.site, config.api)
    except RuleError as error:
        raise UsageError(str(error)) from error


def open_sinks(
    openers: Mapping[str, OpenSink], store: Store, held: ExitStack
) -> dict[str, RecordSink]:
    """Open each sink, rewound to its position in `store`; `held` closes them.

    Raises OutputError or StateError.
    """
    sinks: dict[str, RecordSink] = {}
    for name, opener in openers.items():
        sinks[name] = sink = opener(store.position(name))
        held.callback(sink.close)
    return sinks


def place_outputs(store: Store, old: Config, config: Config) -> None:
    """Decide where a crawl after the one under `old` goes on in its outputs.

    It goes on at the end of the old records, or at the beginning of a file that holds
    nothing yet. So records may be moved away between two crawls, or go elsewhere from
    now on. Raises UsageError for a file that the crawl before has not written.
    """
    before = {one.name for one in outputs(old)}
    dropped = before.difference(one.name for one in outputs(config))
    ends = {store.position(name) for name in dropped}
    for name, path, end in _ends(config):
        if name in before and split_position(store.position(name) or 0)[0]:
            continue  # the numbers of its parts go on, wherever they are now
        if end == 0:
            store.set_position(name, 0)
        elif name not in before and end not in ends:
            raise UsageError(
                f"{path} is there already, and is not what the crawl before has "
                "written: move it away, or name another with --output"
            )
        elif name not in before:
            store.set_position(name, end)


def keep_outputs(store: Store, old: Config, config: Config) -> None:
    """Let a resume have further outputs; each gets what is committed already.

    So all outputs hold all records, also where one was added later. Raises UsageError
    if an output that holds committed records is left out, or if a new one is a file
    with something else in it.
    """
    before = {one.name: one for one in outputs(old)}
    kept = {one.path: one.name for one in before.values()}
    after = outputs(config)
    _refuse_to_drop(store, before.values(), after)
    ends = {path: store.position(name) for name, path in jsonl_files(old).items()}
    files = {path: end for path, end in ends.items() if end}
    for one in after:
        if one.name in before:
            continue
        if one.path in kept:  # the same file under its full name
            store.set_position(one.name, store.position(kept[one.path]))
            store.set(REOPENED, one.name, store.get(REOPENED, kept[one.path]))
        elif one.path is not None and _is_plain(one.path):
            _refuse_reopened(one.path, store, before)
            if not files:
                continue
            _refuse_parts(one.path, files)
            source = _source_of(one.path, files)
            _copy_committed(source, files[source], one.path)
            store.set_position(one.name, files[source])


def _source_of(target: Path, files: Iterable[Path]) -> Path:
    """One of `files` that is compressed as `target` is; UsageError if there is none."""
    kind = compression_of(str(target))
    for path in files:
        if compression_of(str(path)) == kind:
            return path
    raise UsageError(
        f"{target}: a further output gets a copy of the records so far, so that its "
        f"name must end as that of {next(iter(files))}"
    )


def _refuse_parts(target: Path, files: Mapping[Path, int]) -> None:
    if any(split_position(position)[0] for position in files.values()):
        raise UsageError(
            f"{target}: a crawl whose records are in parts (--rotate) can't get a "
            "further output on a resume"
        )


def _refuse_reopened(target: Path, store: Store, before: Iterable[str]) -> None:
    if any(store.get(REOPENED, name) for name in before):
        raise UsageError(
            f"{target}: a crawl whose records were moved away (SIGHUP) can't get a "
            "further output on a resume"
        )


def _refuse_to_drop(
    store: Store, before: Iterable[Output], after: tuple[Output, ...]
) -> None:
    paths = {one.path and one.path.absolute() for one in after}
    for one in before:
        if one.path is None or one.path.absolute() in paths:
            continue
        if store.position(one.name):
            raise UsageError(
                f"{one.path} holds committed records of this crawl and stays an "
                f"output: name it too, as in -o {one.path} -o FILE"
            )


def _is_plain(path: Path) -> bool:
    return path.is_file() or not path.exists()


def _copy_committed(source: Path, end: int, target: Path) -> None:
    """Copy the first `end` bytes of `source`, durable or not, to `target`.

    A target that holds a beginning of them is left over from a resume that was killed.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with source.open("rb") as data, target.open("a+b") as copy:
            copy.seek(0)
            while found := copy.read(_BLOCK):
                if data.read(len(found)) != found:
                    raise UsageError(
                        f"{target} is there already, and is not what this crawl has "
                        "written: move it away, or name another with --output"
                    )
            while (left := end - data.tell()) > 0 and (
                block := data.read(min(left, _BLOCK))
            ):
                copy.write(block)
    except OSError as error:
        raise OutputError(f"{target}: {error.strerror or error}") from error


def _ends(config: Config) -> Iterator[tuple[str, Path, int]]:
    """Name, path and position of the end of each output but stdout; 0 for no file."""
    for one in outputs(config):
        if one.path is not None:
            files = stream_files(one.path)
            end = position_of_end(one.path, files[-1]) if files else 0
            yield one.name, one.path, end
