"""What goes on with a crawl, whether its folder has all of it or a part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from crawler.frontier.sqlite.database import has_fleet
from crawler.model.policy_config import LimitsConfig
from crawler.model.resume_command import resume_command, steer_command

if TYPE_CHECKING:
    from crawler.frontier.sqlite.fleet_file import Fleet


class Used(NamedTuple):
    """What a crawl has used of its limits."""

    pages: int
    received: int
    """Body bytes."""


def part_of(folder: str) -> Fleet | None:
    """The crawl by several machines of which `folder` has a part, if it has one."""
    if not has_fleet(folder):
        return None
    from crawler.frontier.sqlite.fleet_file import read_fleet  # few crawls have shards

    fleet = read_fleet(Path(folder))
    return fleet if fleet.exchange else None


def used_by_all(folder: str, pages: int, received: int) -> Used:
    """What the whole crawl has used, of which the folder has so much.

    The other machines of a crawl by several ones count by what they had told when the
    last run of this one ended.
    """
    if part_of(folder) is None:
        return Used(pages, received)
    from crawler.frontier.sqlite.fleet_file import read_used_elsewhere

    others = Used(*read_used_elsewhere(Path(folder)))
    return Used(pages + others.pages, received + others.received)


def next_command(folder: str, limits: LimitsConfig, pages: int, received: int) -> str:
    """The command that goes on, or raises the limit that is reached.

    `pages` and `received` (bytes) are those in the folder.
    """
    if (part := part_of(folder)) is not None:
        used = used_by_all(folder, pages, received)
        steering = steer_command(part.exchange, limits, *used)
        return steering or part.work_command(folder)
    return resume_command(folder, limits, pages, received)
