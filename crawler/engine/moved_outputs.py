"""Records go on in new files after theirs were moved away (SIGHUP, log rotation).

The promise stays exact because the file changes between two commits:

1. all that waits is committed, with the position in the file that was moved; that file
   is on the disk,
2. a second commit sets the position to 0, and is on the disk,
3. the new file is opened, and begins with the schema line.

Killed before 2, the state knows a position in a file that is not at its path: a resume
says so, and goes on when the file is put back. Killed after 2, a resume begins the file
at the path. It is begun by nothing before 2, and holds nothing committed until the next
commit, which has a position in it. A file that was not moved stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from crawler.engine.committer import Committer
from crawler.frontier.store import Store
from crawler.model.errors import OutputError
from crawler.model.metadata import REOPENED
from crawler.output.sink import RecordSink, ReopenableSink


def go_on_anew(
    sinks: Mapping[str, RecordSink],
    committer: Committer,
    store: Store,
    warn: Callable[[str], None],
) -> None:
    """Let sinks whose files were moved away go on in new ones.

    `warn` is told of a file that cannot be replaced: its records go on where they are.
    Raises what a commit raises; then no later one can succeed.
    """
    moved = {
        name: sink
        for name, sink in sinks.items()
        if isinstance(sink, ReopenableSink) and _was_moved(sink, warn)
    }
    if not moved:
        return
    committer.commit()
    try:
        for name, sink in moved.items():
            sink.sync()
            store.set_position(name, 0)
            store.set(REOPENED, name, b"1")
        store.commit()
        for sink in moved.values():
            sink.begin_anew()
    except BaseException as error:
        committer.fail(error)
        raise


def _was_moved(sink: ReopenableSink, warn: Callable[[str], None]) -> bool:
    try:
        return sink.was_moved()
    except OutputError as error:
        warn(f"{error}; the records go on in the file of before")
        return False
