"""Plug-ins for tests; the child process imports them from here."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any


class FirstHeading:
    """Takes the text of the first heading of a page."""

    def __init__(self, tag: str = "h1", key: str = "heading") -> None:
        self.tag = tag
        self.key = key

    def extract(self, document: Any) -> dict[str, Any]:
        found = document.tree.find(f".//{self.tag}")
        return {self.key: None if found is None else found.text_content()}


class Raises:
    """Fails on each page."""

    def extract(self, document: Any) -> dict[str, Any]:
        raise ZeroDivisionError("division by zero")


class NotAPlugin:
    """Has none of the methods."""


class WrongSignature:
    """Its method takes one argument too many."""

    def check(self, candidate: object, other: object) -> None:
        """Never called."""


class Coroutine:
    """Its method would have to be awaited."""

    async def on_record(self, record: object) -> None:
        """Never called."""


class Needy:
    """Cannot be made without its option, nor with a negative one."""

    def __init__(self, limit: int) -> None:
        if limit < 0:
            raise ValueError("a limit is positive")
        self.limit = limit

    def check(self, candidate: Any) -> str | None:
        return "too deep" if candidate.depth > self.limit else None


class _Lists:
    """Remembers all records; the attribute `instance` below is an object."""

    def __init__(self) -> None:
        self.records: list[object] = []

    def on_record(self, record: object) -> None:
        self.records.append(record)


instance = _Lists()


class WaitsForFile:
    """Has a page wait until there is a file of this name."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def extract(self, document: Any) -> dict[str, Any]:
        while not self.path.exists():
            time.sleep(0.01)
        return {"length": len(document.body)}


class Slow:
    """Takes some seconds for each page."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def extract(self, document: Any) -> dict[str, Any]:
        time.sleep(self.seconds)
        return {}


class Mortal:
    """Dies of a page with a certain word."""

    def extract(self, document: Any) -> dict[str, Any]:
        if b"die" in document.body:
            os.kill(os.getpid(), signal.SIGKILL)
        return {"read": document.url}


class Process:
    """Says in which process a page was read; long enough for another to be started."""

    def extract(self, document: Any) -> dict[str, Any]:
        time.sleep(0.05)
        return {"pid": os.getpid()}
