"""The HTTP client as the configuration wants it, and what is saved when it closes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from msgspec import Struct

import hub
from crawler.engine.requests import HttpClient
from crawler.fetch.client import Client
from crawler.fetch.connect.proxy import Proxies
from crawler.model.config import Config
from crawler.model.metadata import KeyValue
from crawler.model.url import host_key, hostname
from crawler.settings.secrets import revealed, secret_headers
from crawler.workspace.credential_files import open_identity, write_jar


class OpenedClient(Struct, frozen=True):
    """A client, and what is done with its cookies when the work is done."""

    client: HttpClient
    save_cookies: Callable[[], None] = lambda: None
    """Writes `http.cookie_jar`, if there is one. Raises OutputError."""


def open_client(
    config: Config,
    named: Sequence[str],
    metadata: KeyValue,
    clock: Callable[[], float],
) -> OpenedClient:
    """The client for URLs that the user has named; its cookies are in `metadata`.

    `clock`: seconds since the epoch. Raises UsageError if a file that `config.http`
    names is of no use.
    """
    http = revealed(config.http, os.environ)
    identity = open_identity(http, named, metadata, clock)
    client = Client(
        http,
        named_hosts={hostname(host_key(url)) for url in named},
        identity=identity,
        proxies=Proxies(http.proxy, http.no_proxy, os.environ),
        secret_headers=secret_headers(config.http),
        clock=hub.get_hub().loop.now,
    )
    return OpenedClient(client, lambda: write_jar(config.http.cookie_jar, identity.jar))
