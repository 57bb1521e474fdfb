"""What a machine may use of the limits of a crawl, and gives back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from crawler.fleet.allowances import MIN_PAGES, Allowances
from crawler.fleet.exchange_server import Lease, Owner, SharedCrawl
from crawler.fleet.grants import SharedLimits
from crawler.frontier.mail import Report
from crawler.frontier.sqlite.fleet_file import Allowance, FleetFile
from crawler.model.policy_config import LimitsConfig
from crawler.model.shards import Layout
from tests.helpers.memory_server import MemoryServer

LIMITS = LimitsConfig(max_pages=100, max_bytes=1 << 20)
LEASE = Lease(0, "token")
BUSY, IDLE = Report(0, 1, is_idle=False), Report(0, 1, is_idle=True)


class Folder:
    """One machine's folder, with one shard, and a server."""

    def __init__(self, file: FleetFile, server: MemoryServer) -> None:
        self.file = file
        self.server = server
        self.notes: list[str] = []
        self.begin()

    def begin(self, limits: LimitsConfig = LIMITS) -> None:
        self.allowances = Allowances(self.file, limits, "home", 1, self.notes.append)
        self.grants = SharedLimits(self.file, 0, 1, limits)

    def settle(self, report: Report) -> int:
        """Tell how the shard stands; what the machine has then beyond its grants."""
        self.allowances.settle(self.server, LEASE, [report])
        return self.file.left("pages", 100)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    server = MemoryServer(lambda: 0.0)
    server.begin(SharedCrawl("0" * 26, "{}", Layout(1), "1"))
    server.take(LEASE, Owner("home", "m"), 60)
    with closing(FleetFile(tmp_path)) as file:
        yield Folder(file, server)


def test_nothing_is_used_before_the_exchange_has_given_it(folder):
    assert folder.grants.pages(0) == 0
    assert folder.settle(BUSY) == MIN_PAGES
    assert folder.grants.pages(0) == 1


def test_a_fast_machine_has_more_ahead_and_reaches_the_limit(folder):
    used, ahead = 0, []
    while used < 100:
        ahead.append(folder.settle(BUSY))
        for _ in range(5):
            used = folder.grants.pages(used)
    assert max(ahead) > 3 * MIN_PAGES
    assert folder.settle(BUSY) == 0
    assert folder.grants.pages(used) == used == 100


def test_an_idle_machine_gives_all_back(folder):
    folder.settle(BUSY)
    used = folder.grants.pages(0)
    folder.grants.release(used, 0)
    assert folder.settle(IDLE) == 0
    assert folder.server.data.claims == {"home": (3, used)}


def test_a_machine_that_begins_again_has_what_its_shards_have_used(folder):
    folder.settle(BUSY)
    used = folder.grants.pages(0)
    folder.begin()
    assert folder.file.left("pages", 100) == 0
    assert folder.file.allowance("pages").amount == used


def test_a_lost_answer_gives_nothing_twice(folder):
    folder.settle(BUSY)
    number, amount = folder.file.allowance("pages")
    folder.file.allow("pages", Allowance(number - 1, 0))  # as if it had not come
    assert folder.settle(BUSY) == amount
    assert folder.server.data.claims["home"] == (number - 1, amount)


def test_an_older_copy_of_the_folder_learns_the_number(folder):
    folder.settle(BUSY)
    before = folder.file.allowance("pages")
    folder.file.allow("pages", Allowance(0, 0))
    folder.server.data.claims["home"] = (7, 4)
    assert folder.settle(BUSY) == 0
    assert folder.file.allowance("pages") == Allowance(8, 0)
    assert folder.settle(BUSY) == before.amount


def test_a_server_that_was_restarted_is_waited_for_and_said_once(folder):
    folder.server.set_back(folder.server.data)
    folder.server.data.homes[1] = "elsewhere"
    for _ in range(2):
        assert folder.settle(BUSY) == 0
    assert len(folder.notes) == 1
    assert "gives no more of limits.max_pages until the machines" in folder.notes[0]


def test_bytes_are_what_the_reports_of_all_have_left(folder):
    mine = Report(0, 1, is_idle=False, received_bytes=300_000)
    other = Report(1, 1, is_idle=False, received_bytes=700_000)
    assert folder.grants.bytes(300_000) > 300_000, "none has told anything yet"
    folder.grants.release(0, 300_000)
    folder.allowances.share_bytes([other])
    assert folder.allowances.has_bytes([mine, other])
    assert folder.file.left("bytes", 1 << 20) == (1 << 20) - 1_000_000
    other = Report(1, 1, is_idle=False, received_bytes=800_000)
    folder.allowances.share_bytes([other])
    assert not folder.allowances.has_bytes([mine, other])
    assert folder.grants.bytes(300_000) == 300_000


def test_the_bytes_that_are_left_are_those_of_the_limit_that_was_raised(folder):
    """Also before the processes that have begun again tell what they have."""
    folder.grants.release(0, 800_000)
    other = Report(1, 1, is_idle=False, received_bytes=700_000)
    folder.allowances.share_bytes([other])
    assert folder.file.left("bytes", 1 << 20) == 0
    folder.begin(LimitsConfig(max_bytes=2_000_000))
    folder.allowances.share_bytes([other])
    assert folder.file.left("bytes", 2_000_000) == 500_000


def test_no_limit_is_no_claim(folder):
    folder.begin(LimitsConfig())
    folder.settle(BUSY)
    assert folder.server.data.claims == {}
    folder.allowances.share_bytes([BUSY])
    assert folder.file.allowance("bytes") is None
    assert folder.allowances.has_bytes([BUSY])
    assert folder.allowances.pages_left([BUSY]) == 0
