"""The durable store of a shard: URLs of other shards go to the outbox (`mail.py`).

It is the store of a crawl with four tables more, which no other crawl has. What was
discovered for other shards is gathered until the commit, which makes one row of it for
each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from crawler.frontier import mail
from crawler.frontier.mail import TO_ALL, TO_OWNER, Mark, Message, Value
from crawler.frontier.sqlite.database import (
    first_column,
    sync_commits,
    translate_sqlite_errors,
)
from crawler.frontier.sqlite.seen_set import SKIPPED
from crawler.frontier.sqlite.shared_contents import SharedContents
from crawler.frontier.sqlite.store import SqliteStore
from crawler.frontier.store import Content
from crawler.model.crawl import Discovered
from crawler.model.metadata import SITEMAP_INDEXES
from crawler.model.shards import Owners

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS shard (one INTEGER PRIMARY KEY CHECK (one = 1),"
    " number INTEGER NOT NULL, shards INTEGER NOT NULL, epoch INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS outbox (shard INTEGER, number INTEGER,"
    " body BLOB NOT NULL, PRIMARY KEY (shard, number)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS sent"
    " (shard INTEGER PRIMARY KEY, number INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS inbox (shard INTEGER PRIMARY KEY,"
    " epoch INTEGER NOT NULL, number INTEGER NOT NULL,"
    " safe_epoch INTEGER NOT NULL DEFAULT 0, safe_number INTEGER NOT NULL DEFAULT 0)",
)
"""`sent.number` is the last one of this epoch; the rows up to it may be gone.

`inbox.safe_...` is what was on the disk for certain when the row was written.
"""

_OUTGOING = """
SELECT number, body FROM outbox WHERE shard = ? AND number > ? ORDER BY number LIMIT ?
"""
_TAKE = """
INSERT INTO inbox (shard, epoch, number) VALUES (?, ?, ?)
ON CONFLICT (shard) DO UPDATE SET epoch = excluded.epoch, number = excluded.number
"""
_SAFE = "UPDATE inbox SET safe_epoch = ?, safe_number = ? WHERE shard = ?"


class ShardStore(SqliteStore):
    """The `Store` and the `Mailbox` of shard `shard`, in `folder`.

    `now`: seconds since the epoch. Opening it begins an epoch of its mail, which is on
    the disk when this returns. Raises as SqliteStore.
    """

    def __init__(
        self,
        folder: Path,
        shard: int,
        owners: Owners,
        now: float,
        more_files: tuple[str, ...] = (),
        contents: SharedContents | None = None,
    ) -> None:
        """`contents`: those of all shards; the store closes it."""
        self.shard = shard
        self.epoch = 0
        self._owners = owners
        self._all_contents = contents
        self._folder = folder
        self._found_for: dict[int, list[Discovered]] = {}
        self._values_for: dict[int, list[Value]] = {}
        self._taking: dict[int, Mark] = {}
        self._sent: dict[int, Mark] = {}
        self._taken: dict[int, Mark] = {}
        self._safe: dict[int, Mark] = {}
        self._may_commit: Callable[[], None] = lambda: None
        super().__init__(folder, more_files)
        with ExitStack() as undo:
            undo.callback(self.close)
            self._begin_epoch(now)
            undo.pop_all()

    @translate_sqlite_errors
    def _begin_epoch(self, now: float) -> None:
        """Number what waits in the outbox anew, from 1 on, under a higher epoch."""
        self._begin()
        for statement in _SCHEMA:
            self._db.execute(statement)
        last = first_column(self._db.execute("SELECT epoch FROM shard"), 0)
        # By the clock, so that it is higher also where an old copy of the state was put
        # in place of this one.
        self.epoch = max(last + 1, int(now * 1000))
        row = (self.shard, self._owners.shards, self.epoch)
        self._db.execute("INSERT OR REPLACE INTO shard VALUES (1, ?, ?, ?)", row)
        query = "SELECT shard, number FROM outbox ORDER BY shard, number"
        counts: dict[int, int] = {}
        for to, number in self._db.execute(query).fetchall():  # each gets smaller
            counts[to] = counts.get(to, 0) + 1
            self._db.execute(
                "UPDATE outbox SET number = ? WHERE shard = ? AND number = ?",
                (counts[to], to, number),
            )
        self._db.execute("DELETE FROM sent")
        self._db.executemany("INSERT INTO sent VALUES (?, ?)", counts.items())
        self._db.execute("COMMIT")
        sync_commits(self._folder)
        self._sent = {to: Mark(self.epoch, count) for to, count in counts.items()}
        taken = self._db.execute("SELECT shard, epoch, number FROM inbox").fetchall()
        self._taken = {shard: Mark(*mark) for shard, *mark in taken}
        self._taking = dict(self._taken)

    # What leaves

    def add(self, found: Iterable[Discovered], now: float) -> int:
        """As `UrlQueue.add`; of URLs of other shards none is counted."""
        mine, owner, shard = [], self._owners.of_url, self.shard
        for one in found:
            to = owner(one.url)
            if to == shard:
                mine.append(one)
            elif self._is_news(one):
                self._found_for.setdefault(to, []).append(one)
                if one.kind == "sitemap_index" and one.parent_url is not None:
                    self._send_level(one.parent_url, to)
        return super().add(mine, now)

    def _is_news(self, found: Discovered) -> bool:
        """Whether the owner may not know the URL, or only as one farther away.

        The cache that says so forgets; the owner takes a URL twice without harm.
        """
        recent = self._recent
        known = None if found.redirects else recent.get(found.url)
        if known is not None and (found.skip is not None or known <= found.depth):
            return False
        recent.put(found.url, found.depth if found.skip is None else SKIPPED)
        return True

    def _send_level(self, index: str, to: int) -> None:
        """Send the level of a sitemap index, by which what it names is limited."""
        level = self.get(SITEMAP_INDEXES, index)
        if level is not None:
            self._values_for.setdefault(to, []).append(
                Value(SITEMAP_INDEXES, index, level)
            )

    def set(self, kind: str, key: str, value: bytes | None) -> None:
        super().set(kind, key, value)
        if value is None:
            return
        if kind in TO_ALL:
            others = set(range(self._owners.shards)) - {self.shard}
        elif kind in TO_OWNER:
            others = {self._owners.of_url(key)} - {self.shard}
        else:
            return
        for to in others:
            self._values_for.setdefault(to, []).append(Value(kind, key, value))

    def set_taken(self, value: Value) -> None:
        """Keep metadata that another shard has sent; it goes no further."""
        super().set(*value)

    @translate_sqlite_errors
    def content(self, sha256: str) -> Content | None:
        """As `Ledger.content`; what this shard has not, another one may have."""
        known = super().content(sha256)
        if known is None and self._all_contents is not None:
            known = self._all_contents.find(sha256)
        return known

    @translate_sqlite_errors
    def set_content(self, sha256: str, content: Content) -> None:
        super().set_content(sha256, content)
        if self._all_contents is not None:
            self._all_contents.claim(sha256, content.url)

    def guard(self, may_commit: Callable[[], None]) -> None:
        """Have this called before each commit; what it raises prevents the commit."""
        self._may_commit = may_commit

    @translate_sqlite_errors
    def sync(self) -> None:
        """Bring what is committed to the disk. Blocks for that."""
        sync_commits(self._folder)

    @property
    def is_committed(self) -> bool:
        """Whether nothing has changed since the last commit."""
        return not (self._db.in_transaction or self._found_for or self._values_for)

    @translate_sqlite_errors
    def commit(self) -> None:
        self._may_commit()
        sent = self._sent
        if self._found_for or self._values_for:
            self._begin()
            sent = sent | self._write_mail()
        taken = dict(self._taking)
        kept = [(sha256, one.path) for sha256, one in self._contents.pending.items()]
        super().commit()
        self._sent, self._taken = sent, taken
        if self._all_contents is not None:
            self._all_contents.publish(kept)

    def close(self) -> None:
        try:
            super().close()
        finally:
            if self._all_contents is not None:
                self._all_contents.close()

    def _write_mail(self) -> dict[int, Mark]:
        marks: dict[int, Mark] = {}
        for to in self._found_for.keys() | self._values_for.keys():
            last = self._sent.get(to, Mark(self.epoch))
            marks[to] = Mark(self.epoch, last.number + 1)
            content = mail.Content(
                tuple(self._found_for.get(to, ())), tuple(self._values_for.get(to, ()))
            )
            row = (to, marks[to].number, mail.encode(content))
            self._db.execute("INSERT INTO outbox VALUES (?, ?, ?)", row)
            self._db.execute("INSERT OR REPLACE INTO sent VALUES (?, ?)", row[:2])
        self._found_for.clear()
        self._values_for.clear()
        return marks

    @translate_sqlite_errors
    def outgoing(self, to: int, after: int, limit: int) -> list[Message]:
        if after >= self._sent.get(to, Mark()).number:
            return []
        rows = self._db.execute(_OUTGOING, (to, after, limit)).fetchall()
        return [
            Message(self.shard, Mark(self.epoch, number), body) for number, body in rows
        ]

    def sent(self) -> Mapping[int, Mark]:
        return self._sent

    @translate_sqlite_errors
    def acknowledged(self, by: int, mark: Mark) -> None:
        if mark.epoch == self.epoch:  # what was told in an earlier one is over
            self._begin()
            query = "DELETE FROM outbox WHERE shard = ? AND number <= ?"
            self._db.execute(query, (by, mark.number))

    # What comes

    @translate_sqlite_errors
    def accept(self, message: Message) -> mail.Content | None:
        last, mark = self.expected(message.source), message.mark
        begins = mark.epoch > last.epoch and mark.number == 1
        goes_on = mark.epoch == last.epoch and mark.number == last.number + 1
        if not (begins or goes_on):
            return None
        self._begin()
        self._db.execute(_TAKE, (message.source, *mark))
        self._taking[message.source] = mark
        return mail.decode(message.body)

    def expected(self, source: int) -> Mark:
        return self._taking.get(source, Mark())

    def taken(self) -> Mapping[int, Mark]:
        return self._taken

    @translate_sqlite_errors
    def make_safe(self) -> Mapping[int, Mark]:
        """Bring what is committed to the disk; by sender, what is safe there now.

        The next commit stores it, where the senders may read it. Blocks for the disk.
        """
        taken = dict(self._taken)
        if taken != self._safe:
            sync_commits(self._folder)
            self._begin()
            rows = [(*mark, source) for source, mark in taken.items()]
            self._db.executemany(_SAFE, rows)
            self._safe = taken
        return self._safe
