"""The options of the command line, as a table: what each is called, which setting it
gives.

The values go to the configuration as text, where they are read like those of the file:
one place knows what a duration looks like. Options that decide something about this
call of the program alone (`--quiet`, `--fresh`) have no key.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any

import click

from crawler.cli.flags import Flag, settings_of
from crawler.cli.terminal.verbosity import OPTIONS as VERBOSITY_OPTIONS
from crawler.model.errors import UsageError
from crawler.settings.load import Plan, Setting, from_assignment, from_flag, load
from crawler.settings.secrets import AUTH
from crawler.settings.seed_input import read_seeds

MAX_SEED_FILE = 64 * 2**20


def load_plan(
    command: click.Command, params: Mapping[str, Any], urls: Sequence[str]
) -> Plan:
    """The crawls that --config, the environment and the options ask for."""
    file = params["config"]
    flags = settings_of(command, params)
    if urls:
        flags.append(from_flag(("seeds",), list(urls), "URL", adds=True))
    plan = load((str(file), read_text_file(file)) if file else None, os.environ, flags)
    if len(plan.jobs) > 1 and any(setting.path == ("seeds",) for setting in flags):
        raise UsageError(
            f"{file} holds {len(plan.jobs)} jobs; their URLs belong into the file"
        )
    return plan


def read_text_file(path: str, limit: int = 4 * 2**20) -> str:
    """The text of a file the user named, `-` for stdin. Raises UsageError saying what
    is wrong."""
    try:
        with (
            sys.stdin if path == "-" else Path(path).open(encoding="utf-8-sig") as file
        ):
            text = file.read(limit + 1)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    if len(text) > limit:
        raise UsageError(f"{path}: larger than {limit} characters")
    return text


# ------------------------------------------------------------------ options that are
# more


def _seed_file(flag: str, path: str) -> list[Setting]:
    seeds = read_seeds(read_text_file(path, MAX_SEED_FILE))
    if not seeds:
        raise UsageError(f"{flag} {path}: no URL in it; one in a line is expected")
    return [from_flag(("seeds",), seeds, f"{flag} {path}", adds=True)]


def _headers(flag: str, values: Sequence[str]) -> list[Setting]:
    headers = {}
    for text in values:
        name, colon, value = text.partition(":")
        if not colon:
            raise UsageError(f"{flag} {text!r}: write 'Name: value'")
        headers[name.strip()] = value.strip()
    return [from_flag(("http", "headers"), headers, flag)]


def _user(flag: str, text: str) -> list[Setting]:
    """A password that was left out is asked for: a command line can be seen by
    others."""
    if ":" not in text:
        password = click.prompt(f"Password of {text}", hide_input=True, err=True)
        text = f"{text}:{password}"
    return [from_flag(AUTH, text, flag)]


def _outputs(flag: str, files: Sequence[str]) -> list[Setting]:
    return [from_flag(("output",), list(files), flag)] if files else []


def _rules(_flag: str, rules: Sequence[str]) -> list[Setting]:
    return [
        from_flag(("scope", "rules"), list(rules), "--include, --exclude", adds=True)
    ]


def _size(flag: str, text: str) -> list[Setting]:
    width, x, height = text.lower().partition("x")
    if not (width.isdigit() and (height.isdigit() or not x)):
        raise UsageError(f"{flag} {text}: write WIDTHxHEIGHT in pixels, as in 200x200")
    return [
        from_flag(("images", "min_width"), width, flag),
        from_flag(("images", "min_height"), height or width, flag),
    ]


def _wait(flag: str, text: str) -> list[Setting]:
    least, dash, most = text.partition("-")
    if not dash:
        return [from_flag(("politeness", "wait"), text, flag)]
    return [
        from_flag(("politeness", "wait"), least, flag),
        from_flag(("politeness", "max_wait"), most, flag),
    ]


def _rate(flag: str, text: str) -> list[Setting]:
    """So many requests in a time are a wait between two."""
    number, slash, unit = text.partition("/")
    seconds = {"s": 1, "m": 60, "h": 3600}.get(unit if slash else "s")
    try:
        wait = (seconds or 0) / float(number)
    except (ValueError, ZeroDivisionError):
        wait = 0.0
    if not 0 < wait < inf:
        raise UsageError(
            f"{flag} {text}: write how many in a time, as in 5/s, 30/m or 100/h"
        )
    return [from_flag(("politeness", "wait"), wait, flag)]


def _referer(flag: str, url: str) -> list[Setting]:
    return [from_flag(("http", "headers"), {"Referer": url}, flag)]


def _assignments(_flag: str, values: Sequence[str]) -> list[Setting]:
    return [from_assignment(text) for text in values]


# ------------------------------------------------------------------ the table


def crawl_options() -> Iterator[Flag]:
    """Everything that a crawl can be told."""
    yield from _input_and_output()
    yield from _scope()
    yield from _limits()
    yield from _manners()
    yield from network_options()
    yield from _images_and_records()
    yield from configuration_options()
    for names, attributes in VERBOSITY_OPTIONS:
        yield Flag(*names, group="Progress", **attributes)


def _input_and_output() -> Iterator[Flag]:
    group = "Input and output"
    yield Flag(
        "-i", "--input-file", group=group, metavar="FILE", convert=_seed_file,
        help="Start from the URLs in FILE, one in a line; - is stdin.",
    )  # fmt: skip
    yield Flag(
        "-d", "--dir", key="dir", group=group, metavar="DIR",
        help="The crawl's folder: records.jsonl, images/, state/.  [default: the host's name]",
    )  # fmt: skip
    yield Flag(
        "-o", "--output", group=group, metavar="FILE", multiple=True, convert=_outputs,
        help="Write the records to FILE instead; - is stdout; repeatable.",
    )  # fmt: skip
    yield Flag(
        "-N", "--newer", is_flag=True, group=group,
        help="In a folder that holds a crawl: ask for what has changed since.",
    )  # fmt: skip
    yield Flag(
        "--fresh", is_flag=True, group=group,
        help="Begin anew in a folder that holds a crawl; what it holds is lost.",
    )  # fmt: skip


def _scope() -> Iterator[Flag]:
    group = "Which links are followed"
    yield Flag(
        "--scope", key="scope.within", group=group, metavar="host|domain|prefix|page|any",
        help="How far from the seeds.",
    )  # fmt: skip
    yield Flag(
        "-np", "--no-parent", key="scope.within", const="prefix", group=group,
        help="Stay below the seeds' folders: --scope prefix.",
    )  # fmt: skip
    yield Flag(
        "--span-hosts", key="scope.within", const="any", group=group,
        help="Go to any host: --scope any. Set a limit with it.",
    )  # fmt: skip
    yield Flag(
        "-D", "--domains", key="scope.domains", group=group, metavar="LIST",
        help="Further domains that belong to the crawl.",
    )  # fmt: skip
    yield Flag(
        "--strip-params", key="scope.strip_params", group=group, metavar="LIST",
        help="Take these parameters off links; utm_* is all that begin so.",
    )  # fmt: skip
    yield Flag(
        "--dedupe-content", key="scope.dedupe_content", const=True, group=group,
        help="Write what has the same bytes under several URLs once.",
    )  # fmt: skip
    yield Flag(
        "--sitemaps", key="scope.sitemaps", const=True, group=group,
        help="Start also from the sitemaps that robots.txt names.",
    )  # fmt: skip
    yield Flag(
        "-l",
        "--depth",
        key="scope.depth",
        group=group,
        metavar="N",
        help="Links from a seed.",
    )
    yield Flag(
        "--include", group=group, metavar="RE", expose_value=False,
        help="Take URLs that match; repeatable, with glob: before it a glob.",
    )  # fmt: skip
    yield Flag(
        "--exclude", group=group, metavar="RE", expose_value=False,
        help="Leave URLs that match. Of all --include and --exclude the last match wins.",
    )  # fmt: skip
    yield Flag("--rule", group=group, multiple=True, hidden=True, convert=_rules)


def _limits() -> Iterator[Flag]:
    group = "When to stop"
    for names, key, metavar, text in (
        (("-n", "--max-pages"), "max_pages", "N", "Pages in all."),
        (("--max-pages-per-host",), "max_pages_per_host", "N", "Pages of one host."),
        (("--max-bytes-per-host",), "max_bytes_per_host", "SIZE", "Bytes of one host."),
        (
            ("--max-time-per-host",),
            "max_time_per_host",
            "TIME",
            "Its requests and pauses.",
        ),
        (
            ("--max-pages-per-template",),
            "max_pages_per_template",
            "N",
            "Pages of one host whose addresses differ in numbers alone.",
        ),
        (("-Q", "--quota"), "max_bytes", "SIZE", "Bytes in all, as in 500M."),
        (("--max-time",), "max_time", "TIME", "Duration, as in 2h."),
    ):
        yield Flag(*names, key=f"limits.{key}", group=group, metavar=metavar, help=text)
    yield Flag(
        "--no-traps", key="limits.traps", const=False, group=group,
        help="Follow calendars and session ids for ever.",
    )  # fmt: skip
    yield Flag(
        "--grace", key="grace", group=group, metavar="TIME",
        help="How long a stop waits for what is under way.",
    )  # fmt: skip
    yield Flag(
        "--fail-on", key="fail_on", group=group, metavar="any|seed|N%",
        help="End with exit code 8 if URLs failed.",
    )  # fmt: skip


def _manners() -> Iterator[Flag]:
    group = "Manners"
    yield Flag(
        "-c", "--concurrency", key="concurrency", group=group, metavar="N",
        help="Requests at once, over all hosts.",
    )  # fmt: skip
    yield Flag(
        "--per-host", key="politeness.per_host", group=group, metavar="N",
        help="Requests to one host at once.",
    )  # fmt: skip
    yield Flag(
        "-w", "--wait", key="politeness.wait", group=group, metavar="TIME[-TIME]", convert=_wait,
        help="Between two requests to one host; of two times, by chance from between them.",
    )  # fmt: skip
    yield Flag(
        "--rate", group=group, metavar="N/s|m|h", convert=_rate,
        help="The same, said as requests in a time: 5/s is --wait 0.2.",
    )  # fmt: skip
    yield Flag(
        "--limit-rate", key="http.max_rate", group=group, metavar="SIZE",
        help="Bytes a second, all hosts together, as in 2M.",
    )  # fmt: skip
    yield Flag(
        "--max-retry-after", key="politeness.max_retry_after", group=group, metavar="TIME",
        help="The longest Retry-After that is waited for.",
    )  # fmt: skip
    yield Flag(
        "-t", "--tries", key="retry.tries", group=group, metavar="N",
        help="Attempts at one URL.",
    )  # fmt: skip
    yield Flag(
        "--retry-on", key="retry.statuses", group=group, metavar="LIST",
        help="Answers worth another attempt.",
    )  # fmt: skip
    yield Flag(
        "--nofollow", key="robots.nofollow", group=group, metavar="WHOSE",
        help="Obey it of a `page` for its links, of each `link` too, or `ignore` it.",
    )  # fmt: skip
    yield Flag(
        "--noai", key="robots.noai", const=True, group=group,
        help="Leave what is not to be used for machine learning.",
    )  # fmt: skip
    yield Flag(
        "--no-robots", key="robots.obey", const=False, group=group,
        help="Do not obey robots.txt; said in every run record.",
    )  # fmt: skip


def network_options() -> Iterator[Flag]:
    """The client's: for all commands that fetch."""
    group = "Requests"
    for names, key, text in (
        (("-T", "--timeout"), "timeout", "Budget of one request."),
        (("--connect-timeout",), "connect_timeout", "Of it, for TCP and TLS."),
        (("--read-timeout",), "read_timeout", "Of it, the longest silence."),
        (("--dns-timeout",), "dns_timeout", "Of it, for the name."),
    ):
        yield Flag(*names, key=f"http.{key}", group=group, metavar="TIME", help=text)
    yield Flag(
        "-H", "--header", group=group, metavar="'NAME: VALUE'", multiple=True, convert=_headers,
        help="Send this too; repeatable. VALUE may be env:NAME or file:PATH.",
    )  # fmt: skip
    yield Flag(
        "-U",
        "--user-agent",
        key="http.user_agent",
        group=group,
        metavar="TEXT",
        help="Who we are.",
    )
    yield Flag(
        "--referer", group=group, metavar="URL", convert=_referer,
        help="Sent for what no page has led to: the seeds.",
    )  # fmt: skip
    yield from _identity()
    yield Flag(
        "-x", "--proxy", key="http.proxy", group=group, metavar="URL",
        help="http:// or socks5h://; direct: none, whatever the environment says.",
    )  # fmt: skip
    yield Flag(
        "--no-proxy", key="http.no_proxy", group=group, metavar="LIST",
        help="Hosts, domains and networks to be reached without it.",
    )  # fmt: skip
    yield Flag(
        "--max-body", key="http.max_body", group=group, metavar="SIZE",
        help="The largest body that is taken.",
    )  # fmt: skip
    yield Flag(
        "--max-redirects", key="limits.max_redirects", group=group, metavar="N",
        help="In one chain.",
    )  # fmt: skip
    yield from _addresses_and_trust(group)


def _addresses_and_trust(group: str) -> Iterator[Flag]:
    yield Flag(
        "-k", "--insecure", key="http.verify_tls", const=False, group=group,
        help="Accept wrong certificates; said in every run record.",
    )  # fmt: skip
    yield Flag(
        "--cacert",
        key="http.ca_file",
        group=group,
        metavar="FILE",
        help="Trust these authorities.",
    )
    yield Flag(
        "--cert", key="http.client_cert", group=group, metavar="FILE",
        help="Our own certificate (PEM), for the origins of the seeds.",
    )  # fmt: skip
    yield Flag(
        "--key", key="http.client_key", group=group, metavar="FILE",
        help="Its key, if that is in another file.",
    )  # fmt: skip
    yield Flag(
        "-4",
        "--ipv4",
        key="http.address_family",
        const="ipv4",
        group=group,
        help="IPv4 only.",
    )
    yield Flag(
        "-6",
        "--ipv6",
        key="http.address_family",
        const="ipv6",
        group=group,
        help="IPv6 only.",
    )
    yield Flag(
        "--dns-servers", key="http.dns_servers", group=group, metavar="LIST",
        help="Ask these for names; system: leave that to the system.",
    )  # fmt: skip
    yield Flag(
        "--resolve", key="http.resolve", group=group, metavar="HOST:PORT:ADDR[,ADDR]",
        multiple=True, help="Take this address for this host, or for any (*); repeatable.",
    )  # fmt: skip
    yield Flag(
        "--allow-net", key="http.allow_net", group=group, metavar="CIDR", multiple=True,
        help="Private addresses that links may lead to; repeatable.",
    )  # fmt: skip


def _identity() -> Iterator[Flag]:
    group = "Requests"
    yield Flag(
        "-u", "--user", group=group, metavar="USER[:PASS]", convert=_user,
        help="For the origins of the seeds, when they ask (Basic, Digest); or env:NAME.",
    )  # fmt: skip
    yield Flag(
        "--netrc", key="http.netrc", const="~/.netrc", group=group,
        help="Take the credentials of hosts from ~/.netrc.",
    )  # fmt: skip
    yield Flag(
        "-b", "--cookies", key="http.cookies", group=group, metavar="FILE",
        help="Begin with the cookies in FILE (Netscape's format).",
    )  # fmt: skip
    yield Flag(
        "--cookie-jar", key="http.cookie_jar", group=group, metavar="FILE",
        help="Write the cookies there are in the end.",
    )  # fmt: skip


def _images_and_records() -> Iterator[Flag]:
    group = "Images and records"
    yield Flag(
        "--no-images",
        key="images.fetch",
        const=False,
        group=group,
        help="Do not fetch images.",
    )
    yield Flag(
        "--min-image", group=group, metavar="WxH", convert=_size,
        help="Do not keep smaller ones, as in 200x200.",
    )  # fmt: skip
    yield Flag(
        "--image-name", key="images.name", group=group, metavar="TEMPLATE",
        help="Their names below images/, of {host} {stem} {sha256} {ext} {format}.",
    )  # fmt: skip
    yield Flag(
        "--with", "heavy", key="records.include", group=group, metavar="LIST",
        help="Heavy fields to put in: links, images, headers.",
    )  # fmt: skip
    yield Flag(
        "--record", key="records.record", group=group, metavar="LIST",
        help="Further records to write: skips, robots.",
    )  # fmt: skip
    yield Flag(
        "--schema-line", key="records.schema_line", const=True, group=group,
        help="Begin with a typed schema line on stdout too.",
    )  # fmt: skip


def configuration_options() -> Iterator[Flag]:
    """For all commands that work under a configuration."""
    group = "Configuration"
    yield Flag(
        "--config", group=group, metavar="FILE", help="Read it from this TOML file."
    )
    yield Flag(
        "--plugin", key="plugin", group=group, metavar="MODULE:OBJECT", multiple=True,
        help="Use this plug-in; repeatable. Its options go in the file.",
    )  # fmt: skip
    yield Flag(
        "-s", "--set", "assignments", group=group, metavar="KEY=VALUE", multiple=True,
        convert=_assignments, help="Any setting, as in -s http.max_header=32K; repeatable.",
    )  # fmt: skip
