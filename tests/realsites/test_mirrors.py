"""Mirrors of whole real sites, read by a browser that has no network."""

from __future__ import annotations

import hashlib
import json
import random
import re
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest

from crawler.model.content_config import BodiesConfig
from tests.helpers import chromium, nginx
from tests.helpers.crawling import config, crawl, page, png, serve
from tests.helpers.paths import PROGRAM
from tests.helpers.sites import SITES
from tests.site.page import reply

__all__ = ["serve"]

FETCHED = {"cppref": 120, "gimp": 120, "postgres": 1200}
"""Pages of each site that are fetched; few pages of postgres have pictures.

A limit on pages leaves nothing out that a page needs.
"""
OPENED = 15
"""Pages of each site that are opened in the browser."""
BY_SCRIPT = "file:///mwiki/load.php"
"""What a script of cppreference requests; its server has no such file, either."""
_PICTURE = re.compile(rb"<(?:img[^>]*src|object[^>]*data)=[^>]*\.(?:png|svg)").search


class Mirrored(NamedTuple):
    """A finished mirror; `refused` are URLs that the site itself does not have."""

    root: Path
    first: Path
    refused: frozenset[str]


@contextmanager
def mirrored(name: str, folder: Path) -> Iterator[Mirrored]:
    """The mirror of a site; its server is gone then."""
    site = SITES[name]
    if reason := nginx.missing() or site.missing():
        pytest.skip(reason)
    with nginx.serve(site.root) as server:
        options = ["-d", str(folder), "-w", "0", "-c", "16", "--per-host", "16"]
        options += ["-n", str(FETCHED[name])]
        subprocess.run(
            [*PROGRAM, "mirror", server.url + site.index, "--scope", "host", *options],
            check=True,
            timeout=500,
            stdin=subprocess.DEVNULL,
        )
    lines = (folder / "records.jsonl").read_text().splitlines()
    errors = [one for line in lines if (one := json.loads(line))["type"] == "error"]
    (host,) = (one for one in (folder / "mirror").iterdir() if one.is_dir())
    yield Mirrored(host, host / site.index, frozenset(error["url"] for error in errors))


@pytest.mark.parametrize("name", FETCHED)
def test_a_browser_without_a_network_shows_it(name: str, tmp_path: Path) -> None:
    if reason := chromium.missing():
        pytest.skip(reason)
    with mirrored(name, tmp_path / name) as mirror, chromium.browser() as browser:
        pages = sorted({*mirror.root.rglob("*.html")} - {mirror.first})
        with_pictures = [page for page in pages if _PICTURE(page.read_bytes())][:5]
        some = random.Random(1).sample(pages, OPENED - 6)
        chosen = [mirror.first, *with_pictures, *some]
        pictures = 0
        for page in chosen:
            shown = browser.show(page)
            lost = {*shown.failed, *shown.broken}.difference(mirror.refused)
            lost = {one for one in lost if not one.startswith(BY_SCRIPT)}
            assert (page, lost) == (page, set())
            pictures += sum(one.endswith((".png", ".svg")) for one in shown.loaded)
        assert pictures >= 3


def test_a_browser_loads_every_kind_of_requisite(serve: Any, tmp_path: Path) -> None:
    """A page with all that is easily lost offline, half of it on another host."""
    if reason := chromium.missing():
        pytest.skip(reason)
    picture = reply(png(), "image/png")
    script = b"window.ran = (window.ran || 0) + 1"
    digest = b64encode(hashlib.sha256(script).digest()).decode()
    other = serve(
        i=picture,
        **{
            "s.js": reply(script, "text/javascript"),
            "x.css": reply("@import 'y.css?v=1'; b { background: url(i/x.png) }",
                           "text/css"),
            "y.css": reply("i { background: url('i/y z.png') }", "text/css"),
        },
    )  # fmt: skip
    site = serve(
        i=picture,
        frame=page('<img src="/i/frame.png">'),
        **{
            "s.php": reply(script, "text/javascript"),
            "d.svg": reply(
                '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
                "<style>rect { fill: red }</style><rect width='9' height='9'/></svg>",
                "image/svg+xml",
            ),
            "d": page("<p>d"),
        },
        index=page(
            "<meta http-equiv=Content-Security-Policy content=\"default-src 'self'\">",
            "<base href=/q/>",
            f"<link rel=stylesheet crossorigin href={other.url('/x.css')}>",
            "<style>u { background: url(/i/u.png?a=1&b=%2F) }</style>",
            f'<script src={other.url("/s.js")} integrity="sha256-{digest}" '
            "crossorigin=anonymous></script><script src=/s.php?x></script>",
            "<b>b</b><i>i</i><u>u</u>",
            '<p style="background: url(&quot;/i/p.png&quot;)">p',
            '<img src="/i/1.png" srcset="/i/2.png 2x"><img src="/d.svg">',
            '<picture><source srcset="/i/%E2%82%AC.png"><img src="/i/3.png"></picture>',
            '<input type=image src="/i/4.png"><object data="/d.svg"></object>',
            '<iframe src="/frame"></iframe><embed src="/d.svg"><a href="/d#x">d</a>',
            '<iframe srcdoc="<img src=&quot;/i/5.png&quot;>"></iframe>',
            f"<img src={other.url('/i/con.png')}><img src='/i/a%2Fb.png'>",
        ),
    )
    settings = config(site, tmp_path, bodies=BodiesConfig(mirror=True))
    summary = crawl(settings)
    site.stop()
    other.stop()
    assert summary.mirror is not None
    first = Path(unquote(summary.mirror.removeprefix("file://")))
    with chromium.browser() as browser:
        shown = browser.show(first)
        assert (shown.failed, shown.broken) == ([], [])
        assert browser.evaluate("window.ran") == 2
        loaded = {unquote(one.rpartition("/")[2]) for one in shown.loaded}
    assert loaded >= {
        "index.html", "x.css", "y.css@v=1.css", "x.png", "y z.png",
        "u.png@a=1&b=%2F.png", "s.js", "s.php@x.js", "p.png", "d.svg", "€.png",
        "4.png", "frame.html", "frame.png", "5.png", "_con.png", "a%2Fb.png",
    }  # fmt: skip
