"""An exchange that is a cluster: any of its nodes leads to it, whatever moves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import valkey

import hub
from crawler.fleet.address import Address, Node, parse_address
from crawler.fleet.exchange_server import (
    NO_OWNER,
    ExchangeDown,
    Lease,
    Owner,
    SharedCrawl,
)
from crawler.fleet.valkey_client import asking
from crawler.fleet.valkey_server import ValkeyServer
from crawler.model.shards import Layout
from tests.helpers.valkey import SERVER, ValkeyProcess, free_port

CRAWL = SharedCrawl("0" * 26, "{}", Layout(4), "1.0")
OWNER, TTL_S = Owner("home1", "one:/data"), 60.0
LEASES = [Lease(0, "1-a1"), Lease(1, "1-b1")]

pytestmark = pytest.mark.skipif(SERVER is None, reason="no valkey-server is installed")


class Cluster:
    """Two nodes; `other` has no slot at first."""

    def __init__(self, folder: Path) -> None:
        self.one, self.other = (
            ValkeyProcess.node(folder / name) for name in ("one", "other")
        )
        self.one.begin_cluster(self.other)
        self.slot = self.one.command("CLUSTER KEYSLOT orbweb:{crawl}:x").decode()[1:-2]

    def begin_move(self) -> None:
        """The slot of the crawl begins to move to `other`."""
        self.other.command(f"CLUSTER SETSLOT {self.slot} IMPORTING {_id(self.one)}")
        self.one.command(f"CLUSTER SETSLOT {self.slot} MIGRATING {_id(self.other)}")

    def move_keys(self) -> None:
        found = self.one.command(f"CLUSTER GETKEYSINSLOT {self.slot} 100").decode()
        for key in re.findall(r"orbweb:\S+", found):
            moved = self.one.command(f"MIGRATE 127.0.0.1 {self.other.port} {key} 0 999")
            assert moved == b"+OK\r\n"

    def end_move(self) -> None:
        for node in (self.other, self.one):
            node.command(f"CLUSTER SETSLOT {self.slot} NODE {_id(self.other)}")


def _id(node: ValkeyProcess) -> str:
    return node.command("CLUSTER MYID").decode().split()[1]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.one.kill()
    cluster.other.kill()


def opened(*ports: int) -> closing[ValkeyServer]:
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return closing(ValkeyServer(parse_address(f"valkey://{hosts}/crawl", {})))


def test_a_named_node_that_is_away(both):
    dead = free_port()
    with opened(dead, both.other.port) as server:
        assert server.begin(CRAWL)
        assert server.crawl() == CRAWL
        server.remove(4)
    with opened(dead, dead + 1) as server:
        both_named = rf"127\.0\.0\.1:{dead},127\.0\.0\.1:{dead + 1} can't be reached"
        with pytest.raises(ExchangeDown, match=both_named) as caught:
            server.crawl()
        assert caught.value.exit_code == 4


def test_a_named_node_that_has_left_the_cluster(both, tmp_path):
    lonely = ValkeyProcess.node(tmp_path / "lonely")
    try:
        with opened(lonely.port, both.other.port) as server:
            assert server.crawl() is None
        down = pytest.raises(ExchangeDown, match=r"just now .CLUSTERDOWN")
        with opened(lonely.port) as server, down:
            server.crawl()
    finally:
        lonely.kill()


def test_servers_that_are_no_cluster_are_one_host_each(valkey_process):
    """Machines that reach different ones would each run the crawl."""
    with opened(free_port(), valkey_process.port) as server:
        with pytest.raises(ExchangeDown, match="is no cluster") as caught:
            server.begin(CRAWL)
        assert "is a server of its own): name one host" in str(caught.value)
        assert caught.value.exit_code == 2


def test_a_slot_that_moves(both):
    """What has moved is asked for at the next node; a script waits for the end."""
    with opened(both.one.port) as server:
        assert server.begin(CRAWL)
        for lease in LEASES:
            assert server.take(lease, OWNER, TTL_S) is None
        both.begin_move()
        both.move_keys()
        assert both.other.command("DBSIZE") != b":0\r\n"
        assert server.crawl() == CRAWL, "one key: the next node answers"
        server.set_over()

        def work() -> list[int]:
            server.report({LEASES[0]: b"one"})
            lost = server.renew([*LEASES, Lease(2, "3-c")], OWNER, TTL_S)
            taken = server.take(Lease(3, "2-b2"), OWNER, TTL_S)
            assert taken == NO_OWNER, "another node is as a server that was restarted"
            return lost

        before = refusals(both.other)
        task = hub.spawn(work)
        while refusals(both.other) == before:
            assert not task.ready(), task.get()
            hub.sleep(0.01)
        both.end_move()
        assert task.get() == []
        assert server.is_over()
        assert server.reports() == {0: b"one"}
        assert set(server.owners(4)) == {0, 1, 2}
    with opened(both.one.port) as server:
        assert server.crawl() == CRAWL, "it is found by MOVED again"


def refusals(node: ValkeyProcess) -> int:
    """How often the node has asked for patience."""
    found = re.search(
        rb"errorstat_TRYAGAIN:count=(\d+)", node.command("INFO errorstats")
    )
    return int(found[1]) if found else 0


@pytest.mark.parametrize("word", ["TRYAGAIN", "CLUSTERDOWN", "MOVED 1 b:2"])
def test_what_is_said_where_no_node_has_the_crawl(word):
    with (
        pytest.raises(ExchangeDown, match=r"has no node for it just now .*try again"),
        asking("a:1", lambda: None),
    ):
        raise valkey.ResponseError(f"{word} why")


def test_a_node_that_names_no_host_means_its_own():
    from crawler.fleet.valkey_cluster import _referred

    assert _referred("12 :7", Node("a", 1)) == Node("a", 7)
    assert _referred("12 ?:7", Node("a", 1)) == Node("a", 7)
    assert _referred("12 ::1:7", Node("a", 1)) == Node("::1", 7)
    assert Address((Node("::1", 7),), "x").where == "[::1]:7"
