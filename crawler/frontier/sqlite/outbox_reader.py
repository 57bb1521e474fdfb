"""The mail of a shard, read from its state by the others on the same machine.

The state is read while its own process writes it, as of its last commit. `look` costs
one `PRAGMA data_version` where nothing was committed since the last one, and one query
otherwise, for all receivers together; messages are read for those that have any.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from crawler.frontier.mail import Mark, Message
from crawler.frontier.sqlite.database import FILE_NAME, translate
from crawler.model.errors import StateError

MAX_MESSAGES = 64
"""Messages that are read at once."""

_NEXT = """
SELECT epoch, outbox.number, body FROM shard JOIN outbox ON outbox.shard = ?
WHERE outbox.number > CASE WHEN epoch = ? THEN ? ELSE 0 END
ORDER BY outbox.number LIMIT ?
"""
_SENT = "SELECT epoch, sent.number FROM shard JOIN sent ON sent.shard = ?"
_ALL_SENT = "SELECT sent.shard, epoch, sent.number FROM shard JOIN sent"
_SAFE = "SELECT safe_epoch, safe_number FROM inbox WHERE shard = ?"


class OutboxReader:
    """Reads the state of shard `source`, in the folder `state`."""

    def __init__(self, state: Path, source: int) -> None:
        self._state = state
        self._source = source
        self._db: sqlite3.Connection | None = None
        self._seen = -1
        self._sent: dict[int, Mark] = {}

    def look(self) -> None:
        """See what the shard has sent, by its last commit."""
        try:
            db = self._opened()
            if db is None:
                return
            version: int = db.execute("PRAGMA data_version").fetchone()[0]
            if version != self._seen:
                rows = db.execute(_ALL_SENT).fetchall()
                self._sent = {to: Mark(*mark) for to, *mark in rows}
                self._seen = version
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def messages(self, to: int, after: Mark) -> list[Message]:
        """What the shard had sent to another after a message, when it was looked at.

        Raises StateError if what follows is there no more.
        """
        db = self._db
        if db is None or self._sent.get(to, Mark()) <= after:
            return []
        try:
            db.execute("BEGIN")
            rows = db.execute(_NEXT, (to, *after, MAX_MESSAGES)).fetchall()
            sent = Mark(*(db.execute(_SENT, (to,)).fetchone() or (0, 0)))
            db.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._explained(error) from error
        messages = [
            Message(self._source, Mark(epoch, number), body)
            for epoch, number, body in rows
        ]
        self._check(to, after, messages, sent)
        return messages

    def safe(self, to: int) -> Mark | None:
        """How far the shard has what another sent it safe on the disk."""
        try:
            db = self._opened()
            row = db and db.execute(_SAFE, (to,)).fetchone()
        except sqlite3.Error as error:
            raise self._explained(error) from error
        return Mark(*row) if row else None

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _explained(self, error: sqlite3.Error) -> Exception:
        return translate(error, str(self._state / FILE_NAME))

    def _opened(self) -> sqlite3.Connection | None:
        """The state; None while it has no mail, since its shard has not begun."""
        if self._db is None and (self._state / FILE_NAME).is_file():
            address = f"{(self._state / FILE_NAME).absolute().as_uri()}?mode=ro"
            db = sqlite3.connect(address, uri=True, isolation_level=None)
            query = "SELECT 1 FROM sqlite_master WHERE name = 'inbox'"
            if db.execute(query).fetchone() is None:
                db.close()
            else:
                self._db = db
        return self._db

    def _check(self, to: int, after: Mark, messages: list[Message], sent: Mark) -> None:
        """Whether the next message is the one that is expected.

        The state of the sender may be older than `after`; its next epoch tells that.
        """
        if messages:
            first = messages[0].mark
            expected = after.number + 1 if first.epoch == after.epoch else 1
            is_there = first.number == expected or first.epoch < after.epoch
        else:
            is_there = sent.epoch != after.epoch or sent.number <= after.number
        if not is_there:
            raise StateError(
                f"shard {to} of the crawl has lost what shard {self._source} "
                "sent it: its state is an old copy; restore those of all shards from "
                "one copy, or begin anew with --fresh"
            )
