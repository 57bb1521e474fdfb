"""What the parent and its processes tell each other, over a socket.

The first message is the parent's: the settings of the process. Both ends encode with
MessagePack, in frames of a known length. If the parent dies, its processes read the end
of the socket, and stop as they do at a signal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec import Struct

from crawler.engine.run_report import Summary
from crawler.engine.stats import Snapshot
from crawler.frontier.mail import Mark, Report
from crawler.model.records import SettingChange

_HEADER_BYTES = 4
MAX_MESSAGE = 64 * 2**20
RESTARTS = 64
"""The exit code of a process in whose place another one is to be started."""


LogForm = Literal["text", "timed", "json"]
"""Lines for a reader, which begin with the time in a file; or JSON lines."""


class LogSettings(Struct, frozen=True):
    """The log of a process (`-v`), which writes whole lines, each with its number.

    If the parent, which reads it, is late, writes block.
    """

    module: str
    """Its function `main` runs the process with a log, as `worker.main`."""
    form: LogForm
    job: str
    """The folder of the crawl, as the user names it."""


class LeaseSettings(Struct, frozen=True):
    """The exchange of a crawl that several machines run, and leases of its shards."""

    address: str
    """The address of the exchange; a password is in the environment."""
    tokens: dict[int, str]
    """By shard."""
    shards: int
    """How many this machine has, in all its processes."""
    held_until: float
    """As in `Renewed`."""
    kept: dict[int, dict[int, Mark]] | None = None
    """By shard, as in `Saved`; None if no snapshots are taken."""


class WorkerSettings(Struct, frozen=True):
    """What a process does: the first message to it."""

    dir: str
    shards: tuple[int, ...]
    elapsed_s: float
    """How long the crawl has run (`limits.max_time`)."""
    log: LogSettings | None = None
    leases: LeaseSettings | None = None


class Opened(Struct, frozen=True, tag=True):
    """A shard is open."""

    shard: int
    lost: int
    changed: tuple[SettingChange, ...]


class Progress(Struct, frozen=True, tag=True):
    """How a shard stands."""

    report: Report
    snapshot: Snapshot
    revision: int = 0
    """That of the crawl when a machine told it: in a later one there may be work."""


class Notice(Struct, frozen=True, tag=True):
    """A line for the user."""

    text: str
    is_warning: bool


class Ended(Struct, frozen=True, tag=True):
    """The run of a shard has ended."""

    shard: int
    summary: Summary
    seed_failures: list[tuple[str, int | None]]


class Failed(Struct, frozen=True, tag=True):
    """The crawl cannot go on: a Stop, as its message and exit code."""

    text: str
    exit_code: int


class Finish(Struct, frozen=True, tag=True):
    """The crawl is at its end."""


class Interrupt(Struct, frozen=True, tag=True):
    """Stop, as at this signal."""

    signum: int


class Restart(Struct, frozen=True, tag=True):
    """Stop as at a signal, and end with RESTARTS: another process goes on."""


class Reopen(Struct, frozen=True, tag=True):
    """Go on in new files of records, where another program has moved theirs away."""


class Renewed(Struct, frozen=True, tag=True):
    """The leases last until then, but for those that are lost."""

    held_until: float
    """A moment of `machine.awake_clock` (s)."""
    lost: list[int]


class Saved(Struct, frozen=True, tag=True):
    """A snapshot of a shard was taken."""

    shard: int
    kept: dict[int, Mark]
    """By sender: the last message that is in it."""


FromWorker = Opened | Progress | Notice | Ended | Failed
ToWorker = Finish | Interrupt | Reopen | Renewed | Restart | Saved

encode = msgspec.msgpack.Encoder().encode
decode_from_worker = msgspec.msgpack.Decoder(FromWorker).decode
decode_progress = msgspec.msgpack.Decoder(Progress).decode
decode_settings = msgspec.msgpack.Decoder(WorkerSettings).decode
decode_to_worker = msgspec.msgpack.Decoder(ToWorker).decode


def frame(message: FromWorker | ToWorker | WorkerSettings) -> bytes:
    """The bytes of a message on the socket."""
    content = encode(message)
    return len(content).to_bytes(_HEADER_BYTES, "big") + content


def read_frame(receive: Callable[[int], bytes]) -> bytes | None:
    """The next content; None at the end, also where that cuts a message.

    `receive(n)` gives up to n bytes, none at the end.
    """
    header = _read(receive, _HEADER_BYTES)
    length = int.from_bytes(header, "big")
    if len(header) < _HEADER_BYTES or length > MAX_MESSAGE:
        return None
    content = _read(receive, length)
    return content if len(content) == length else None


def _read(receive: Callable[[int], bytes], size: int) -> bytes:
    data = b""
    while len(data) < size and (part := receive(size - len(data))):
        data += part
    return data
