"""Mirrors of whole real sites, read by a browser that has no network."""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.helpers import chromium, nginx
from tests.helpers.paths import PROGRAM
from tests.helpers.sites import SITES

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
