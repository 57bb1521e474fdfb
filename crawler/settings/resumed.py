"""The configuration of a crawl that goes on: the stored one, and what changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from os.path import realpath
from typing import Any

from msgspec.structs import replace

from crawler.model.config import Config
from crawler.model.errors import UsageError
from crawler.model.units import counted
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
    *,
    adds_seeds: bool = False,
) -> Plan:
    """As `load`; the settings are changes of the crawls that are there already.

    `stored(dir)` is the configuration of the crawl in a folder, None if it holds none.
    Lists of options add to what is stored, as they add to those of a file; all other
    settings replace it. Raises UsageError also for a seed that a crawl does not have,
    unless `adds_seeds`.
    """
    jobs, side_by_side = settings_of_jobs(file, environ, flags)
    if file and len(jobs) > 1:
        jobs = _of_the_folder(jobs, flags, file[0])
    notes = [note for setting in flags for note in setting.notes]
    resumed = [
        _resumed_job(settings, notes, stored, adds_seeds=adds_seeds)
        for settings in jobs
    ]
    return plan_of(resumed, side_by_side, notes, flags, environ)


def _of_the_folder(
    jobs: list[list[Setting]], flags: Sequence[Setting], file: str
) -> list[list[Setting]]:
    """Those of the one job whose folder the user has named; all if he named none.

    Raises UsageError if no job has it.
    """
    named = next((one for one in flags if one.path == ("dir",)), None)
    if named is None:
        return jobs
    folders: list[str] = []
    for settings in jobs:
        own = [setting for setting in settings if setting is not named]
        folders.append(job_of(own, []).config.dir)
        if folders[-1] and _is_same(folders[-1], named.value):
            return [settings]
    raise UsageError(
        f"{file} holds {counted(len(jobs), 'job')}, and none has the folder "
        f"{named.value}: name one of {', '.join(folders)}, or no folder to resume all"
    )


def _is_same(folder: str, other: str) -> bool:
    return realpath(folder) == realpath(other)


def _resumed_job(
    settings: Sequence[Setting],
    notes: list[str],
    stored: Callable[[str], Config | None],
    *,
    adds_seeds: bool,
) -> Job:
    given = job_of(settings, notes)
    old = stored(given.config.dir)
    if old is None:
        return given
    if adds_seeds:
        known = set(old.seeds)
        more = tuple(url for url in given.config.seeds if url not in known)
        old = replace(old, seeds=(*old.seeds, *more))
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
