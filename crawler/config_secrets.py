"""Secrets in the configuration: named there (`env:NAME`, `file:PATH`), read at the last moment.

What is kept in the state, shown by `config show` and hashed for the run records is the name. Only
`revealed`, called when the client is built, reads the secret itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from crawler.config import HttpConfig
from crawler.errors import UsageError

MAX_SECRET = 64 * 2**10

SECRET_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token", "api-key"}
)


def is_secret(header: str) -> bool:
    return header.lower() in SECRET_HEADERS


def is_reference(value: str) -> bool:
    return value.startswith(("env:", "file:"))


def refuse_literal_secrets(path: tuple[str, ...], value: Any) -> None:
    """Raises ValueError if a header of the file holds a secret in so many words."""
    if path != ("http", "headers") or not isinstance(value, dict):
        return
    for name, text in value.items():
        if is_secret(name) and isinstance(text, str) and not is_reference(text):
            raise ValueError(f'a secret does not belong in this file; write {name} = "env:NAME"')


def hidden(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers fit to be shown: references as they are, literal secrets as dots."""
    return {
        name: "•••" if is_secret(name) and not is_reference(text) else text
        for name, text in headers.items()
    }


def revealed(http: HttpConfig, environ: Mapping[str, str]) -> HttpConfig:
    """The same configuration with the secrets themselves. Raises UsageError if one is missing."""
    headers = {name: _read(name, text, environ) for name, text in http.headers.items()}
    return msgspec.structs.replace(http, headers=headers)


def _read(name: str, text: str, environ: Mapping[str, str]) -> str:
    kind, _, where = text.partition(":")
    if kind == "env":
        if where not in environ:
            raise UsageError(f"header {name}: the environment holds no {where}; export it")
        return environ[where]
    return _read_file(name, where) if kind == "file" else text


def _read_file(name: str, where: str) -> str:
    try:
        with Path(where).expanduser().open(encoding="utf-8") as file:
            secret = file.read(MAX_SECRET).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"header {name}: can't read {where}: {error}") from error
    if "\n" in secret or "\r" in secret:
        raise UsageError(f"header {name}: {where} holds more than one line")
    return secret
