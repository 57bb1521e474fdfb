"""The hosts that a running crawl waits for, as those who read its state see them.

Leases and requests live in the crawl's own process. What has had no answer for
`SILENT_S` is put into the store, so that `status --why` can name it.

No I/O but the store's, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol

import msgspec
from msgspec import Struct

from crawler.model.metadata import SILENT_HOSTS, KeyValue

MAX_SILENT = 1_000
"""Hosts that are put into the store, those that are silent for longest."""


class SilentHost(Struct, frozen=True, array_like=True):
    """Requests to one host that have no answer yet."""

    since: float
    """Since when the host has answered none (seconds since the epoch)."""
    name: str
    requests: int


class _Readable(Protocol):
    def items(self, kind: str) -> Iterable[tuple[str, bytes]]: ...


class SilentHosts:
    """Keeps the silent hosts of one crawl in its store."""

    def __init__(self, store: KeyValue) -> None:
        self._store = store
        # A crawl that died has left some, which are deleted with the first change.
        self._saved = {host.name: host for host in read_silent_hosts(store)}

    def save(self, hosts: Iterable[SilentHost]) -> None:
        """Put those that have changed into the open transaction."""
        now = {host.name: host for host in oldest_first(hosts)[:MAX_SILENT]}
        for name in self._saved.keys() - now.keys():
            self._store.set(SILENT_HOSTS, name, None)
        for name, host in now.items():
            if self._saved.get(name) != host:
                self._store.set(SILENT_HOSTS, name, msgspec.msgpack.encode(host))
        self._saved = now


def oldest_first(hosts: Iterable[SilentHost]) -> list[SilentHost]:
    return sorted(hosts, key=lambda host: (host.since, host.name))


def read_silent_hosts(metadata: _Readable) -> list[SilentHost]:
    """What a crawl has saved, the longest wait first; damaged values are left out."""
    found = []
    for _, encoded in metadata.items(SILENT_HOSTS):
        with suppress(msgspec.DecodeError):
            found.append(msgspec.msgpack.decode(encoded, type=SilentHost))
    return oldest_first(found)
