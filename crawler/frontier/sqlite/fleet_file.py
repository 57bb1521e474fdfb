"""What the shards of a crawl have in common: how it was cut, and what each may use.

A small database beside the states of the shards. Each write waits for the disk, so that
no grant is given twice after a power cut; a shard asks rarely, for a part of what is
left. Where a crawl has several machines, what the shards here may use together is an
allowance, which the machine has from the exchange (`fleet/allowances.py`).
"""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct

from crawler.frontier.sqlite.database import (
    FLEET_FILE,
    SHARED_CONTENTS,
    STATE_FOLDER,
    open_shared,
    translate,
)
from crawler.frontier.sqlite.private_folder import open_private_folder
from crawler.model.errors import StateError, UsageError
from crawler.model.shards import LastLease, Layout, Session, Shard

_FILES = tuple(
    f"{name}{end}"
    for name in (FLEET_FILE, SHARED_CONTENTS)
    for end in ("", "-wal", "-shm")
)

Kind = Literal["pages", "bytes"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS fleet (
    one INTEGER PRIMARY KEY CHECK (one = 1), fleet BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS session (
    one INTEGER PRIMARY KEY CHECK (one = 1), session BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS granted (
    kind TEXT, shard INTEGER, amount INTEGER NOT NULL, PRIMARY KEY (kind, shard)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lease (
    number INTEGER PRIMARY KEY, shard INTEGER NOT NULL, token TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS last_lease (
    shard INTEGER PRIMARY KEY, token TEXT NOT NULL, home TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS held_lease (
    shard INTEGER PRIMARY KEY, machine TEXT NOT NULL, until REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS elsewhere (
    one INTEGER PRIMARY KEY CHECK (one = 1), pages INTEGER NOT NULL,
    bytes INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS allowance (
    kind TEXT PRIMARY KEY, number INTEGER NOT NULL, amount INTEGER NOT NULL
) WITHOUT ROWID;
"""
_SUM = "SELECT coalesce(sum(amount), 0) FROM granted WHERE kind = ?"
_SET = "INSERT OR REPLACE INTO granted VALUES (?, ?, ?)"
_TOKENS = "SELECT token FROM lease WHERE shard = ? ORDER BY number"
_FORGET_TOKENS = """
DELETE FROM lease WHERE shard = ?1 AND number <= (
    SELECT number FROM lease WHERE shard = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2
)
"""
MAX_TOKENS = 256
"""Tokens of a shard's leases that are kept: those of as many starts or lapses.

An exchange that goes back in time by more of them refuses the folder.
"""
_ALLOWANCE = "SELECT number, amount FROM allowance WHERE kind = ?"
_ALLOW = "INSERT OR REPLACE INTO allowance VALUES (?, ?, ?)"


class Allowance(NamedTuple):
    """What the shards of a folder may use of a limit, where others have folders, too.

    `number` is higher with each change of it.
    """

    number: int = 0
    amount: int = 0


class Fleet(Struct, frozen=True):
    """A crawl that is cut into shards."""

    run_id: str
    config: str
    """The configuration of the whole crawl, as JSON."""
    layout: Layout
    processes: int
    """How many processes ran it last."""
    exchange: str = ""
    """Where its machines meet, if it has several; the folder has a part of it then."""
    home: str = ""
    """The id of the folder, by which the exchange knows whose shards are here."""
    revision: int = 0
    """That of the settings at the exchange."""

    def work_command(self, folder: str) -> str:
        """What goes on with the part of it in `folder`; "" if that is the whole."""
        if not self.exchange:
            return ""
        return f"orbweb work {shlex.quote(folder)} --exchange {self.exchange}"

    def refuse_part(self, folder: str) -> None:
        """Raise UsageError if `folder` has only a part of the crawl."""
        if command := self.work_command(folder):
            raise UsageError(
                f"{folder} has a part of a crawl that several machines run, so that "
                f"only `{command}` goes on with it, and only `orbweb crawl URL "
                f"--exchange {self.exchange} --shards N --fresh` crawls it again"
            )

    def shard(self, number: int) -> Shard:
        return Shard(number, self.layout, self.run_id)


def read_fleet(folder: Path) -> Fleet:
    """How the crawl in `folder` is cut into shards. Raises StateError if it is not."""
    with closing(FleetFile(folder)) as file:
        return file.fleet()


def read_used_elsewhere(folder: Path) -> tuple[int, int]:
    """As `FleetFile.used_elsewhere` of the crawl in `folder`."""
    with closing(FleetFile(folder)) as file:
        return file.used_elsewhere()


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error, FLEET_FILE) from error


class FleetFile:
    """The file in the state of the crawl in `folder`, which is made if need be."""

    def __init__(self, folder: Path) -> None:
        state = folder / STATE_FOLDER
        open_private_folder(state, _FILES)
        self._db = open_shared(state / FLEET_FILE, "FULL", _SCHEMA)

    def close(self) -> None:
        self._db.close()

    def fleet(self) -> Fleet:
        """Raises StateError where none was set, or where it is damaged."""
        with _explained():
            row = self._db.execute("SELECT fleet FROM fleet").fetchone()
        try:
            return msgspec.msgpack.decode(b"" if row is None else row[0], type=Fleet)
        except msgspec.MsgspecError as error:
            raise StateError(
                f"the crawl's state ({FLEET_FILE}) does not tell how the crawl is cut "
                "into shards; restore the folder from a copy, or begin anew with "
                "--fresh"
            ) from error

    def set_fleet(self, fleet: Fleet) -> None:
        encoded = msgspec.msgpack.encode(fleet)
        with _explained():
            self._db.execute("INSERT OR REPLACE INTO fleet VALUES (1, ?)", (encoded,))

    def session(self) -> Session | None:
        """What this run has logged in to, if it did."""
        with _explained():
            row = self._db.execute("SELECT session FROM session").fetchone()
        return row and msgspec.msgpack.decode(row[0], type=Session)

    def set_session(self, session: Session | None) -> None:
        with self._changing():
            self._db.execute("DELETE FROM session")
            if session is not None:
                encoded = msgspec.msgpack.encode(session)
                self._db.execute("INSERT INTO session VALUES (1, ?)", (encoded,))

    def tokens(self, shard: int) -> list[str]:
        """The tokens of the last leases of a shard, from the oldest on."""
        with _explained():
            return [token for (token,) in self._db.execute(_TOKENS, (shard,))]

    def add_tokens(self, tokens: Mapping[int, str]) -> None:
        """Keep a token of a lease for each of some shards."""
        with self._changing():
            query = "INSERT INTO lease (shard, token) VALUES (?, ?)"
            self._db.executemany(query, tokens.items())
            self._db.executemany(
                _FORGET_TOKENS, ((shard, MAX_TOKENS) for shard in tokens)
            )

    def last_leases(self) -> dict[int, LastLease]:
        """The last lease of each shard of the crawl, as far as it was heard here."""
        with _explained():
            rows = self._db.execute("SELECT shard, token, home FROM last_lease")
            return {shard: LastLease(token, home) for shard, token, home in rows}

    def set_last_leases(self, leases: Mapping[int, LastLease]) -> None:
        """Keep what was heard; it is on the disk when this returns."""
        with self._changing():
            query = "INSERT OR REPLACE INTO last_lease VALUES (?, ?, ?)"
            rows = [(shard, *lease) for shard, lease in leases.items()]
            self._db.executemany(query, rows)

    def held_until(self, machine: str) -> dict[int, float]:
        """Until when leases last that this folder has had on a machine, by shard."""
        query = "SELECT shard, until FROM held_lease WHERE machine = ?"
        with _explained():
            return dict(self._db.execute(query, (machine,)).fetchall())

    def set_held(self, machine: str, shards: Iterable[int], until: float) -> None:
        """Keep that those of these shards last until then, and no others."""
        with self._changing():
            self._db.execute("DELETE FROM held_lease")
            query = "INSERT INTO held_lease VALUES (?, ?, ?)"
            rows = [(shard, machine, until) for shard in shards]
            self._db.executemany(query, rows)

    def used_elsewhere(self) -> tuple[int, int]:
        """(pages, bytes) of the shards of other machines, when that was told last."""
        with _explained():
            row = self._db.execute("SELECT pages, bytes FROM elsewhere").fetchone()
        return row or (0, 0)

    def set_used_elsewhere(self, pages: int, received: int) -> None:
        """Keep what the shards of other machines have used."""
        with _explained():
            query = "INSERT OR REPLACE INTO elsewhere VALUES (1, ?, ?)"
            self._db.execute(query, (pages, received))

    def left(self, kind: Kind, limit: int) -> int:
        """What of `limit`, and of the allowance if there is one, no shard has."""
        allowance = self.allowance(kind)
        if allowance is not None:
            limit = min(limit, allowance.amount)
        return max(0, limit - self.granted(kind))

    def granted(self, kind: Kind) -> int:
        """What is granted to the shards here."""
        with _explained():
            granted: int = self._db.execute(_SUM, (kind,)).fetchone()[0]
        return granted

    def allowance(self, kind: Kind) -> Allowance | None:
        """What the shards here may use of a limit; None: all of it."""
        with _explained():
            row = self._db.execute(_ALLOWANCE, (kind,)).fetchone()
        return row and Allowance(*row)

    def allow(self, kind: Kind, allowance: Allowance) -> None:
        """Let the shards here use so much; it is on the disk before they do."""
        with self._changing():
            self._db.execute(_ALLOW, (kind, *allowance))

    def keep(self, kind: Kind, unused: int) -> None:
        """Allow `unused` beyond what the shards here have, if that is less than now."""
        with self._changing():
            number, amount = self.allowance(kind) or Allowance()
            kept = min(amount, self.granted(kind) + unused)
            self._db.execute(_ALLOW, (kind, number + 1, kept))

    def grant(
        self, kind: Kind, shard: int, used: int, limit: int, share: int, least: int
    ) -> int:
        """Grant a shard that has `used` all it has a `share`-th of what is left more.

        At least `least`, where so much is left. Returns what it may have in all.
        """
        if not self.left(kind, limit):
            return used
        with self._changing():
            self._db.execute(_SET, (kind, shard, used))
            left = self.left(kind, limit)
            amount = used + min(left, max(least, left // share))
            self._db.execute(_SET, (kind, shard, amount))
        return amount

    def release(self, shard: int, pages: int, received: int) -> None:
        """A shard has used so much, and needs no more for now."""
        self.set_used([(shard, pages, received)])

    def set_used(self, used: Iterable[tuple[int, int, int]]) -> None:
        """(shard, pages, bytes) that were used, and nothing is granted beyond."""
        with self._changing():
            for shard, pages, received in used:
                self._db.execute(_SET, ("pages", shard, pages))
                self._db.execute(_SET, ("bytes", shard, received))

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with _explained():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
