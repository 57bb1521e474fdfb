"""`orbweb explain` shows the right reason for each way in which a URL can end.

The ways are those of `reasons.py`: one that is added there needs a URL that ends so
here.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, get_args

import pytest
from msgspec.structs import replace

from crawler.cli import run
from crawler.engine.builder import open_crawl
from crawler.extract.extractor import InlineExtractor
from crawler.extract.registry import READERS
from crawler.inspect.explain import Explanation, explain
from crawler.inspect.state import open_state
from crawler.model.config import Config, PluginConfig
from crawler.model.content_config import (
    ApiConfig,
    BodiesConfig,
    ImagesConfig,
    OutputConfig,
)
from crawler.model.errors import Failure
from crawler.model.http_config import HttpConfig
from crawler.model.policy_config import (
    LimitsConfig,
    PolitenessConfig,
    RetryConfig,
    RobotsConfig,
    ScopeConfig,
)
from crawler.model.reasons import ErrorCode, SkipReason
from crawler.policy.poison_url import MAX_DEATHS
from tests.helpers.crawling import link, page, picture, png
from tests.helpers.gallery import gallery
from tests.helpers.poison import POISON_TYPE, crawl_on
from tests.site.fixtures import LIMITS
from tests.site.name_server import NameServer, records
from tests.site.page import reply
from tests.site.pages import PAGES
from tests.site.server import Exchange, Site, close_gracefully, refusing
from tests.site.traps import chain


class Case(NamedTuple):
    """A URL of a crawl that is over, and what the explanation begins with."""

    folder: Path
    url: str
    says: str
    attempts: int = 1


def look_up(case: Case) -> Explanation:
    with open_state(case.folder) as (state, config):
        return explain(state, config, case.url, 1e9)


def crawl(
    folder: Path, seed: str, extractor: InlineExtractor | None = None, **changes: Any
) -> Config:
    """Crawl from the seed without waits, with one attempt per URL.

    `changes` replace these settings.
    """
    settings = {
        "politeness": PolitenessConfig(per_host=32, wait=0.0, max_retry_after=0.0),
        "retry": RetryConfig(tries=1),
    } | changes
    config = Config(seeds=(seed,), dir=str(folder), **settings)
    open_crawl(config, mode="new", extractor=extractor).run()
    return config


# ------------------------------------------------------------------ every error_code

ON_THE_SITE = {
    expected.expect.code: expected.path
    for expected in reversed(PAGES)
    if expected.expect is not None and expected.expect.code is not None
}
ELSEWHERE = {
    "connect_refused": "http://127.0.0.1:{closed}/",
    "connect_timeout": "https://127.0.0.1:{silent}/",
    # TCP has no multicast: the kernel refuses
    "connect_unreachable": "http://224.0.0.1/",
    "tls_handshake": "https://127.0.0.1:{rude}/",
    "tls_verify": "https://127.0.0.1:{tls}/",
    "blocked_address": "http://169.254.169.254/latest/meta-data/",
    "too_many_redirects": "/chain/0",
    "redirect_loop": "/round/1",
    "status_4xx": "/gone",
    "status_5xx": "/down",
    "status_other": "/unknown",
    "rate_limited": "/busy",
    "image_decode": "/broken.png",
    "too_large": "/big",
    "dns_nxdomain": "http://missing.test/",
    "dns_servfail": "http://failing.test/",
    "dns_timeout": "http://silent.test/",
}
NAMES = {
    "missing.test": records(rcode=3),
    "failing.test": records(rcode=2),
    "silent.test": None,
}


def onward(exchange: Exchange) -> None:
    location = f"/chain/{int(exchange.arg('0')) + 1}"
    exchange.reply(status=302, headers=(("Location", location),))


def around(exchange: Exchange) -> None:
    location = "/round/1" if exchange.arg("0") == "2" else "/round/2"
    exchange.reply(status=302, headers=(("Location", location),))


def hang_up_on_all(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            visitor, _ = listener.accept()
            visitor.sendall(b"no TLS here\r\n")
            close_gracefully(visitor)


def most_failures(folder: Path, tls_port: int) -> dict[str, str]:
    """A crawl of one URL for nearly each error_code; which URL ended in which."""
    handlers: dict[str, Any] = {entry.name: entry.answer for entry in PAGES}
    handlers |= {
        "chain": onward, "round": around,
        "gone": reply(status=410), "down": reply(status=500), "busy": reply(status=429),
        "unknown": reply(status=999),
        "broken.png": reply(b"no picture", "image/png"),
        "big": reply(bytes(LIMITS.max_body + 1), "application/octet-stream"),
        "robots.txt": reply(status=404),
    }  # fmt: skip
    site = Site(handlers)
    names = NameServer(lambda name, kind: NAMES[name])
    rude = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=hang_up_on_all, args=(rude,), daemon=True).start()
    ports = {"silent": site.port, "tls": tls_port, "rude": rude.getsockname()[1]}
    with refusing() as closed:
        ports["closed"] = closed
        elsewhere = [path.format(**ports) for path in ELSEWHERE.values()]
        site.pages[""] = page(  # type: ignore[index]
            link(
                *ON_THE_SITE.values(), *(url for url in elsewhere if "png" not in url)
            ),
            picture("/broken.png"),
        )
        crawl(
            folder,
            site.url("/"),
            http=replace(
                LIMITS, dns_servers=(names.address,), allow_net=("224.0.0.0/4",)
            ),
            scope=ScopeConfig(within="any", depth=1),
            limits=LimitsConfig(max_redirects=2),
            records=OutputConfig(keep_truncated="none"),  # half a coding is no page
            bodies=BodiesConfig(hash_files=True),  # large ones are read, too
        )
    for server in (site, names):
        server.stop()
    rude.close()
    with open_state(folder) as (state, _):
        return {row.code or "": row.url for row in state.urls(("error",), (), ())}


def failing_proxy(folder: Path) -> Case:
    with refusing() as closed:
        http = HttpConfig(proxy=f"http://127.0.0.1:{closed}")
        crawl(folder, "http://127.0.0.2/", http=http)
    return Case(folder, "http://127.0.0.2/", "failed: proxy, ")


def broken_reader(folder: Path) -> Case:
    """A document that one of our readers breaks down over: none such is known."""

    def breaks_down(_body: object) -> NoReturn:
        raise RecursionError("too deep")

    site = Site({"": reply("x", "application/x-deep"), "robots.txt": reply(status=404)})
    extractor = InlineExtractor({**READERS, "application/x-deep": breaks_down})
    crawl(folder, site.url("/"), extractor)
    site.stop()
    says = "failed: extract, application/x-deep: RecursionError: too deep"
    return Case(folder, site.url("/"), says)


def poison_page(folder: Path) -> Case:
    """A document that crashes the process that reads it."""
    site = Site(
        {
            "": page(link("/x")),
            "x": reply("x", POISON_TYPE),
            "robots.txt": reply(status=404),
        }
    )
    assert [crawl_on(folder, site.url("/")) for _ in range(MAX_DEATHS + 1)][-1] == 0
    site.stop()
    return Case(
        folder, site.url("/x"), "failed: parse, the process died 3 times while it read"
    )


def given_up(folder: Path) -> tuple[Case, Case]:
    """A missing host and one without a robots.txt, both parked too often."""
    broken = Site({"robots.txt": reply(status=503)})
    with refusing() as port:
        closed = f"http://127.0.0.1:{port}/x"
        site = Site({"": page(link(closed, broken.url("/x")))})
        config = crawl(
            folder,
            site.url("/"),
            politeness=PolitenessConfig(
                wait=0.0,
                park_after=1,
                park_time=0.01,
                max_parkings=1,
                host_backoff=0.01,
            ),
            retry=RetryConfig(tries=9, backoff=0.01),
            scope=ScopeConfig(within="any"),
        )
        for _ in range(3):
            open_crawl(config, mode="resume").run()
    for server in (site, broken):
        server.stop()
    parked = Case(folder, closed, "failed: host_parked, the host was given up; ", 3)
    says = (
        "skipped: robots_unavailable, by robots.txt of the host can't be had; it was "
    )
    return parked, Case(folder, broken.url("/x"), f"{says}parked ", 0)


REFUSED_BEFORE_A_REQUEST = ("host_parked", "parse")
"""Errors that the chain of checks decides: a host given up, a poison URL."""


@pytest.fixture(scope="module")
def failures(tmp_path_factory: Any, running_tls_site: Site) -> dict[str, Case]:
    folder = tmp_path_factory.mktemp("failures")
    found = most_failures(folder, running_tls_site.port)
    cases = {
        code: Case(folder, url, f"failed: {code}, ") for code, url in found.items()
    }
    cases["proxy"] = failing_proxy(tmp_path_factory.mktemp("proxy"))
    cases["parse"] = poison_page(tmp_path_factory.mktemp("poison") / "crawl")
    cases["extract"] = broken_reader(tmp_path_factory.mktemp("broken"))
    cases["host_parked"], _ = given_up(tmp_path_factory.mktemp("parked"))
    return cases


@pytest.mark.parametrize("code", get_args(ErrorCode))
def test_each_error_code_is_told_with_its_message(
    failures: dict[str, Case], code: str
) -> None:
    case = failures[code]
    found = look_up(case)
    assert found.known is not None
    assert (found.known.state, found.known.code) == ("error", code)
    assert found.answer.startswith(case.says)
    assert found.known.detail
    assert found.answer.endswith("; tried once" if case.attempts == 1 else " times")
    assert found.scope.allowed
    assert (None if found.refused is None else found.refused.code) == (
        code if code in REFUSED_BEFORE_A_REQUEST else None
    )


def test_the_codes_of_the_schema_are_those_of_the_failures() -> None:
    def codes(kind: type[Failure]) -> Iterator[str]:
        if "code" in vars(kind):
            yield kind.code
        for narrower in kind.__subclasses__():
            yield from codes(narrower)

    assert sorted(codes(Failure)) == sorted(get_args(ErrorCode))


# ------------------------------------------------------------------ every reason of a
# skip


NOAI = (("X-Robots-Tag", "noai"),)


def most_skips(folder: Path) -> dict[str, list[Case]]:
    site = Site(
        {
            "": page(link("/a", "/b/1", "/secret/1", "/moved"),
                     link("http://elsewhere.example/"),
                     '<a rel="nofollow" href="/unsure">x</a>',
                     picture("/small.png", "/kept.png")),
            "kept.png": reply(png(200), "image/png", headers=NOAI),
            "a": page(link("/again", "/deep")),
            "again": page(link("/again", "/deep")),
            "deep": page(link("/deeper")),
            "b": page(),
            "moved": reply(status=302, headers=(("Location", "ftp://127.0.0.1/x"),)),
            "small.png": reply(png(), "image/png"),
            "robots.txt": reply("User-agent: *\n\nDisallow: /secret/\n", "text/plain"),
        }
    )  # fmt: skip
    crawl(
        folder,
        site.url("/"),
        politeness=PolitenessConfig(per_host=1, wait=0.0),
        scope=ScopeConfig(depth=2, rules=("-/b/",)),
        limits=LimitsConfig(max_pages_per_host=2),
        images=ImagesConfig(min_width=100),
        robots=RobotsConfig(nofollow="link", noai=True),
    )
    site.stop()

    def case(path: str, reason: str, rule: str, attempts: int = 0) -> Case:
        url = path if "://" in path else site.url(path)
        return Case(folder, url, f"skipped: {reason}, by {rule}", attempts)

    return {
        "scope": [
            case("http://elsewhere.example/", "scope", "scope.within: host"),
            case("/b/1", "scope", "scope.rules[0]: -/b/"),
        ],
        "robots": [case("/secret/1", "robots", "robots.txt:3 Disallow: /secret/")],
        "limit_host": [case("/deep", "limit_host", "limits.max_pages_per_host: 2")],
        "nofollow": [case("/unsure", "nofollow", "rel: nofollow")],
        "noai": [case("/kept.png", "noai", "X-Robots-Tag: noai")],
        "filter_dimensions": [
            case("/small.png", "filter_dimensions", "images.min_width: 100 > 3", 1)
        ],
    }


def further_skips(folder: Path) -> dict[str, list[Case]]:
    same = page("<p>the same", link("/c"))
    site = Site(
        {
            "": page(link("/a", "/b", "/moved")), "a": same, "b": same,
            "c": page(link("/d")),
            "moved": reply(status=302, headers=(("Location", "ftp://127.0.0.1/x"),)),
        }
    )  # fmt: skip
    crawl(
        folder,
        site.url("/"),
        politeness=PolitenessConfig(per_host=1, wait=0.0),
        scope=ScopeConfig(depth=2, dedupe_content=True),
    )
    site.stop()
    double = f"scope.dedupe_content: the same bytes as {site.url('/a')}"
    return {
        "depth": [Case(folder, site.url("/d"), "skipped: depth, by scope.depth: 2", 0)],
        "scheme": [
            Case(folder, "ftp://127.0.0.1/x", "skipped: scheme, by scheme: ftp", 0)
        ],
        "duplicate_content": [
            Case(folder, site.url("/b"), f"skipped: duplicate_content, by {double}", 1)
        ],
    }


def of_limits(folder: Path) -> dict[str, list[Case]]:
    """Each limit of a host, and of a template, by itself."""
    site = Site({"": page(link("/1", "/2")), **{f"{n}": page(str(n)) for n in (1, 2)}})
    rules = {
        "max_bytes_per_host": (1, "1", "/1"),
        "max_time_per_host": (0.001, "0.001", "/1"),
        "max_pages_per_template": (1, "1 of /#", "/2"),
    }
    cases: dict[str, list[Case]] = {"limit_host": [], "limit_template": []}
    for name, (limit, shown, path) in rules.items():
        crawl(
            folder / name,
            site.url("/"),
            politeness=PolitenessConfig(per_host=1, wait=0.0),
            limits=LimitsConfig(**{name: limit}),
            robots=RobotsConfig(obey=False),
        )
        reason = "limit_host" if name.endswith("host") else "limit_template"
        says = f"skipped: {reason}, by limits.{name}: {shown}"
        cases[reason].append(Case(folder / name, site.url(path), says, 0))
    site.stop()
    return cases


def of_images(folder: Path) -> dict[str, list[Case]]:
    """Each limit of images that is none of dimensions."""
    site = Site(
        {
            "": page('<link rel="icon" href="/icon.png">', picture("/a.png")),
            **dict.fromkeys(("icon.png", "a.png"), reply(png(), "image/png")),
            "robots.txt": reply(status=404),
        }
    )
    limits: dict[str, tuple[dict[str, Any], str, str, int]] = {
        "filter_bytes": ({"max_file_size": 9}, "/a.png",
                         "images.max_file_size: 9 < ", 1),
        "filter_format": ({"formats": ("gif", "webp")}, "/a.png",
                          "images.formats: gif, webp; not png", 1),
        "filter_icon": ({"icons": False}, "/icon.png", "images.icons: false", 0),
    }  # fmt: skip
    cases = {}
    for reason, (images, path, rule, attempts) in limits.items():
        crawl(folder / reason, site.url("/"), images=ImagesConfig(**images))
        says = f"skipped: {reason}, by {rule}"
        cases[reason] = [Case(folder / reason, site.url(path), says, attempts)]
    site.stop()
    return cases


def plugin(folder: Path) -> Case:
    site = Site({"": page(link("/1")), "1": page(link("/2")), "2": page()})
    use = "tests.helpers.plugins:Needy"
    crawl(folder, site.url("/"), plugin=(PluginConfig(use, {"limit": 1}),))
    site.stop()
    says = f"skipped: plugin, by plug-in {use}: too deep"
    return Case(folder, site.url("/2"), says, 0)


def api(folder: Path) -> Case:
    site = gallery(50, [])
    table = ApiConfig(
        site.url("/pages?page={page}"),
        items="json:data",
        link="json:path",
        max_requests=1,
    )
    crawl(folder, site.url("/pages?page=1"), api=(table,))
    site.stop()
    says = "skipped: limit_api, by api.max_requests: 1"
    return Case(folder, site.url("/pages?page=2"), says, 0)


def not_kept(folder: Path) -> Case:
    site = Site({"": page(link("/1")), "1": page()})
    crawl(
        folder, site.url("/"), records=OutputConfig(only_keep=("^http://.*:[0-9]+/$",))
    )
    site.stop()
    says = "skipped: not_kept, by records.only_keep: ^http://.*:[0-9]+/$"
    return Case(folder, site.url("/1"), says, 1)


def logout(folder: Path) -> Case:
    site = Site({"": page(link("/logout"))})
    crawl(folder, site.url("/"), http=HttpConfig(cookie_pairs={"sid": "1"}))
    site.stop()
    says = "skipped: logout, by login.logout_pattern: auto"
    return Case(folder, site.url("/logout"), says, 0)


def trap(folder: Path) -> Case:
    site = Site({"chain": chain, "robots.txt": reply(status=404)})
    crawl(folder, site.url("/chain/0"))
    site.stop()
    with open_state(folder) as (state, _):
        (row,) = state.urls(("skip",), (), ("trap",))
    says = "skipped: trap, by limits.traps: /chain/# gave nothing new, after 41 pages"
    return Case(folder, row.url, says, 0)


DECIDED_BY_BODY = (
    "filter_dimensions", "filter_bytes", "filter_format", "duplicate_content",
    "limit_api", "not_kept",
)  # fmt: skip
"""Reasons that depend on the response, and so are no check of the chain."""


@pytest.fixture(scope="module")
def skips(tmp_path_factory: Any) -> dict[str, list[Case]]:
    cases = most_skips(tmp_path_factory.mktemp("skips"))
    cases |= further_skips(tmp_path_factory.mktemp("further"))
    cases |= of_images(tmp_path_factory.mktemp("images"))
    for reason, more in of_limits(tmp_path_factory.mktemp("limits")).items():
        cases.setdefault(reason, []).extend(more)
    cases["robots_unavailable"] = [given_up(tmp_path_factory.mktemp("deferred"))[1]]
    cases["limit_api"] = [api(tmp_path_factory.mktemp("api"))]
    cases["plugin"] = [plugin(tmp_path_factory.mktemp("plugin"))]
    cases["not_kept"] = [not_kept(tmp_path_factory.mktemp("kept"))]
    cases["logout"] = [logout(tmp_path_factory.mktemp("logout"))]
    cases["trap"] = [trap(tmp_path_factory.mktemp("trap"))]
    return cases


@pytest.mark.parametrize("reason", get_args(SkipReason))
def test_each_reason_of_a_skip_is_told_with_its_rule(
    skips: dict[str, list[Case]], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for case in skips[reason]:
        found = look_up(case)
        assert found.known is not None
        assert (found.known.state, found.known.code) == ("skip", reason)
        assert found.answer.startswith(case.says)
        assert found.known.attempts == case.attempts or reason == "robots_unavailable"
        assert (found.scope.allowed is False) == (
            reason in ("scope", "scheme", "depth")
        )
        assert (found.robots.allowed is False) == (reason == "robots")
        today = None if found.refused is None else found.refused.code
        assert today == (None if reason in DECIDED_BY_BODY else reason)
        assert found.refused is None or found.refused.rule == found.known.detail
        assert run(["explain", case.url, str(case.folder)]) == 0
        assert case.says in capsys.readouterr().out
