"""One machine's leases: taken, renewed, lost, and taken again; in virtual time."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from msgspec.structs import replace

import hub
from crawler.engine.stats import Snapshot
from crawler.fleet.allowances import Allowances
from crawler.fleet.exchange_server import (
    ExchangeDown,
    Lease,
    LeaseLost,
    Owner,
    SharedCrawl,
)
from crawler.fleet.held_leases import HeldLeases
from crawler.fleet.machine import LEASE_S, Machine
from crawler.fleet.messages import LeaseSettings, Renewed
from crawler.frontier.mail import Mark, Report
from crawler.frontier.sqlite.fleet_file import FleetFile
from crawler.model.config import Config
from crawler.model.errors import StateError
from crawler.model.policy_config import LimitsConfig
from crawler.model.shards import Layout
from hub.testing import simulated_network
from tests.helpers.memory_server import Data, MemoryHistory, MemoryServer

SHARDS = 4
CRAWL = SharedCrawl("0" * 26, "{}", Layout(SHARDS), "1.0")


class World:
    """A server, and machines that meet there."""

    def __init__(self, now: float) -> None:
        self.loop = hub.get_hub().loop
        self.server = MemoryServer(self.loop.now)
        self.server.begin(CRAWL)
        self.notes: list[str] = []
        self.slept = 0.0
        self.ends: list[str] = []
        self.histories: dict[str, MemoryHistory] = defaultdict(MemoryHistory)
        """That of each folder."""

    def machine(
        self,
        home: str,
        name: str = "",
        max_time: float | None = None,
        allowances: Any = None,
    ) -> Machine:
        name = name or f"{home}:/data"
        return Machine(
            self.server,
            CRAWL,
            Owner(home, name),
            self.histories[name],
            10.0,
            self.notes.append,
            self.loop.now,
            lambda: self.loop.now() + self.slept,
            lambda: self.loop.now() + self.slept,
            max_time=max_time,
            allowances=allowances,
        )

    def run(self, machine: Machine, seconds: float) -> None:
        """Let a machine keep its leases for a time."""
        running = hub.spawn(machine.run, lambda: None, lambda: self.ends.append("end"))
        hub.sleep(seconds)
        running.kill()


@pytest.fixture
def world() -> Iterator[World]:
    with simulated_network(1, start=1.8e9) as network:
        yield World(network.loop.now())


def report(shard: int, *, is_idle: bool = True, **marks: dict[int, Mark]) -> Report:
    return Report(shard, 1, is_idle, **marks)


def test_a_machine_takes_what_no_other_has(world):
    one, two = world.machine("one"), world.machine("two")
    assert one.take([], 3) == [0, 1, 2]
    assert two.take([], 9) == [3]
    one.release()
    assert two.take([], 9) == [3], "the states of the others are in another folder"
    assert world.machine("one").take([], 1) == [0, 1, 2]


def test_leases_last_while_they_are_renewed(world):
    machine = world.machine("one")
    machine.take([], 9)
    world.run(machine, 5 * LEASE_S)
    assert len(world.server.owners(SHARDS)) == SHARDS
    assert machine.held_until > world.loop.now() + LEASE_S / 2
    hub.sleep(LEASE_S)
    assert world.server.owners(SHARDS) == {}


def test_a_copy_of_the_folder_is_refused_while_the_other_is_at_work(world):
    machine = world.machine("one")
    machine.take([], 9)
    keeping = hub.spawn(machine.run, lambda: None, lambda: None)
    with pytest.raises(StateError, match=r"run by another machine, one:/data, from a"):
        world.machine("one", "other:/copy").take([0], 9)
    assert "one:/data had this folder before; its leases end within" in world.notes[0]
    keeping.kill()


def test_a_folder_that_moved_waits_for_the_lease_of_the_machine_that_died(world):
    world.machine("one").take([], 9)
    began = world.loop.now()
    assert world.machine("one", "other:/data").take([0], 9) == [0, 1, 2, 3]
    assert world.loop.now() - began < LEASE_S + 5


def test_a_state_that_another_folder_has_by_now_is_of_no_use(world):
    world.machine("one").take([], 9)
    with pytest.raises(StateError, match="has its state in another folder by now"):
        world.machine("two").take([1], 9)


def test_a_machine_that_slept_takes_new_leases(world):
    machine = world.machine("one")
    machine.take([], 9)
    old = dict(machine.leases)
    world.slept = LEASE_S
    world.run(machine, 2)
    assert machine.lost == set(old), "its processes must stop"
    machine.hold([0, 1], lambda: False)
    assert machine.leases[0] != old[0]
    assert machine.lost == {2, 3}
    machine.hold([2, 3], lambda: False)
    assert machine.lost == set()
    assert machine.leases[3] != old[3]


def test_a_server_may_go_back_to_before_the_machine_was_started_again(world):
    """And have had no data in between, so that the machine heard nothing of its own."""
    before = world.machine("one")
    before.take([], 9)
    saved = copy.deepcopy(world.server.data)
    world.server.forget()
    world.server.restore(CRAWL, {})
    after = world.machine("one")
    after.take(range(SHARDS), 9)
    world.server.data = saved
    hub.sleep(LEASE_S)
    after.hold(range(SHARDS), lambda: False)
    assert after.lost == set()


def test_a_lease_that_was_taken_without_an_answer_is_the_machines_own(world):
    machine = world.machine("one")
    machine.take([], 9)
    hub.sleep(LEASE_S)
    take, lost = world.server.take, []

    def taken_in_silence(lease, *arguments, **named):
        if not lost:
            lost.append(take(lease, *arguments, **named))
            raise ExchangeDown("the exchange is away")
        return take(lease, *arguments, **named)

    world.server.take = taken_in_silence
    machine.hold(range(SHARDS), lambda: False)
    assert lost == [None]
    assert machine.lost == set()


def test_a_machine_that_waits_draws_one_token(world):
    """Not one for each time that it asks."""
    world.machine("one").take([], 9)
    other = world.machine("one", "other:/data")
    other.take([0], 9)
    assert len(world.histories["other:/data"].tokens(0)) == 2  # its own, and the last


def test_a_machine_that_slept_while_a_copy_went_on_is_of_no_use(world):
    """Also if the copy has ended by then."""
    machine, copy = world.machine("one"), world.machine("one", "copy:/data")
    machine.take([], 9)
    hub.sleep(LEASE_S)
    copy.take([0], 9)
    with pytest.raises(StateError, match="another machine has run shard 0"):
        machine.hold([0, 1], lambda: False)
    copy.release()
    with pytest.raises(StateError, match="from a copy of this folder, while this one"):
        machine.hold([0, 1], lambda: False)


def test_processes_that_wait_for_leases_at_once_take_each_others(world):
    """One that does not know the token which another has just drawn is not refused."""
    machine = world.machine("one")
    machine.take([], 9)
    hub.sleep(LEASE_S)
    take, delays = world.server.take, iter([0.1, 0.2, 0.3, 0.4, 0.01, 0.01, 0.01, 1])

    def slow(*arguments, **named):
        hub.sleep(next(delays, 0.01))
        return take(*arguments, **named)

    world.server.take = slow
    waiting = [
        hub.spawn(machine.hold, [shard], lambda: False) for shard in range(SHARDS)
    ]
    hub.joinall(waiting, raise_error=True)
    assert machine.lost == set()


def test_a_server_that_went_back_learns_of_a_copy_when_that_renews(world):
    """Else the machine that slept would take its shards when the copy is off."""
    machine, other = world.machine("one"), world.machine("one", "copy:/data")
    machine.take([], 9)
    saved = copy.deepcopy(world.server.data)
    hub.sleep(LEASE_S)
    other.take([0], 9)
    world.server.data = saved
    world.run(other, 1)
    hub.sleep(LEASE_S)
    with pytest.raises(StateError, match="another machine has run shard 0"):
        machine.hold([0, 1], lambda: False)


@pytest.fixture
def sleeper(world) -> tuple[Machine, Machine, Data]:
    """A machine that sleeps, one with a copy of its folder, and the data of before."""
    machine = world.machine("one")
    machine.take([], 9)
    saved = copy.deepcopy(world.server.data)
    hub.sleep(LEASE_S)
    world.histories["copy:/data"] = copy.deepcopy(world.histories["one:/data"])
    other = world.machine("one", "copy:/data")
    other.take(range(SHARDS), 9)
    return machine, other, saved


@pytest.mark.parametrize("has_lost", [False, True])
@pytest.mark.parametrize("away_s", [0, LEASE_S])
def test_a_machine_that_wakes_when_the_server_has_gone_back_gets_nothing(
    world, sleeper, has_lost, away_s
):
    """The copy of its folder keeps its shards, also if its leases have ended, too."""
    machine, other, saved = sleeper
    keeping = hub.spawn(other.run, lambda: None, lambda: None)
    world.server.is_down = True
    hub.sleep(away_s)
    world.server.set_back(Data() if has_lost else saved)
    world.server.is_down = False
    waking = hub.spawn(machine.hold, range(SHARDS), lambda: False)
    other.hold(range(SHARDS), lambda: False)
    with pytest.raises(StateError, match="another machine has run shard 0"):
        waking.get()
    hub.sleep(LEASE_S)
    assert other.lost == set()
    assert set(world.server.owners(SHARDS).values()) == {other.owner}
    keeping.kill()


def test_the_others_know_which_machine_was_the_last_one(world, sleeper):
    """The copy of the folder is off while the server has older data."""
    machine, other, saved = sleeper
    peer = world.machine("peer")
    peer.take([], 0)
    other.release()
    world.server.set_back(saved)
    again = world.machine("peer")
    again.take([], 0)
    with pytest.raises(StateError, match="another machine has run shard 0"):
        machine.hold(range(SHARDS), lambda: False)
    assert world.machine("one", "copy:/data").take([], 9) == [0, 1, 2, 3]


def test_a_folder_whose_copy_has_gone_on_is_refused_when_it_is_started_again(
    world, sleeper
):
    """Also while the copy is off."""
    _, other, _ = sleeper
    other.release()
    with pytest.raises(StateError, match="another machine has run shard 0"):
        world.machine("one").take(range(SHARDS), 9)


def test_a_machine_goes_on_after_a_restart_of_the_server(world):
    """At once if its leases have not ended; else when others have had time to tell."""
    world.machine("one").take([], 9)
    world.server.set_back(world.server.data)
    began = world.loop.now()
    again = world.machine("one")
    assert again.take(range(SHARDS), 9) == [0, 1, 2, 3]
    assert world.loop.now() == began
    again.release()
    world.server.set_back(world.server.data)
    assert world.machine("one").take(range(SHARDS), 9) == [0, 1, 2, 3]
    assert world.loop.now() >= began + LEASE_S
    assert "the exchange was restarted: it gives no shards for" in world.notes[0]


def test_a_server_that_has_lost_its_data_is_told_what_it_knew(world):
    one, two = world.machine("one"), world.machine("two")
    one.take([], 2)
    two.take([], 2)
    keeping = [hub.spawn(m.run, lambda: None, lambda: None) for m in (one, two)]
    hub.sleep(15)
    world.server.forget()
    hub.sleep(15)
    assert world.server.crawl() == CRAWL
    assert world.server.homes() == {0: "one", 1: "one", 2: "two", 3: "two"}
    assert len(world.server.owners(SHARDS)) == SHARDS
    assert one.lost == two.lost == set()
    assert world.notes == ["the exchange has lost its data; it is told what it knew"]
    hub.killall(keeping)


def test_a_machine_that_was_off_meanwhile_keeps_its_shards(world):
    """And a new one gets some only when all have had the time to come back."""
    off, new = world.machine("off"), world.machine("new")
    off.take([], 3)
    world.server.forget()
    began = world.loop.now()
    taking = hub.spawn(new.take, [], 9)
    hub.sleep(20)
    again = world.machine("off", "elsewhere:/data")
    assert again.take([0, 1, 2], 3) == [0, 1, 2]
    assert taking.get() == [3]
    assert world.loop.now() - began >= 60


def test_a_server_that_is_away_is_said_once(world):
    machine = world.machine("one")
    machine.take([], 9)
    world.server.is_down = True
    world.run(machine, 9)
    world.server.is_down = False
    world.run(machine, 9)
    away = "the exchange is away; the crawl goes on, and tries again"
    assert world.notes == [away, "the exchange is back"]
    assert machine.lost == set()


def test_another_crawl_of_the_name_stops_the_machine(world):
    machine = world.machine("one")
    machine.take([], 9)
    world.server.forget()
    world.server.begin(SharedCrawl("1" * 26, "{}", Layout(SHARDS), "1.0"))
    with pytest.raises(StateError, match="has another crawl of this name by now"):
        machine.run(lambda: None, lambda: None)


def test_each_machine_sees_the_end(world):
    """It is there when no shard has work, and all mail was taken."""
    one, two = world.machine("one"), world.machine("two")
    one.take([], 2)
    two.take([], 2)
    for shard in range(3):
        (one, two)[shard // 2].own.heard(report(shard), Snapshot(1.0))
    sent = report(3, sent={0: Mark(1, 1)})
    two.own.heard(sent, Snapshot(1.0))
    for machine in (one, two):
        world.run(machine, 30)
    assert world.ends == []
    one.own.heard(report(0, taken={3: Mark(1, 1)}), Snapshot(1.0))
    for machine in (one, two):
        world.run(machine, 2)
    assert world.ends == ["end", "end"]
    assert one.own.is_there()


def idle(world: World, *names: str) -> list[Machine]:
    """Machines that have a shard each, without work."""
    machines = [world.machine(name) for name in names]
    for machine in machines:
        (shard,) = machine.take([], 1)
        machine.own.heard(report(shard), Snapshot(1.0))
        world.run(machine, 2)
    return machines


def test_the_end_needs_all_shards_after_other_settings(world):
    """A machine that is off may have the shard of a new seed."""
    machines = idle(world, "one", "two", "three", "four")
    assert world.ends == ["end"], "the last one sees it"
    world.server.steer(replace(CRAWL, revision=1))
    world.run(machines[0], 2)
    machines[0].own.heard(report(0), Snapshot(1.0))
    world.run(machines[0], 20)
    assert world.ends == ["end"]
    assert not world.server.is_over()


def test_what_shards_told_before_the_server_went_back_is_no_end(world):
    """They have got more to do since then."""
    one, *_ = idle(world, "one", "two", "three", "four")
    saved = copy.deepcopy(world.server.data)
    world.server.steer(replace(CRAWL, revision=1))
    world.run(one, 2)
    one.own.heard(report(0), Snapshot(1.0))
    world.server.set_back(saved)
    world.run(one, 20)
    assert world.ends == ["end"]
    assert not world.server.is_over()


def test_a_machine_that_is_told_of_the_end_knows_the_pages_of_all(world):
    """Else the one whose hosts have no page would say that the seeds led to none."""
    one, two = world.machine("one"), world.machine("two")
    one.take([], 2)
    two.take([], 2)
    for shard in range(SHARDS):
        pages = 7 if shard == 3 else 0
        (one, two)[shard // 2].own.heard(report(shard), Snapshot(1.0, pages=pages))
    one.own.heard(report(0, is_idle=False), Snapshot(1.0))
    world.run(one, 30)
    one.own.heard(report(0), Snapshot(1.0))
    world.run(one, 0.1)
    assert (one.pages, world.ends) == (0, [])
    world.run(two, 2)
    world.run(one, 2)
    assert (one.pages, world.ends) == (7, ["end", "end"])


def test_other_settings_are_heard_and_a_server_that_lost_them_is_told(world):
    one, two = world.machine("one"), world.machine("two")
    one.take([], 2)
    two.take([], 2)
    old = copy.deepcopy(world.server.data)
    newer = replace(CRAWL, config='{"seeds":[]}', revision=1)
    heard: list[SharedCrawl] = []
    keeping = hub.spawn(one.run, lambda: None, lambda: None, heard.append)
    hub.sleep(5)
    assert heard == []
    world.server.steer(newer)
    hub.sleep(5)
    assert heard == [newer]
    world.server.set_back(old)
    hub.sleep(5)
    assert world.server.crawl() == newer
    keeping = [keeping, hub.spawn(two.run, lambda: None, lambda: None, heard.append)]
    hub.sleep(5)
    assert heard == [newer, newer]
    hub.killall(keeping)


def test_a_paused_crawl_holds_its_leases_and_waits(world):
    machine = world.machine("one")
    machine.take([], 9)
    keeping = hub.spawn(machine.run, lambda: None, lambda: None)
    world.server.steer(replace(CRAWL, revision=1, is_paused=True))
    hub.sleep(2)
    waiting = hub.spawn(machine.hold, [0, 1], lambda: False)
    hub.sleep(3 * LEASE_S)
    assert not waiting.ready()
    assert len(world.server.owners(SHARDS)) == SHARDS
    world.server.steer(replace(CRAWL, revision=2))
    hub.sleep(2)
    assert waiting.ready()
    machine.hold([0], lambda: True)
    keeping.kill()


def test_other_settings_take_back_the_end(world):
    machine = world.machine("one")
    machine.take([], 9)
    for shard in range(SHARDS):
        machine.own.heard(report(shard), Snapshot(1.0))
    world.run(machine, 2)
    assert machine.own.is_there()
    machine.own.heard(report(0, is_idle=False), Snapshot(1.0))
    world.server.steer(replace(CRAWL, revision=1))
    world.run(machine, 2)
    assert not machine.own.is_there()
    assert not world.server.is_over()


def test_the_time_of_a_machine_is_up_before_the_end(world):
    """Also while the exchange is away. The other machines have theirs."""
    machine = world.machine("one", max_time=30.0)
    machine.take([], 9)
    world.run(machine, 29)
    assert world.ends == []
    world.server.is_down = True
    world.run(machine, 2)
    assert world.ends == ["end"]
    assert machine.is_cut
    world.server.is_down = False
    assert not world.server.is_over()


def test_a_process_that_slept_past_its_lease_keeps_nothing():
    now = 100.0
    held = HeldLeases(LeaseSettings("", {1: "a", 2: "b"}, 2, 150.0), lambda: now)
    held.check(1)
    held.renewed(Renewed(160.0, [2]))
    with pytest.raises(LeaseLost):
        held.check(2)
    now = 161.0
    held.renewed(Renewed(220.0, []))
    with pytest.raises(LeaseLost, match="does not hold shard 1"):
        held.check(1)
    assert held.by_shard == {1: Lease(1, "a"), 2: Lease(2, "b")}


class Asked:
    """Allowances that only note when they were settled."""

    limit_bytes = False

    def __init__(self) -> None:
        self.heard: list[list[int]] = []

    def settle(self, _server, _lease, own, _unheard) -> bool:
        self.heard.append(sorted(one.shard for one in own))
        return False

    def pages_left(self, _reports) -> int:
        return 0

    def has_bytes(self, _reports) -> bool:
        return True


def test_nothing_is_claimed_before_a_restored_shard_has_told_what_it_has(world):
    gone, machine = world.machine("gone"), world.machine("one", allowances=Asked())
    gone.take([], 2)
    machine.take([], 2)
    for shard in (2, 3):
        machine.own.heard(report(shard, is_idle=False), Snapshot(1.0))
    gone.release()
    world.run(machine, 2)
    assert machine.take_over(0, "gone")
    asked = machine._allowances.heard
    asked.clear()
    world.run(machine, 5)
    assert asked == []
    machine.own.heard(report(0, is_idle=False), Snapshot(1.0))
    world.run(machine, 2)
    assert asked[0] == [0, 2, 3]


def test_a_machine_that_begins_knows_what_the_others_have_received(world, tmp_path):
    """Also while they begin, too, before its own processes ask for any bytes."""
    limits = LimitsConfig(max_bytes=1000)
    other = world.machine("other")
    other.take([], 2)
    told = report(0, is_idle=False)
    other.own.heard(replace(told, received_bytes=900), Snapshot(1.0))
    other.report_end()
    other.release()
    world.machine("other").take([0, 1], 2)
    with closing(FleetFile(tmp_path)) as file:
        given = Allowances(file, limits, "one", SHARDS, world.notes.append)
        machine = world.machine("one", allowances=given)
        assert machine.take([], 9) == [2, 3]
        assert file.left("bytes", 1000) == 100
        machine.take_limits(Config(limits=LimitsConfig(max_bytes=2000)))
        assert file.left("bytes", 2000) == 1100
