"""Secrets in the configuration: a reference (`env:NAME`, `file:PATH`), resolved late.

The state, `config show` and the hash in the run records hold the reference. Only
`revealed`, called when the client is built, reads the secret itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from crawler.model.errors import UsageError
from crawler.model.http_config import HttpConfig, LoginConfig
from crawler.model.redact import REDACTED, is_secret

MAX_SECRET = 64 * 2**10

AUTH, PROXY = ("http", "auth"), ("http", "proxy")
COOKIE_PAIRS, LOGIN_FORM = ("http", "cookie_pairs"), ("login", "form")


def is_reference(value: str) -> bool:
    return value.startswith(("env:", "file:"))


def secret_headers(http: HttpConfig) -> frozenset[str]:
    """The names of the configured headers that hold secrets, in lower case."""
    named = http.headers.items()
    return frozenset(
        n.lower() for n, text in named if is_secret(n) or is_reference(text)
    )


def refuse_literal_secrets(path: tuple[str, ...], value: Any) -> None:
    """Raises ValueError if a value of the file is a secret and not a reference."""
    if path == ("http", "headers") and isinstance(value, dict):
        literal = [n for n, text in value.items() if is_secret(n) and is_literal(text)]
    elif path == COOKIE_PAIRS and isinstance(value, dict):
        literal = [name for name, text in value.items() if is_literal(text)]
    elif path == LOGIN_FORM and isinstance(value, dict):
        literal = [name for name, text in value.items() if text == REDACTED]
    elif path in (AUTH, PROXY) and is_literal(value):
        literal = [path[-1]] if path == AUTH or "@" in value else []
    else:
        return
    if literal:
        raise ValueError(
            f'secrets are not allowed in this file; write {literal[0]} = "env:NAME"'
        )


def is_literal(value: Any) -> bool:
    """Whether a value is there, and no reference."""
    return isinstance(value, str) and value != "" and not is_reference(value)


def hidden(path: tuple[str, ...], value: Any) -> Any:
    """A value that can be shown: references as they are, literal secrets redacted."""
    if path == ("http", "headers"):
        return {
            name: REDACTED if is_secret(name) and is_literal(text) else text
            for name, text in value.items()
        }
    if path in (COOKIE_PAIRS, LOGIN_FORM):
        return {n: REDACTED if is_literal(text) else text for n, text in value.items()}
    if path == AUTH and is_literal(value):
        return REDACTED
    if path == PROXY and is_literal(value) and "@" in value:
        return f"{REDACTED}@{value.rpartition('@')[2]}"
    return value


def revealed(http: HttpConfig, environ: Mapping[str, str]) -> HttpConfig:
    """The configuration with references replaced by the secrets themselves.

    Raises UsageError if one is missing.
    """
    return msgspec.structs.replace(
        http,
        headers={
            n: _read(f"header {n}", text, environ) for n, text in http.headers.items()
        },
        cookie_pairs={
            n: _read(f"cookie {n}", text, environ)
            for n, text in http.cookie_pairs.items()
        },
        auth=_read("http.auth", http.auth, environ),
        proxy=_read("http.proxy", http.proxy, environ),
    )


def revealed_login(login: LoginConfig, environ: Mapping[str, str]) -> LoginConfig:
    """The login with references replaced by the secrets.

    Raises UsageError if one is missing, or the login is not whole.
    """
    if login.url and not login.form:
        raise UsageError(
            "--login needs the fields of the form: --form user=NAME "
            "--form password=env:PASSWORD, by the names that they have in the page"
        )
    if login.form and not login.url:
        raise UsageError("--form needs --login URL, the page with the form")
    form = {
        n: _read(f"field {n} of --login", text, environ)
        for n, text in login.form.items()
    }
    return msgspec.structs.replace(login, form=form)


def _read(name: str, text: str, environ: Mapping[str, str]) -> str:
    kind, _, where = text.partition(":")
    if kind == "env":
        if where not in environ:
            raise UsageError(f"{name}: environment variable {where} is not set")
        return environ[where]
    return _read_file(name, where) if kind == "file" else text


def _read_file(name: str, where: str) -> str:
    try:
        with Path(where).expanduser().open(encoding="utf-8") as file:
            secret = file.read(MAX_SECRET).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{name}: can't read {where}: {reason}") from error
    if "\n" in secret or "\r" in secret:
        raise UsageError(f"{name}: {where} holds more than one line")
    return secret
