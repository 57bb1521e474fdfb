"""The configuration of one shard, made from that of the whole crawl.

What is a sum over the crawl (requests at once, bytes per second, processes) is divided;
what names a file gets the name of the part. What one process has to do for the whole,
and no shard can do for its part, is refused.
"""

from __future__ import annotations

from msgspec.structs import replace

from crawler.engine.sandbox.cores import usable_cores
from crawler.model.config import Config
from crawler.model.errors import UsageError
from crawler.output.lines import STDOUT
from crawler.workspace.outputs import object_outputs
from crawler.workspace.shard_parts import as_part


def refuse_for_shards(config: Config, option: str = "--processes") -> None:
    """Raise UsageError for a setting that needs a crawl of one process."""
    settings = {
        "images.phash": config.images.are_hashed,
        "scope.dedupe_content": config.scope.dedupe_content,
    }
    for name, is_set in settings.items():
        if is_set:
            raise UsageError(
                f"{option}: {name} needs a crawl of one process, which sees all "
                "that is fetched; leave one of the two out"
            )


def refuse_for_machines(config: Config) -> None:
    """Raise UsageError for a setting that needs one machine, which sees all."""
    refuse_for_shards(config, "--exchange")
    if any("://" not in name for name in config.output if name != STDOUT):
        raise UsageError(
            "--exchange: output can't be set but to object storage (s3://...), since "
            "each machine writes records/ in its own folder"
        )


def refuse_for_snapshots(config: Config) -> None:
    """Raise UsageError for records that can't be cut back to a snapshot."""
    for name in object_outputs(config):
        raise UsageError(
            f"--snapshot: the records of this crawl go to {name}, where they can't be "
            "cut back to a snapshot; leave --snapshot out, or begin the crawl anew "
            "without -o, since snapshots have the records, too"
        )


def shard_config(config: Config, shard: int, shards: int) -> Config:
    """The configuration of shard `shard` of `shards`; `config` is that of all."""
    config = as_part(config, shard)
    http, processes = config.http, config.extract_processes
    if http.max_rate is not None:
        http = replace(http, max_rate=max(1, http.max_rate // shards))
    if processes == "auto":
        processes = usable_cores()
    return replace(
        config,
        concurrency=-(-config.concurrency // shards),
        slow_concurrency=-(-config.slow_concurrency // shards),
        extract_processes=max(1, processes // shards),
        http=http,
    )
