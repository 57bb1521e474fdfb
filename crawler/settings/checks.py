"""Checks that the type of a setting cannot express: rules, networks, templates.

Where a room of the crawl checks its own settings, its code is called, so that a file is
refused for exactly what a crawl would be refused for. Its modules are loaded only when
such a key is set.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from crawler.model.errors import UsageError
from crawler.model.policy_config import ScopeConfig


class TableError(ValueError):
    """A mistake in one of the tables; `below` is the path of it under the key."""

    def __init__(self, message: str, *below: str | int) -> None:
        super().__init__(message)
        self.below = below


def _rules(rules: tuple[str, ...]) -> None:
    _check_scope(ScopeConfig(rules=rules), "scope.rules")


def _domains(domains: tuple[str, ...]) -> None:
    _check_scope(ScopeConfig(domains=domains), "scope.domains: ")


def _check_scope(config: ScopeConfig, prefix: str) -> None:
    from crawler.policy.chain import scope_checks
    from crawler.policy.scope import Scope

    try:
        list(scope_checks(config, Scope(config)))
    except UsageError as error:
        raise ValueError(str(error).removeprefix(prefix)) from error


def _image_name(template: str) -> None:
    from crawler.output.images import check_template

    try:
        check_template(template)
    except UsageError as error:
        raise ValueError(str(error).removeprefix("images.name: ")) from error


def _saved_types(types: tuple[str, ...]) -> None:
    from crawler.output.bodies import saves

    saves(types)


def _warc_prefix(name: str) -> None:
    if not re.fullmatch(r"[^\W_][\w.-]{0,99}(?<!\.warc)(?<!\.warc\.gz)", name):
        raise ValueError(
            f"{name!r} is no name for WARC files; write letters, digits, dots, hyphens "
            "and underscores, without a folder and without .warc"
        )


def _include(fields: tuple[str, ...]) -> None:
    if "text" in fields or "markdown" in fields:
        from crawler.extract.text.page_text import check_installed

        check_installed(fields)


def _networks(networks: tuple[str, ...]) -> None:
    for network in networks:
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError as error:
            raise ValueError(
                f"{network!r} is not a valid network; write 127.0.0.0/8 or fd00::/8"
            ) from error


def _resolve(entries: tuple[str, ...]) -> None:
    for entry in entries:
        host, _, rest = entry.partition(":")
        port, _, address = rest.partition(":")
        whole = host and port.isascii() and port.isdigit() and 0 < int(port) < 65536
        if not (
            whole and all(_is_address(one.strip("[]")) for one in address.split(","))
        ):
            raise ValueError(
                f"{entry!r} is not HOST:PORT:ADDR, as in example.com:443:127.0.0.1"
            )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _statuses(statuses: tuple[str, ...]) -> None:
    for status in statuses:
        if not re.fullmatch(r"[1-9]\d\d|[1-5]xx", status):
            raise ValueError(f"{status!r} is not an HTTP status; write 429 or 5xx")


def _fail_on(limit: str) -> None:
    if limit not in ("any", "seed") and not re.fullmatch(r"\d{1,2}(\.\d+)?%", limit):
        from difflib import get_close_matches  # only for a mistake

        near = get_close_matches(limit, ("any", "seed"), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{limit!r} is not any, seed or a share such as 5%{hint}")


def _rotate(text: str) -> None:
    from crawler.output.parts import parse_rotation

    parse_rotation(text)


def _ca_file(path: str) -> None:
    import ssl

    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError as error:
        raise ValueError(f"{path} holds no certificates in PEM form") from error
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}") from error


def _readable(path: str) -> None:
    try:
        with Path(path).expanduser().open("rb") as file:
            file.read(1)
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}") from error


def _tls_ciphers(ciphers: str) -> None:
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).set_ciphers(ciphers)
    except ssl.SSLError as error:
        raise ValueError(f"{ciphers!r} names no cipher suite of OpenSSL") from error


_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A header's name, RFC 9110 section 5.6.2."""


def _headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name!r} is not a valid header name")
        if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
            raise ValueError(
                f"the value of {name} holds a line break or a control character"
            )


def _cookie_pairs(pairs: Mapping[str, str]) -> None:
    for name, value in pairs.items():
        if not re.fullmatch(r"[^\x00-\x20\x7f;=,]+", name):
            raise ValueError(f"{name!r} is not a valid name of a cookie")
        if re.search(r"[\x00-\x08\x0a-\x1f\x7f;]", value):
            raise ValueError(
                f"the value of {name} holds a semicolon, a line break or a control "
                "character"
            )


_PASSWORD = re.compile(r"pass|pwd|kennwort|secret|senha|contrase|token", re.IGNORECASE)
"""Names of fields that hold one."""


def _login_form(form: Mapping[str, str]) -> None:
    for name, value in form.items():
        if _PASSWORD.search(name) and not value.startswith(("env:", "file:")):
            raise ValueError(
                f"{name} looks like a password: write {name}=env:NAME or "
                f"{name}=file:PATH, since other users can read the process list"
            )


def _contact(text: str) -> None:
    if not re.fullmatch(r"[!-'*-~]+", text):
        raise ValueError(
            f"{text!r} is neither a URL nor an e-mail address in ASCII, without spaces "
            "and brackets"
        )


def _login_url(url: str) -> None:
    from crawler.model.seed import parse_seed

    try:
        parse_seed(url)
    except UsageError as error:
        raise ValueError(str(error)) from error


def _logout_pattern(pattern: str) -> None:
    from crawler.policy.logout import LogoutCheck

    try:
        LogoutCheck(pattern)
    except UsageError as error:
        raise ValueError(str(error).removeprefix("login.logout_pattern: ")) from error


def _proxy(text: str) -> None:
    from crawler.fetch.connect.proxy import DIRECT, parse_proxy

    if text == DIRECT or text.startswith(("env:", "file:")):
        return
    if text == "none":  # as other settings are removed
        raise ValueError("'none' would be the name of a host; 'direct' is no proxy")
    try:
        parse_proxy(text, "proxy")
    except UsageError as error:
        raise ValueError(str(error).removeprefix("proxy: ")) from error


def _dns_servers(servers: tuple[str, ...]) -> None:
    from crawler.fetch.dns.files import parse_server

    if servers != ("system",):
        for server in servers:
            parse_server(server)


def _patterns(patterns: tuple[str, ...]) -> None:
    from crawler.model.url_pattern import expression

    for pattern in patterns:
        try:
            expression(pattern)
        except ValueError as error:
            raise ValueError(
                f"{pattern!r} is not a valid expression: {error}"
            ) from error


CHECKS: dict[tuple[str, ...], Callable[[Any], None]] = {
    ("bodies", "save"): _saved_types,
    ("fail_on",): _fail_on,
    ("http", "allow_net"): _networks,
    ("http", "ca_file"): _ca_file,
    ("http", "client_cert"): _readable,
    ("http", "client_key"): _readable,
    ("http", "contact"): _contact,
    ("http", "cookie_pairs"): _cookie_pairs,
    ("http", "cookies"): _readable,
    ("http", "dns_servers"): _dns_servers,
    ("http", "headers"): _headers,
    ("http", "proxy"): _proxy,
    ("http", "resolve"): _resolve,
    ("http", "tls_ciphers"): _tls_ciphers,
    ("images", "name"): _image_name,
    ("login", "form"): _login_form,
    ("login", "logout_pattern"): _logout_pattern,
    ("login", "url"): _login_url,
    ("records", "include"): _include,
    ("records", "only_keep"): _patterns,
    ("records", "rotate"): _rotate,
    ("retry", "statuses"): _statuses,
    ("scope", "domains"): _domains,
    ("scope", "rules"): _rules,
    ("warc", "prefix"): _warc_prefix,
}
"""Each raises ValueError with a sentence for the user. Empty values are not checked."""


_TYPE_NAMES = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": '"none"',
    "datetime": "a date",
    "date": "a date",
    "time": "a time",
}


def in_terms_of_toml(message: str) -> str:
    """msgspec's message with the names that TOML has for the types."""
    message = re.sub(
        r"`([^`]*)`",
        lambda m: " or ".join(
            _TYPE_NAMES.get(part, part) for part in m[1].split(" | ")
        ),
        message,
    )
    return message[0].lower() + message[1:]
