"""What an exception of a plug-in is called in records and messages.

A plug-in may raise anything: an exception whose own text cannot be made, a text that
UTF-8 cannot hold, one of megabytes, or the SystemExit of a library that was written
for scripts. None of it may end the crawl.
"""

from __future__ import annotations

FAILURES = (Exception, SystemExit)
"""What counts as a failure of a plug-in.

The exceptions that end a greenlet, and KeyboardInterrupt, are not its own.
"""

MAX_TEXT = 1000
"""Characters of a plug-in's text that are kept in a record or a message."""


def short_text(text: str) -> str:
    """`text` as a record can hold it: cut at MAX_TEXT, lone surrogates replaced.

    >>> short_text("not \\ud800 this")
    'not ? this'
    """
    return text[:MAX_TEXT].encode(errors="replace").decode()


def failure_text(error: BaseException) -> str:
    """The class of `error` and its text.

    >>> failure_text(ValueError("no such price"))
    'ValueError: no such price'
    """
    name = type(error).__name__
    try:
        return short_text(f"{name}: {error}")
    except FAILURES:
        return f"{name}: its text cannot be made"
