"""The mail of a shard, read from its state by another one on the same machine.

The state is read while its own process writes it, as of its last commit. Where nothing
was committed since the last look, no query is made.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from crawler.frontier.mail import Mark, Message, mail_is_lost
from crawler.frontier.sqlite.database import FILE_NAME, translate

MAX_MESSAGES = 64
"""Messages that are read at once."""

_NEXT = """
SELECT epoch, outbox.number, body FROM shard JOIN outbox ON outbox.shard = ?
WHERE outbox.number > CASE WHEN epoch = ? THEN ? ELSE 0 END
ORDER BY outbox.number LIMIT ?
"""
_SENT = "SELECT epoch, sent.number FROM shard JOIN sent ON sent.shard = ?"
_SAFE = "SELECT safe_epoch, safe_number FROM inbox WHERE shard = ?"


class OutboxReader:
    """Reads the state of shard `source`, in the folder `state`, for shard `to`."""

    def __init__(self, state: Path, source: int, to: int) -> None:
        self._state = state
        self._source = source
        self._to = to
        self._db: sqlite3.Connection | None = None
        self._seen = -1
        self._has_more = False

    def messages(self, after: Mark) -> list[Message]:
        """What the shard has sent after a message; none where nothing has changed.

        Raises StateError if what follows is there no more.
        """
        try:
            db = self._opened()
            if db is None or not (self._has_changed(db) or self._has_more):
                return []
            db.execute("BEGIN")
            rows = db.execute(_NEXT, (self._to, *after, MAX_MESSAGES)).fetchall()
            sent = Mark(*(db.execute(_SENT, (self._to,)).fetchone() or (0, 0)))
            db.execute("COMMIT")
        except sqlite3.Error as error:
            raise translate(error, str(self._state / FILE_NAME)) from error
        self._has_more = len(rows) == MAX_MESSAGES
        messages = [
            Message(self._source, Mark(epoch, number), body)
            for epoch, number, body in rows
        ]
        self._check(after, messages, sent)
        return messages

    def safe(self) -> Mark | None:
        """How far the shard has what this one sent it safe on the disk."""
        try:
            db = self._opened()
            row = db and db.execute(_SAFE, (self._to,)).fetchone()
        except sqlite3.Error as error:
            raise translate(error, str(self._state / FILE_NAME)) from error
        return Mark(*row) if row else None

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

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

    def _has_changed(self, db: sqlite3.Connection) -> bool:
        version: int = db.execute("PRAGMA data_version").fetchone()[0]
        if version == self._seen:
            return False
        self._seen = version
        return True

    def _check(self, after: Mark, messages: list[Message], sent: Mark) -> None:
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
            raise mail_is_lost(self._to, self._source)
