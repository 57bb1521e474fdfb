"""Each page of the fixture site: memory and CPU time of fetching and extracting it.

The site runs in a process of its own, so its memory is not counted. The tests measure
the peak of the resident memory, which includes that of C libraries; the kernel can
reset it (proc(5), `clear_refs`).
"""

from __future__ import annotations

import ctypes
import gc
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme
from msgspec.structs import replace

from crawler.extract.extractor import extract
from crawler.fetch.client import Client
from crawler.model.errors import Failure
from crawler.model.http import Request
from crawler.model.http_config import HttpConfig
from crawler.model.policy_config import LimitsConfig
from tests.helpers.cpu import cpu_within
from tests.helpers.paths import ROOT
from tests.site.fixtures import LIMITS
from tests.site.other_hosts import other_hosts
from tests.site.page import Expect, Page
from tests.site.pages import PAGES
from tests.site.server import Site

CLEAR_REFS = Path("/proc/self/clear_refs")
RESET_PEAK = "5"
CPU_S = 5.0
"""CPU time for one page (seconds); anything worse than linear takes minutes."""


def _can_reset_peak() -> bool:
    try:
        CLEAR_REFS.write_text(RESET_PEAK)
    except OSError:
        return False
    return True


pytestmark = pytest.mark.skipif(
    not _can_reset_peak(), reason="the kernel cannot reset the memory peak"
)


def kilobytes(name: str) -> int:
    """`VmHWM` (the peak) or `VmRSS` (now) of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """The URL of the site, in its own process."""
    command = [sys.executable, "-m", "tests.site", "0"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[3].rstrip("/")
        process.kill()


TIME_OUTS = {"read_timeout", "total_timeout"}
HASTY = replace(LIMITS, timeout=0.5, read_timeout=0.2)
"""Limits for pages that end in a timeout."""


def limits(page: Page) -> HttpConfig:
    silent = page.expect is None or page.expect.code in TIME_OUTS
    return HASTY if silent or page.path == "/download/silent" else LIMITS


def cost(client: Client, url: str) -> float:
    """The peak of the memory, above what was in use before (megabytes)."""
    gc.collect()
    with suppress(AttributeError):  # the GNU C library returns freed memory
        ctypes.CDLL(None).malloc_trim(0)
    CLEAR_REFS.write_text(RESET_PEAK)
    before = kilobytes("VmRSS")
    with cpu_within(CPU_S), suppress(Failure):
        response = client.fetch(Request(url))
        for destination in ("page", "image"):
            with suppress(Failure):
                extract(response, destination, LimitsConfig())  # type: ignore[arg-type]
    return (kilobytes("VmHWM") - before) / 1024


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_page(page: Page, base: str) -> None:
    expect = page.expect or Expect()
    client = Client(limits(page), named_hosts={"127.0.0.1"})
    assert cost(client, base + page.path) < expect.megabytes
    client.close()


def test_names_and_certificates(
    running_site: Site, running_tls_site: Site, authority: trustme.CA, ca_file: Path
) -> None:
    with other_hosts(running_site, running_tls_site, authority, ca_file) as others:
        client = Client(others.http, named_hosts={"127.0.0.1"})
        costs = {url: cost(client, url) for url in others.expected}
        client.close()
    assert {url: megabytes for url, megabytes in costs.items() if megabytes > 12} == {}
