"""What the options of a crawl of several machines are told where they are of no use.

Each sentence says what does the same.
"""

from __future__ import annotations

import click

NO_RECRAWL = (
    "a crawl of several machines can't be crawled again, since those that are off "
    "would have to begin it with the others; once no machine is at work, begin it "
    "anew: `orbweb crawl URL --exchange valkey://HOST/CRAWL --shards N --fresh`"
)
OF_WORK = "for `orbweb work DIR`, which runs shards of the crawl on each machine"
_INSTEAD = {
    "recrawl": NO_RECRAWL,
    "retry": (
        "failed URLs of a crawl of several machines can't be queued again, since those "
        "that are off would have to begin with the others; list them on each machine "
        "by `orbweb urls DIR --state error`, and begin another crawl with them: "
        "`orbweb crawl -i FILE --exchange valkey://HOST/OTHER --shards N`"
    ),
    "resume": (
        "a crawl of several machines goes on by `orbweb work DIR --exchange "
        "valkey://HOST/CRAWL` on each, since its states are in their folders; `orbweb "
        "crawl --exchange valkey://HOST/CRAWL` changes its settings"
    ),
    "mirror": (
        "each machine makes a mirror of its own hosts, when `orbweb work` has ended "
        "there: begin with `orbweb crawl --mirror URL --exchange valkey://HOST/CRAWL "
        "--shards N`"
    ),
}
_READERS = frozenset(
    ("audit", "explain", "export", "extract", "hosts", "images", "links", "report")
) | {"serve", "urls"}
_OF_A_CRAWL = frozenset(("--exchange", "--shards", "--pause"))
_OF_WORK = frozenset(
    ("--snapshot", "--snapshot-every", "--takeover-after", "--max-shards")
)


def with_command_here(error: click.NoSuchOption) -> click.UsageError:
    """The error with what to do, if the option is of a crawl of several machines."""
    command = (error.ctx and error.ctx.info_name) or ""
    option = error.option_name
    if option in _OF_WORK and command in ("crawl", *_INSTEAD):
        return click.UsageError(f"{option} is {OF_WORK}", error.ctx)
    text = _INSTEAD.get(command, "")
    if command in _READERS:
        text = (
            "the states and records of a crawl of several machines are in their "
            f"folders: `orbweb {command} DIR` on a machine shows its part, and `orbweb "
            "status --exchange valkey://HOST/CRAWL` how the whole stands"
        )
    if option not in _OF_A_CRAWL or not text:
        return error
    return click.UsageError(f"{option}: {text}", error.ctx)
