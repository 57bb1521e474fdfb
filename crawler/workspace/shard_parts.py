"""A crawl as each of its shards has it: in its own folder, with parts of outputs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from crawler.frontier.sqlite.database import has_fleet, shard_folder
from crawler.frontier.sqlite.fleet_file import read_fleet
from crawler.model.config import Config, from_json
from crawler.model.errors import StateError
from crawler.output.lines import STDOUT
from crawler.output.sink import compression_of
from crawler.workspace.paths import part_of


def as_parts(config: Config) -> list[Config]:
    """The crawl as each of its shards has it; the folder tells how many there are."""
    shards = read_fleet(Path(config.dir)).layout.shards
    return [as_part(config, shard) for shard in range(shards)]


def as_part(config: Config, shard: int) -> Config:
    """The crawl as one of its shards has its folder and files."""
    folder = str(shard_folder(config.dir, shard))
    part, http = part_of(folder), config.http
    warc = replace(config.warc, wacz=False)  # all parts are packed together
    return replace(
        config,
        dir=folder,
        output=tuple(_part_name(name, part) for name in config.output),
        http=replace(http, cookie_jar=_part_name(http.cookie_jar, part)),
        warc=replace(warc, prefix=f"{warc.prefix}-{part}" if warc.write else ""),
    )


def _part_name(name: str, part: str) -> str:
    """The file of a part: `pages.part-003.jsonl.gz` for `pages.jsonl.gz`."""
    if name in ("", STDOUT):
        return name
    above, slash, last = name.rpartition("/")  # also of an address: s3://BUCKET/NAME
    packed = compression_of(last)
    plain = Path(last.removesuffix(packed))
    return f"{above}{slash}{plain.stem}.{part}{plain.suffix}{packed}"


def parts_there(folder: str) -> list[Config]:
    """The parts of the crawl in the folder, as it has them; none that can't be read."""
    if not has_fleet(folder):
        return []
    with suppress(StateError):
        fleet = read_fleet(Path(folder))
        config = replace(from_json(fleet.config.encode()), dir=folder)
        return [as_part(config, shard) for shard in range(fleet.layout.shards)]
    return []
