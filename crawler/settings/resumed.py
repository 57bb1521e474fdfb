"""The configuration of a crawl that goes on: the stored one, and what changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from crawler.model.config import Config
from crawler.model.errors import UsageError
from crawler.settings.fields import keys, table_module
from crawler.settings.load import Job, Plan, Setting, job_of, plan_of, settings_of_jobs

_SEEDS = ("seeds",)


def settings_of(config: Config, origin: str) -> Iterator[Setting]:
    """The settings by which `config` differs from the defaults."""
    for path, key in keys().items():
        value: Any = config
        for name in path:
            value = getattr(value, name)
        if value != key.default:
            yield Setting(path, value, origin)


def load_resumed(
    file: tuple[str, str] | None,
    environ: Mapping[str, str],
    flags: Sequence[Setting],
    stored: Callable[[str], Config | None],
) -> Plan:
    """As `load`; the settings are changes of the crawls that are there already.

    `stored(dir)` is the configuration of the crawl in a folder, None if it holds none.
    Lists of options add to what is stored, as they add to those of a file; all other
    settings replace it. Raises UsageError also for a seed that a crawl does not have.
    """
    jobs, side_by_side = settings_of_jobs(file, environ, flags)
    notes = [note for setting in flags for note in setting.notes]
    resumed = [_resumed_job(settings, notes, stored) for settings in jobs]
    return plan_of(resumed, side_by_side, notes, flags, environ)


def _resumed_job(
    settings: Sequence[Setting],
    notes: list[str],
    stored: Callable[[str], Config | None],
) -> Job:
    given = job_of(settings, notes)
    old = stored(given.config.dir)
    if old is None:
        return given
    refuse_other_seeds(given.config, old)
    changes = [one for one in settings if one.path not in (_SEEDS, ("dir",))]
    seeds = Setting(_SEEDS, old.seeds, "state", canonical=True)
    before = settings_of(replace(old, seeds=()), "state")
    job = job_of([*before, seeds, *changes], [])
    if old.fields or old.site:
        table_module(("site",)).check_kept_types(job.config, old)
    return replace(job, config=replace(job.config, dir=old.dir))


def refuse_other_seeds(given: Config, stored: Config) -> None:
    """Raise UsageError for a seed that the crawl was not started with."""
    known = set(stored.seeds)
    for url in given.seeds:
        if url not in known:
            raise UsageError(
                f"{url} is not a seed of the crawl in {stored.dir}; a resume continues "
                "with the seeds that the crawl was started with"
            )
