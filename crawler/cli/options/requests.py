"""How requests are made: the options of every command that fetches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from crawler.cli.flags import Flag
from crawler.model.errors import UsageError
from crawler.settings.load import Setting, from_flag
from crawler.settings.secrets import AUTH, COOKIE_PAIRS, LOGIN_FORM

GROUP = "Requests"


def _headers(flag: str, values: Sequence[str]) -> list[Setting]:
    headers = {}
    for text in values:
        name, colon, value = text.partition(":")
        if not colon:
            raise UsageError(f"{flag} {text!r}: write 'Name: value'")
        if value.startswith("//"):
            raise UsageError(
                f"{flag} {text!r}: this is a URL; a header is written 'Name: value', "
                "and links to other hosts are followed with --scope any"
            )
        headers[name.strip()] = value.strip()
    return [from_flag(("http", "headers"), headers, flag)]


def _cookies(flag: str, values: Sequence[str]) -> list[Setting]:
    pairs = {}
    for text in values:
        for pair in filter(None, map(str.strip, text.split(";"))):
            name, equals, value = pair.partition("=")
            if not equals or not name:
                raise UsageError(
                    f"{flag}: write NAME=VALUE, or NAME=env:VARIABLE; a file of "
                    "cookies is named with --cookies FILE"
                )
            pairs[name.strip()] = value.strip()
    return [from_flag(COOKIE_PAIRS, pairs, flag)]


def _cookie_file(flag: str, name: str) -> list[Setting]:
    if "=" in name and not Path(name).expanduser().exists():
        raise UsageError(
            f"{flag} names a file of cookies; one cookie is given with "
            "--cookie NAME=VALUE"
        )
    return [from_flag(("http", "cookies"), name, flag)]


def _user(flag: str, text: str) -> list[Setting]:
    """Prompt for a missing password: other users of the machine see command lines."""
    if ":" not in text:
        password = click.prompt(f"Password of {text}", hide_input=True, err=True)
        text = f"{text}:{password}"
    return [from_flag(AUTH, text, flag)]


def _referer(flag: str, url: str) -> list[Setting]:
    return [from_flag(("http", "headers"), {"Referer": url}, flag)]


def _form(flag: str, values: Sequence[str]) -> list[Setting]:
    form = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(
                f"{flag} {name}: write NAME=VALUE, and a password as NAME=env:VARIABLE"
            )
        form[name] = value
    return [from_flag(LOGIN_FORM, form, flag)]


def request_options() -> Iterator[Flag]:
    """In the order of --help."""
    yield from _timeouts_and_headers()
    yield from _credentials()
    yield from _login()
    yield from _proxy_and_limits()
    yield from _tls()
    yield from _addresses()


def _timeouts_and_headers() -> list[Flag]:
    return [
        Flag("-T", "--timeout", key="http.timeout", group=GROUP, metavar="TIME"),
        Flag(
            "--connect-timeout", key="http.connect_timeout", group=GROUP,
            metavar="TIME",
        ),
        Flag("--read-timeout", key="http.read_timeout", group=GROUP, metavar="TIME"),
        Flag("--dns-timeout", key="http.dns_timeout", group=GROUP, metavar="TIME"),
        Flag(
            "-H", "--header", key="http.headers", group=GROUP,
            metavar="'NAME: VALUE'", multiple=True, convert=_headers,
        ),
        Flag("-U", "--user-agent", key="http.user_agent", group=GROUP, metavar="TEXT"),
        Flag("--contact", key="http.contact", group=GROUP, metavar="URL|EMAIL"),
        Flag(
            "--referer", group=GROUP, metavar="URL", convert=_referer,
            help="Referer header of URLs that no page links to: the seeds",
        ),
    ]  # fmt: skip


def _credentials() -> list[Flag]:
    return [
        Flag(
            "-u", "--user", group=GROUP, metavar="USER[:PASS]", convert=_user,
            help="Basic or Digest credentials for the seeds' origins; or env:NAME",
        ),
        Flag(
            "--netrc", key="http.netrc", const="~/.netrc", group=GROUP,
            help="Read the credentials of hosts from ~/.netrc",
        ),
        Flag(
            "--cookie", key="http.cookie_pairs", group=GROUP, metavar="NAME=VALUE",
            multiple=True, convert=_cookies,
        ),
        Flag(
            "-b", "--cookies", key="http.cookies", group=GROUP, metavar="FILE",
            convert=_cookie_file,
        ),
        Flag("--cookie-jar", key="http.cookie_jar", group=GROUP, metavar="FILE"),
    ]  # fmt: skip


def _login() -> list[Flag]:
    return [
        Flag("--login", key="login.url", group=GROUP, metavar="URL"),
        Flag(
            "--form", key="login.form", group=GROUP, metavar="NAME=VALUE",
            multiple=True, convert=_form,
        ),
        Flag(
            "--logout-pattern", key="login.logout_pattern", group=GROUP, metavar="RE",
        ),
    ]  # fmt: skip


def _proxy_and_limits() -> list[Flag]:
    return [
        Flag("-x", "--proxy", key="http.proxy", group=GROUP, metavar="URL"),
        Flag("--no-proxy", key="http.no_proxy", group=GROUP, metavar="LIST"),
        Flag("--max-body", key="http.max_body", group=GROUP, metavar="SIZE"),
        Flag(
            "--max-redirects", key="limits.max_redirects", group=GROUP, metavar="N",
        ),
    ]  # fmt: skip


def _tls() -> list[Flag]:
    return [
        Flag(
            "-k",
            "--insecure",
            key="http.verify_tls",
            const=False,
            group=GROUP,
            help="Accept invalid TLS certificates; every run record says so",
        ),
        Flag("--ciphers", key="http.tls_ciphers", group=GROUP, metavar="LIST"),
        Flag("--cacert", key="http.ca_file", group=GROUP, metavar="FILE"),
        Flag("--cert", key="http.client_cert", group=GROUP, metavar="FILE"),
        Flag("--key", key="http.client_key", group=GROUP, metavar="FILE"),
    ]


def _addresses() -> list[Flag]:
    return [
        Flag(
            "-4", "--ipv4", key="http.address_family", const="ipv4", group=GROUP,
            help="Connect over IPv4 only",
        ),
        Flag(
            "-6", "--ipv6", key="http.address_family", const="ipv6", group=GROUP,
            help="Connect over IPv6 only",
        ),
        Flag("--dns-servers", key="http.dns_servers", group=GROUP, metavar="LIST"),
        Flag(
            "--resolve", key="http.resolve", group=GROUP, multiple=True,
            metavar="HOST:PORT:ADDR[,ADDR]",
        ),
        Flag(
            "--allow-net", key="http.allow_net", group=GROUP, metavar="CIDR",
            multiple=True,
        ),
    ]  # fmt: skip
