"""Network options reach the network: whole crawls, and `orbweb fetch`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from msgspec.structs import replace

from crawler.engine.builder import open_crawl
from crawler.fetch.dns.resolver import DnsResolver, open_resolver
from crawler.fetch.dns.system import SystemResolver
from crawler.model.config import Config
from crawler.model.http_config import HttpConfig
from crawler.model.policy_config import PolitenessConfig, ScopeConfig
from tests.helpers.paths import PROGRAM
from tests.site import certificates
from tests.site.images import PNG
from tests.site.name_server import NameServer, records
from tests.site.page import reply
from tests.site.pages import handlers
from tests.site.proxies import Proxy
from tests.site.server import Handler, Site

Orbweb = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def orbweb(tmp_path: Path) -> Orbweb:
    def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM,
             *words], cwd=tmp_path, env=os.environ | environ, capture_output=True,
            text=True, timeout=300, check=False,
        )  # fmt: skip

    return run


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as running:
        yield running


ONE = ("-l", "0", "--no-images", "-w", "0", "-t", "1")
"""Options for a crawl of a single page, without delays."""


def crawled(done: subprocess.CompletedProcess[str]) -> bool:
    return done.returncode == 0 and "1 page" in done.stderr


# -- proxies


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_a_crawl_and_a_fetch_by_a_proxy(
    orbweb: Orbweb, site: Site, proxy: Proxy, scheme: str
) -> None:
    """Only the proxy can resolve the host name."""
    url = site.url("/arrived", "far.test")
    by = f"{scheme}://127.0.0.1:{proxy.port}"
    assert crawled(orbweb("crawl", url, "-d", "c", "-x", by, *ONE))
    assert any("far.test" in line for line in proxy.log)
    assert orbweb("fetch", url, "-x", by).returncode == 0


def test_the_environments_proxy_and_its_exceptions(
    orbweb: Orbweb, site: Site, proxy: Proxy
) -> None:
    by = {"http_proxy": f"http://127.0.0.1:{proxy.port}"}
    url = site.url("/arrived", "far.test")
    assert crawled(orbweb("crawl", url, "-d", "a", *ONE, **by))
    asked = len(proxy.log)
    assert asked >= 2  # robots.txt goes by it too
    straight = ("--resolve", f"near.test:{site.port}:127.0.0.1")
    near = site.url("/arrived", "near.test")
    assert crawled(
        orbweb("crawl", near, "-d", "b", *straight, *ONE, **by, no_proxy=".test")
    )
    assert crawled(
        orbweb("crawl", near, "-d", "c", *straight, "-x", "direct", *ONE, **by)
    )
    assert crawled(
        orbweb(
            "crawl", near, "-d", "d", *straight, "--no-proxy", "near.test", *ONE, **by
        )
    )
    assert crawled(
        orbweb("crawl", site.base + "/arrived", "-d", "e", *ONE, **by)
    )  # this machine
    assert len(proxy.log) == asked


def test_a_proxys_password_is_shown_nowhere(
    orbweb: Orbweb, site: Site, tmp_path: Path
) -> None:
    url = site.url("/arrived", "far.test")
    with Proxy(require_credentials=True) as strict:
        secret = {"PROXY": f"http://user:pr0xy@127.0.0.1:{strict.port}"}
        right = orbweb("crawl", url, "-d", "a", "-x", "env:PROXY", "-v", *ONE, **secret)
        wrong = orbweb("crawl", url, "-d", "b", "-x",
                       f"http://user:wr0ng@127.0.0.1:{strict.port}", "-v",
                       *ONE)  # fmt: skip
    assert crawled(right)
    assert wrong.returncode == 4
    records_of = [(tmp_path / name / "records.jsonl").read_text() for name in "ab"]
    for text in (right.stderr, wrong.stderr, *records_of):
        assert "pr0xy" not in text
        assert "wr0ng" not in text


# -- TLS


def test_whom_to_trust(
    orbweb: Orbweb, tls_site: Site, ca_file: Path, tmp_path: Path
) -> None:
    url = tls_site.base + "/arrived"
    assert orbweb("crawl", url, "-d", "a", *ONE).returncode == 5
    assert crawled(orbweb("crawl", url, "-d", "b", "--cacert", str(ca_file), *ONE))
    assert crawled(orbweb("crawl", url, "-d", "c", "-k", *ONE))
    for name, verified in (("b", True), ("c", False)):
        lines = (tmp_path / name / "records.jsonl").read_text().splitlines()
        runs = [run for run in map(json.loads, lines) if run["type"] == "run"]
        assert [run["verify_tls"] for run in runs] == [verified] * 2


def test_who_we_are(
    orbweb: Orbweb, authority: trustme.CA, ca_file: Path, tmp_path: Path
) -> None:
    ours = authority.issue_cert("crawler@good.test")
    ours.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "ours.pem"))
    strict = Site(handlers(), tls={"": certificates.strict(authority)})
    trust = ("--cacert", str(ca_file))
    url = strict.base + "/arrived"
    assert orbweb("crawl", url, "-d", "a", *trust, *ONE).returncode == 4
    assert crawled(orbweb("crawl", url, "-d", "b", *trust, "--cert", "ours.pem", *ONE))
    strict.stop()


# -- names


def test_which_servers_are_asked_for_names(orbweb: Orbweb, site: Site) -> None:
    asked: list[str] = []

    def answer(name: str, kind: int) -> bytes:
        asked.append(name)
        return records("127.0.0.1") if kind == 1 else records()

    names = NameServer(answer)
    url = site.url("/arrived", "named.example")
    assert crawled(
        orbweb("crawl", url, "-d", "a", "--dns-servers", names.address, *ONE)
    )
    assert set(asked) == {"named.example"}
    names.stop()
    assert isinstance(open_resolver(HttpConfig(), lambda: 0.0), DnsResolver)
    assert isinstance(
        open_resolver(HttpConfig(dns_servers=("system",)), lambda: 0.0), SystemResolver
    )


# -- what a request reveals of the page that links to it


def crawl(folder: Path, *seeds: str, **more: Any) -> None:
    config = Config(
        seeds=seeds,
        dir=str(folder),
        concurrency=1,
        politeness=PolitenessConfig(wait=0.0),
        scope=ScopeConfig(within="any", depth=1),
        http=HttpConfig(allow_net=("127.0.0.0/8",)),
    )
    open_crawl(replace(config, **more), mode="new").run()


@pytest.fixture
def two_sites() -> Iterator[tuple[Site, Site]]:
    """Two sites: one sets a cookie and has an image, the other links to both."""
    cookie = (("Set-Cookie", "visit=1; Path=/"),)
    pages: dict[str, Handler] = {
        "": reply("<p>welcome<img src=/own>", headers=cookie),
        "own": reply(PNG, "image/png"),
        "shown": reply(PNG, "image/png"),
        "linked": reply("<p>linked"),
    }
    there = Site(pages, addresses=("127.0.0.2",))
    body = (
        f"<a href='{there.base}/linked?secret'>x</a>"
        f"<img src='{there.base}/shown'><a href=/next>"
    )
    here = Site({"start": reply(body), "next": reply("<p>next")})
    yield here, there
    here.stop()
    there.stop()


def test_a_picture_on_another_site_gets_no_cookie_of_ours(
    two_sites: tuple[Site, Site], tmp_path: Path
) -> None:
    """Images of another site are requested without cookies, links with them.

    See RFC 6265bis.
    """
    here, there = two_sites
    crawl(tmp_path, there.base + "/", here.base + "/start")
    cookies = {hit.target: hit.headers.get("cookie") for hit in there.log}
    assert cookies["/own"] == cookies["/linked?secret"] == "visit=1"
    assert cookies["/shown"] is None


def test_the_page_that_led_there_is_told_as_browsers_do(
    two_sites: tuple[Site, Site], tmp_path: Path
) -> None:
    here, there = two_sites
    crawl(tmp_path, here.base + "/start")
    told = {hit.target: hit.headers.get("referer") for hit in (*here.log, *there.log)}
    assert told["/start"] is None
    assert told["/next"] == here.base + "/start"
    assert told["/shown"] == told["/linked?secret"] == here.base + "/"
