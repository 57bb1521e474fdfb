"""What each server of an exchange does: leases, and what is known of a crawl.

The one in memory, on which the tests of the protocol run, must do as Valkey does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

import pytest
import trustme
from msgspec.structs import replace

from crawler.fleet.address import Address, Node, parse_address
from crawler.fleet.exchange_server import (
    NO_OWNER,
    STALE,
    Answer,
    Claim,
    ExchangeDown,
    ExchangeServer,
    Lease,
    LeaseLost,
    Owner,
    Post,
    Receipt,
    SharedCrawl,
)
from crawler.fleet.valkey_server import ValkeyServer
from crawler.frontier.mail import Mark
from crawler.model.errors import StateError, UsageError
from crawler.model.shards import LastLease, Layout
from tests.helpers.memory_server import MemoryServer
from tests.helpers.valkey import ValkeyProcess, free_port

CRAWL = SharedCrawl("0" * 26, "{}", Layout(4), "1.0")
ONE, TWO = Owner("home1", "one:/data"), Owner("home2", "two:/data")
LEASE, NEWER = Lease(2, "1-a1"), Lease(2, "2-b2")
TTL_S = 60.0
POST = Post(2, Mark(7, 1), 1, b"\x00\xff body")


@pytest.fixture(params=["memory", "valkey"])
def server(request: pytest.FixtureRequest) -> Iterator[ExchangeServer]:
    if request.param == "memory":
        yield MemoryServer(time.monotonic)
        return
    process = request.getfixturevalue("valkey_process")
    process.command("FLUSHALL")
    address = parse_address(process.address("crawl"), {})
    with closing(ValkeyServer(address)) as server:
        yield server


def begun(server: ExchangeServer) -> ExchangeServer:
    assert server.begin(CRAWL)
    return server


def last_tokens(server) -> dict[int, str]:
    """The token of the last lease of each shard that was taken."""
    return {shard: one.token for shard, one in server.tell_last({}).items()}


def test_a_crawl_is_begun_once(server):
    assert server.crawl() is None
    begun(server)
    assert not server.begin(CRAWL)
    assert server.crawl() == CRAWL
    assert server.run_id() == CRAWL.run_id
    server.set_program(CRAWL, "2.0")
    assert server.crawl() == replace(CRAWL, program="2.0")
    server.set_over()
    assert server.is_over()
    server.remove(4)
    assert server.run_id() is None
    assert not server.is_over()


def test_a_shard_has_one_owner(server):
    begun(server)
    assert server.take(LEASE, ONE, TTL_S) is None
    assert server.take(NEWER, TWO, TTL_S) == ONE
    assert server.owners(4) == {2: ONE}
    assert server.homes() == {2: "home1"}
    assert server.renew([LEASE], ONE, TTL_S) == []
    assert server.renew([NEWER], TWO, TTL_S) == [2]


def test_a_shard_stays_in_the_folder_that_has_its_state(server):
    begun(server)
    server.take(LEASE, ONE, TTL_S)
    server.release([LEASE])
    assert server.owners(4) == {}
    assert server.take(NEWER, TWO, TTL_S) == Owner("home1", "")
    assert server.take(NEWER, ONE, TTL_S) is None


def test_an_owner_that_slept_past_its_lease_tells_nothing(server):
    """Another one of the same folder has the shard by then: its own machine, anew."""
    begun(server)
    server.take(LEASE, ONE, TTL_S)
    server.report({LEASE: b"before"})
    assert server.take(NEWER, ONE, TTL_S) is None
    assert server.reports() == {}, "what the one before told may be undone"
    assert server.last_reports() == {2: b"before"}
    with pytest.raises(LeaseLost):
        server.post(LEASE, {1: [POST]})
    with pytest.raises(LeaseLost):
        server.tell_safe(LEASE, {1: Receipt(Mark(1, 1), Mark(1, 1), 5)}, "")
    server.report({LEASE: b"asleep", NEWER: b"now"})
    server.release([LEASE])
    assert server.renew([LEASE], ONE, TTL_S) == [2]
    assert server.reports() == server.last_reports() == {2: b"now"}
    assert server.owners(4) == {2: ONE}
    assert server.read({1: ""}) == {}
    server.post(NEWER, {1: [POST]})
    assert [one.post for one in server.read({1: ""})[1]] == [POST]


def test_a_machine_that_was_replaced_meanwhile_is_stale(server):
    """It may not take the shard again, also where no lease is held."""
    begun(server)
    server.take(LEASE, ONE, TTL_S)
    server.release([LEASE])
    other = ONE._replace(machine="copy:/data")
    assert server.take(NEWER, other, TTL_S, tokens=["x", LEASE.token]) is None
    server.release([NEWER])
    assert server.take(LEASE, ONE, TTL_S, tokens=["x", LEASE.token]) == STALE
    assert last_tokens(server) == {2: NEWER.token}
    assert server.take(LEASE, other, TTL_S, tokens=[NEWER.token]) is None


def test_a_lease_ends(server):
    begun(server)
    server.take(LEASE, ONE, 0.02)
    deadline = time.monotonic() + 10
    while server.owners(4):
        assert time.monotonic() < deadline
    with pytest.raises(ExchangeDown, match="has no lease of"):
        server.post(LEASE, {1: [POST]})


def test_a_lease_that_is_renewed_is_the_last_one_of_its_shard(server):
    """The server may have gone back, and have had another one."""
    begun(server)
    for lease in (NEWER, LEASE):
        assert server.take(lease, ONE, TTL_S) is None
        server.release([lease])
    assert server.renew([NEWER], ONE, TTL_S) == []
    assert last_tokens(server) == {2: NEWER.token}


def test_the_last_lease_that_any_machine_knows_counts(server):
    older, newer = (
        LastLease(LEASE.token, ONE.home),
        LastLease(NEWER.token, TWO.home),
    )
    assert server.tell_last({2: newer}) == {}, "there is no crawl"
    begun(server)
    server.take(LEASE, ONE, TTL_S)
    assert server.tell_last({}) == {2: older}
    assert server.tell_last({2: newer, 3: older}) == {2: newer, 3: older}
    assert server.tell_last({2: older}) == {2: newer, 3: older}
    assert server.renew([LEASE], ONE, TTL_S) == [2]
    assert server.homes() == {2: TWO.home, 3: ONE.home}


def test_mail_is_forgotten_up_to_a_place(server):
    begun(server)
    server.take(LEASE, ONE, TTL_S)
    posts = [POST._replace(mark=Mark(7, n)) for n in range(1, 5)]
    server.post(LEASE, {2: posts, 3: posts[:1]})
    arrivals = server.read({2: "", 3: ""})
    assert [one.post for one in arrivals[2]] == posts
    assert len(arrivals[3]) == 1
    assert len(server.read({2: arrivals[2][2].place})[2]) == 1
    receipts = {
        0: Receipt(Mark(7, 3), Mark(7, 1), 11),
        1: Receipt(Mark(5, 9), Mark(), 11),
    }
    server.tell_safe(LEASE, receipts, arrivals[2][2].place)
    assert [one.post for one in server.read({2: ""})[2]] == posts[3:]
    assert server.safe_of(0) == {2: receipts[0]}
    assert server.safe_of(1) == {2: receipts[1]}


def test_a_server_without_memory_is_told_what_it_knew(server):
    """And gives no shard to a new folder, which may be that of a machine still off."""
    assert server.take(LEASE, ONE, TTL_S) == NO_OWNER, "there is no crawl"
    assert server.restore(CRAWL, {0: "home1", 2: "home1"})
    assert not server.restore(CRAWL, {})
    assert server.renew([LEASE, Lease(1, "c3")], ONE, TTL_S) == []
    assert server.homes() == {0: "home1", 1: "home1", 2: "home1"}
    assert server.take(Lease(3, "d4"), TWO, TTL_S) == NO_OWNER
    assert server.take(Lease(3, "d4"), TWO, TTL_S, has_state=True) == NO_OWNER
    assert server.homes()[3] == TWO.home
    assert server.take(Lease(0, "e5"), ONE, TTL_S) == NO_OWNER, "it may be another's"
    assert server.take(Lease(0, "e5"), ONE, TTL_S, is_held=True) is None


def test_settings_have_a_revision(server):
    """So that two who change them do not undo each other's; the end is taken back."""
    begun(server)
    server.set_over()
    newer = replace(CRAWL, config='{"seeds":[]}', revision=2, is_paused=True)
    assert server.revision() == 0
    assert server.steer(newer)
    assert not server.steer(replace(newer, config="{}"))
    assert not server.steer(replace(newer, run_id="1" * 26, revision=3))
    assert server.crawl() == newer
    assert server.revision() == 2
    assert not server.is_over()
    server.remove(4)
    assert server.revision() == 0
    assert not server.steer(newer)
    assert server.restore(newer, {})
    assert server.revision() == 2


def took(server: ExchangeServer, shard: int, owner: Owner) -> Lease:
    lease = Lease(shard, f"{owner.home}-{shard}")
    assert server.take(lease, owner, TTL_S, is_held=True) is None
    return lease


def test_a_limit_is_shared_and_what_was_given_back_is_given_again(server):
    begun(server)
    one, two = took(server, 0, ONE), took(server, 1, TWO)
    of_one, of_two = Claim("home1", 0, 0, 30, 100), Claim("home2", 0, 0, 90, 100)
    assert server.claim(one, of_one, 4) == Answer(0, 30)
    assert server.claim(two, of_two, 4) == Answer(0, 35), "half of what is left"
    assert server.claim(one, of_one, 4) == Answer(0, 30), "it was asked again"
    of_two = of_two._replace(number=1, amount=35)
    assert server.claim(two, of_two, 4) == Answer(1, 17)
    back = of_one._replace(number=1, amount=5, wanted=0)
    assert server.claim(one, back, 4) == Answer(1)
    assert server.claim(one, of_one, 4).number == 1, "an old claim comes late"
    of_two = of_two._replace(number=2, amount=52)
    more = [server.claim(two, of_two, 4).more]
    while more[-1]:
        of_two = of_two._replace(
            number=of_two.number + 1, amount=of_two.amount + more[-1]
        )
        more.append(server.claim(two, of_two, 4).more)
    assert of_two.amount == 95
    assert server.claim(Lease(0, "stale"), back, 4) is None
    assert server.claim(one, back._replace(wanted=9, limit=200), 4) == Answer(1, 9)
    assert server.claim(two, of_two._replace(wanted=9, limit=60), 4).more == 0


def test_a_server_without_memory_gives_nothing_before_all_have_told(server):
    """Nor to a machine that asks alone, while the others are off."""
    server.restore(CRAWL, {0: "home1", 1: "home2", 2: "home2"})
    one, two = took(server, 0, ONE), took(server, 1, TWO)
    of_one, of_two = Claim("home1", 4, 10, 99, 100), Claim("home2", 9, 60, 0, 100)
    assert server.claim(one, of_one, 4) == Answer(4, is_whole=False)
    assert server.claim(two, of_two, 4) == Answer(9, is_whole=False), "shard 3 is away"
    took(server, 3, TWO)
    assert server.claim(one, of_one, 4) == Answer(4, 15)


def test_a_server_that_was_restarted_may_have_older_data(tmp_path):
    process = ValkeyProcess(tmp_path, persists=True)
    address = parse_address(process.address("crawl"), {})
    with closing(ValkeyServer(address)) as server:
        begun(server)
        leases = [took(server, shard, ONE) for shard in range(3)]
        claim = Claim("home1", 0, 0, 50, 100)
        assert server.claim(leases[0], claim, 4) == Answer(0, 50)
        process.kill()
        process.start()
        assert server.claim(leases[0], claim, 4) == Answer(0, is_whole=False)
        took(server, 3, ONE)
        assert server.claim(leases[0], claim, 4) == Answer(0, 50)
        again = Lease(0, "2-again")
        assert server.take(again, ONE, TTL_S, tokens=[leases[0].token]) == NO_OWNER
        server.release(leases)
        assert not server.take_over(again, TWO, TTL_S, ONE.home)
        assert server.renew([again], TWO, TTL_S) == [], "it has not ended"
        assert server.renew([leases[0]], ONE, TTL_S) == [0], "it was an older one"
        assert server.homes()[0] == TWO.home
    process.kill()


def test_the_node_of_a_cluster_that_has_the_crawl(tmp_path):
    """It is found by any node; one that is away is looked for again."""
    one, two = (ValkeyProcess.node(tmp_path / name) for name in ("one", "two"))
    try:
        two.begin_cluster(one)
        address = parse_address(one.address("crawl"), {})
        with closing(ValkeyServer(address)) as server:
            begun(server)
            assert server.take(LEASE, ONE, TTL_S) is None
            assert server.renew([LEASE], ONE, TTL_S) == []
            assert server.homes() == {2: "home1"}
            assert two.command("EXISTS orbweb:{crawl}:crawl") == b":1\r\n"
            two.kill()
            with pytest.raises(ExchangeDown, match="can't be reached"):
                server.homes()
            two.start()
            deadline = time.monotonic() + 30
            while not answers(server):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert server.crawl() is None, "the node has no files"
    finally:
        one.kill()
        two.kill()


def answers(server: ExchangeServer) -> bool:
    try:
        server.homes()
    except ExchangeDown:
        return False
    return True


def test_a_password_and_a_database(tmp_path):
    process = ValkeyProcess(tmp_path, "--requirepass", "secret word")
    text = f"redis://:secret%20word@127.0.0.1:{process.port}/a?db=3"
    with closing(ValkeyServer(parse_address(text, {}))) as server:
        begun(server)
    text = f"valkey://127.0.0.1:{process.port}/a"
    asked = (
        (parse_address(text, {"ORBWEB_EXCHANGE_PASSWORD": "secret word"}), ""),
        (parse_address(text, {}), "wants another password"),
        (
            parse_address(text, {"ORBWEB_EXCHANGE_PASSWORD": "x"}),
            "wants another password",
        ),
    )
    for address, message in asked:
        with closing(ValkeyServer(address)) as server:
            if not message:
                assert server.crawl() is None, "it is in another database"
                continue
            with pytest.raises(ExchangeDown, match=message) as caught:
                server.crawl()
            assert caught.value.exit_code == 6
    process.kill()


def test_tls(tmp_path, monkeypatch):
    """The server's certificate is verified, by its name and its authority."""
    authority, name = trustme.CA(), "127.0.0.1"
    certificate = authority.issue_cert(name)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    plain = ValkeyProcess(
        tmp_path,
        *("--tls-port", str(free_port()), "--tls-auth-clients", "no"),
        *("--tls-cert-file", str(tmp_path / "cert.pem")),
        *("--tls-key-file", str(tmp_path / "key.pem")),
        *("--tls-ca-cert-file", str(tmp_path / "ca.pem")),
    )
    port = plain.more[1]
    address = parse_address(f"valkeys://{name}:{port}/a", {})
    with closing(ValkeyServer(address)) as server:
        with pytest.raises(ExchangeDown, match="can't be reached over TLS") as caught:
            server.crawl()
        assert caught.value.exit_code == 5
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        begun(server)
    plain.kill()


def test_a_server_that_is_away_or_holds_something_else(valkey_process):
    address = parse_address(valkey_process.address("odd"), {})
    valkey_process.command("HSET", "orbweb:{odd}:crawl", "all", "what")
    with (
        closing(ValkeyServer(address)) as server,
        pytest.raises(StateError, match="another version of orbweb"),
    ):
        server.crawl()
    with (
        closing(ValkeyServer(Address((Node("127.0.0.1", 1),), "odd"))) as server,
        pytest.raises(ExchangeDown, match=r"127\.0\.0\.1:1 can't be reached") as caught,
    ):
        server.crawl()
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("valkey://cache/news", "valkey://cache:6379/news"),
        ("redis://me:pw@cache:1/news", "valkey://me@cache:1/news"),
        ("rediss://cache/a.b-c_1?db=2", "valkeys://cache:6379/a.b-c_1?db=2"),
        ("valkeys://[::1]:7/a", "valkeys://[::1]:7/a"),
        ("valkey://me@a:1,B,[::1]:3/news", "valkey://me@a:1,b:6379,[::1]:3/news"),
    ],
)
def test_addresses(text, shown):
    assert str(parse_address(text, {})) == shown


@pytest.mark.parametrize(
    "text",
    [
        *("cache/news", "http://cache/news", "valkey://cache", "valkey://cache/"),
        *("valkey:///news", "valkey://cache/a/b", "valkey://cache:x/a", "valkey://[/a"),
        *("valkey://cache/a?db=x", "valkey://cache/a?db=-1", "valkey://cache/a?x=1"),
        *("valkey://me:secret@cache/", "valkey://a,/news", "valkey://a,b:x/news"),
        *("valkey://a,me@b/news", "valkey://u:p@a,u:p@b/news", "valkey://,/news"),
    ],
)
def test_what_is_no_address(text):
    with pytest.raises(
        UsageError, match=r"--exchange: expected valkey://HOST"
    ) as caught:
        parse_address(text, {})
    assert "secret" not in str(caught.value)


def test_a_shard_whose_machine_is_gone_is_taken_over_once(server):
    begun(server)
    assert server.take(LEASE, ONE, TTL_S) is None
    server.report({LEASE: b"before"})
    assert server.take(LEASE, ONE, TTL_S) is None
    server.report({LEASE: b"one"})
    assert not server.take_over(NEWER, TWO, TTL_S, ONE.home), "it is at work"
    server.release([LEASE])
    assert not server.take_over(NEWER, TWO, TTL_S, "another home")
    assert server.take_over(NEWER, TWO, TTL_S, ONE.home)
    assert server.homes() == {2: TWO.home}
    assert server.owners(4) == {2: TWO}
    assert last_tokens(server) == {2: NEWER.token}
    assert server.reports() == server.last_reports() == {}
    assert server.take(Lease(2, "c3"), ONE, TTL_S, has_state=True) == TWO
    server.release([NEWER])
    refused = server.take(Lease(2, "d4"), ONE, TTL_S, has_state=True)
    assert refused is not None
    assert refused.home == TWO.home
    assert not server.take_over(Lease(2, "e5"), ONE, TTL_S, ONE.home)


def test_no_page_is_given_before_a_new_owner_has_told_what_its_shard_has(server):
    """Else the pages of the lost machine would be given a second time."""
    begun(server)
    leases = [Lease(shard, f"t{shard}") for shard in range(4)]
    three = Owner("home3", "c:/3")
    for lease, owner in zip(leases, (ONE, ONE, TWO, three), strict=True):
        assert server.take(lease, owner, TTL_S) is None
    lost = Claim(ONE.home, 0, 0, 40, 100)
    assert server.claim(leases[0], lost, 4).more == 33
    of_two, of_three = Claim(TWO.home, 0, 0, 9, 100), Claim("home3", 0, 0, 90, 100)
    assert server.claim(leases[2], of_two, 4).more == 9
    of_two = of_two._replace(number=1, amount=9, wanted=0)
    server.release(leases[:2])
    assert server.take_over(Lease(0, "t4"), TWO, TTL_S, ONE.home)
    assert server.take_over(Lease(1, "t5"), TWO, TTL_S, ONE.home)
    assert server.claim(leases[3], of_three, 4) == Answer(0, is_whole=False)
    restored = of_two._replace(amount=9 + 30)
    assert server.claim(leases[2], restored, 4) == Answer(1)
    more = [server.claim(leases[3], of_three._replace(amount=0), 4).more]
    while more[-1]:
        claim = of_three._replace(number=len(more), amount=sum(more))
        more.append(server.claim(leases[3], claim, 4).more)
    assert sum(more) == 100 - 39


def test_an_owner_tells_when_its_snapshot_was_taken(server):
    begun(server)
    server.take(LEASE, ONE, TTL_S)
    server.set_snapshot(LEASE, 1.8e9)
    assert server.snapshots() == {2: 1.8e9}
    server.release([LEASE])
    server.take(NEWER, ONE, TTL_S)
    server.set_snapshot(LEASE, 1.9e9)
    assert server.snapshots() == {2: 1.8e9}, "that lease has ended"
    server.remove(4)
    assert server.snapshots() == {}
