"""select and selectors of the hub, on pipes and sockets, beside the real ones."""

import fcntl
import itertools
import math
import os
import resource
import select as plain
import selectors as plain_selectors
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import hub
from hub import select, socket


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    os.close(read)
    os.close(write)


def test_select_what_is_ready_at_once(pipe: tuple[int, int]) -> None:
    read, write = pipe
    with hub.testing.assert_no_switch():
        assert select.select([read], [write], [], None) == ([], [write], [])
        assert select.select([read], [], [], 0) == ([], [], [])


def test_select_waits_and_others_run(pipe: tuple[int, int]) -> None:
    read, write = pipe
    waiting = [hub.spawn(select.select, [read], [], []) for _ in range(3)]
    hub.sleep(0.001)
    assert not any(greenlet.dead for greenlet in waiting)
    os.write(write, b"x")
    hub.joinall(waiting)
    assert [greenlet.value for greenlet in waiting] == [([read], [], [])] * 3
    assert select.select([read], [], [], 0.001)[0] == [read]
    os.read(read, 1)
    assert select.select([read], [], [], 0.001) == ([], [], [])


def test_select_on_a_socket_that_another_greenlet_reads() -> None:
    left, right = socket.socketpair()
    reading = hub.spawn(left.recv, 1)
    selecting = hub.spawn(select.select, [left], [], [])
    hub.sleep(0.001)
    right.sendall(b"ab")
    assert reading.get() == b"a"
    assert selecting.get()[0] == [left]
    left.close()
    right.close()


def test_select_returns_the_objects_it_was_given(tmp_path: Path) -> None:
    left, right = socket.socketpair()
    with (tmp_path / "regular").open("w+") as regular:
        assert select.select([regular, left], [right], [regular], 1) == (
            [regular],
            [right],
            [],
        )
    left.close()
    right.close()


def test_select_misuse() -> None:
    read, write = os.pipe()
    os.close(read)
    os.close(write)
    with pytest.raises(OSError, match="Bad file"):
        select.select([read], [], [], 1)
    with pytest.raises(ValueError, match="non-negative"):
        select.select([], [], [], -1)
    with pytest.raises(ValueError, match="negative"):
        select.select([-1], [], [])
    with pytest.raises((TypeError, AttributeError)):
        select.select(["x"], [], [])
    assert select.select([], [], [], 0.001) == ([], [], [])


def test_exceptional_condition() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        peer, _ = server.accept()
    waiting = hub.spawn(select.select, [], [], [client])
    hub.sleep(0.001)
    peer.send(b"!", socket.MSG_OOB)
    assert waiting.get()[2] == [client]
    client.close()
    peer.close()


def test_poll(pipe: tuple[int, int]) -> None:
    read, write = pipe
    poller = select.poll()
    poller.register(read, select.POLLIN)
    assert poller.poll(1) == []
    waiting = hub.spawn(poller.poll)
    hub.sleep(0.001)
    os.write(write, b"x")
    assert waiting.get() == [(read, select.POLLIN)]
    poller.modify(read, 0)
    assert poller.poll(0) == []
    poller.unregister(read)
    with pytest.raises(KeyError):
        poller.unregister(read)
    with pytest.raises(FileNotFoundError):
        poller.modify(read, 0)
    poller.register(write)
    assert poller.poll(-1) == [(write, select.POLLOUT)]


def test_epoll(pipe: tuple[int, int]) -> None:
    read, write = pipe
    with select.epoll() as poller:
        poller.register(read, select.EPOLLIN)
        assert poller.poll(0.001) == []
        waiting = hub.spawn(poller.poll)
        hub.sleep(0.001)
        os.write(write, b"x")
        assert waiting.get() == [(read, select.EPOLLIN)]
        poller.modify(read, select.EPOLLIN | select.EPOLLET)
        duplicate = select.epoll.fromfd(os.dup(poller.fileno()))
        assert duplicate.poll(-1, 1) == [(read, select.EPOLLIN)]
        duplicate.close()
        poller.unregister(read)
        assert not poller.closed
    assert poller.closed
    with pytest.raises(ValueError, match="closed"):
        poller.__enter__()


@pytest.mark.parametrize(
    "kind", [select.EpollSelector, select.PollSelector, select.SelectSelector]
)
def test_selectors(kind: type[plain_selectors.BaseSelector]) -> None:
    left, right = socket.socketpair()
    with kind() as selector:
        assert selector.select(0.001) == []
        key = selector.register(left, select.EVENT_READ, data="mine")
        selector.register(right, select.EVENT_READ)
        assert selector.select(0.001) == []
        waiting = hub.spawn(selector.select)
        hub.sleep(0.001)
        right.sendall(b"x")
        assert waiting.get() == [(key, select.EVENT_READ)]
        selector.modify(left, select.EVENT_WRITE)
        assert [events for _, events in selector.select()] == [select.EVENT_WRITE]
        selector.unregister(left)
        assert selector.select(-1) == []
    left.close()
    right.close()


def test_the_standard_names_are_there() -> None:
    assert select.POLLIN == plain.POLLIN
    assert select.EVENT_READ == plain_selectors.EVENT_READ
    assert select.DefaultSelector is select.EpollSelector
    with pytest.raises(AttributeError):
        select.no_such_thing  # noqa: B018


INT_MAX = 2**31 - 1


@pytest.mark.parametrize(
    "timeout",
    ["1", b"1", [], 1j, math.nan, math.inf, INT_MAX + 1, 2**64, 1e300, 0, 0.5, True],
)  # fmt: skip
def test_poll_takes_and_refuses_what_the_standard_library_does(timeout: Any) -> None:
    def outcome(poll: Any) -> object:
        try:
            return poll.poll(timeout)
        except Exception as error:
            return type(error)

    assert outcome(select.poll()) == outcome(plain.poll())


def test_a_poll_that_may_wait_lets_the_others_run_first(pipe: tuple[int, int]) -> None:
    poller = select.poll()
    poller.register(pipe[1], select.POLLOUT)
    other = hub.spawn(lambda: None)
    assert poller.poll(0) == [(pipe[1], select.POLLOUT)]
    assert not other.dead
    assert poller.poll() == [(pipe[1], select.POLLOUT)]
    assert other.dead


@pytest.mark.parametrize("timeout", [None, -1000, -1, -0.1, -1e-100])
def test_poll_without_limit(pipe: tuple[int, int], timeout: float | None) -> None:
    read, write = pipe
    poller = select.poll()
    poller.register(read, select.POLLIN)
    waiting = hub.spawn(poller.poll, timeout)
    hub.sleep(0.001)
    os.write(write, b"x")
    assert waiting.get() == [(read, select.POLLIN)]


def test_a_list_that_shrinks_meanwhile(pipe: tuple[int, int]) -> None:
    class Shrinking:
        def fileno(self) -> int:
            del things[-1]
            return pipe[1]

    things: list[Shrinking] = []
    things += [Shrinking()] * 10
    assert select.select([], things, []) == ([], things[:5], [])


def test_a_second_poll_of_one_object_is_refused() -> None:
    """Also with a descriptor that is ready: as in the standard library."""
    left, right = socket.socketpair()
    with left, right:
        poll = select.poll()
        poll.register(left, select.POLLIN)
        waiting = hub.spawn(poll.poll)
        hub.sleep(0)
        with pytest.raises(RuntimeError, match="concurrent poll"):
            poll.poll(0)
        right.sendall(b"x")
        assert waiting.get() == [(left.fileno(), select.POLLIN)]
        assert poll.poll(0) == [(left.fileno(), select.POLLIN)]


def test_nothing_of_a_wait_stays_in_the_poller(pipe: tuple[int, int]) -> None:
    poller: Any = hub.get_hub().loop.poller
    before = len(poller)
    waiting = [hub.spawn(select.select, [pipe[0]], [], []) for _ in range(2)]
    waiting.append(hub.spawn(select.select, [pipe[0]], [], [pipe[0]], 0.001))
    hub.sleep(0)
    assert len(poller) == before + 1
    hub.sleep(0.01)
    assert waiting[2].get() == ([], [], [])
    waiting[0].kill()
    os.write(pipe[1], b"x")
    assert waiting[1].get() == ([pipe[0]], [], [])
    assert len(poller) == before
    assert not poller.waited_for()


def test_what_hangs_up_is_no_exceptional_condition() -> None:
    """It was one that returned at once, with nothing."""
    read, write = os.pipe()
    os.close(write)
    turns = count_turns()
    started = hub.get_hub().loop.now()
    assert select.select([], [], [read], 0.02) == ([], [], [])
    assert hub.get_hub().loop.now() - started >= 0.02
    assert turns() < 10  # the loop sleeps meanwhile
    assert plain.select([], [], [read], 0) == ([], [], [])
    os.close(read)


def count_turns() -> Callable[[], int]:
    """Return a function: how many turns the loop has made since."""
    poller = hub.get_hub().loop.poller
    calls = itertools.count()
    real = poller.poll

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(poller, name)

        def poll(self, *args: Any) -> None:
            next(calls)
            real(*args)

    hub.get_hub().loop.poller = Counting()

    def end() -> int:
        hub.get_hub().loop.poller = poller
        return next(calls)

    return end


def test_a_regular_file_has_no_exceptional_condition(tmp_path: Path) -> None:
    """epoll refuses it (EPERM): it never changes."""
    with (tmp_path / "regular").open("w+") as regular:
        assert select.select([], [], [regular], 0.001) == ([], [], [])


def test_a_descriptor_that_is_closed_meanwhile_has_no_effect(
    pipe: tuple[int, int],
) -> None:
    """As on Linux itself; and whatever gets its number is watched as always."""
    left, right = socket.socketpair()
    hub.spawn(left.close)
    assert select.select([left], [], [], 0.001) == ([], [], [])

    copy = os.dup(pipe[0])
    waiting = hub.spawn(select.select, [copy, right], [], [])
    hub.sleep(0)
    os.close(copy)
    pair = socket.socketpair()
    assert copy in (end.fileno() for end in pair)
    for end in pair:
        with pytest.raises(hub.Timeout), hub.Timeout(0.001):
            end.recv(1)
    for end in pair:
        end.close()
    waiting.kill()
    right.close()


def test_one_descriptor_for_select_and_for_a_watcher(pipe: tuple[int, int]) -> None:
    """Each sees what is there, in any order of coming and leaving."""
    read, write = pipe
    called: list[str] = []

    def note(name: str) -> None:
        called.append(name)
        watcher.stop()

    with hub.get_hub().loop.io(read, 1) as watcher:
        watcher.start(note, "watcher")
        waiting = hub.spawn(select.select, [read], [], [])
        hub.sleep(0)
        os.write(write, b"x")
        assert waiting.get()[0] == [read]
        assert called == ["watcher"]
        os.read(read, 1)

        waiting = hub.spawn(select.select, [read], [], [], 0.001)
        hub.sleep(0)
        watcher.start(note, "again")
        assert waiting.get()[0] == []
        os.write(write, b"x")
        hub.sleep(0.001)
        assert called == ["watcher", "again"]


def test_a_socket_that_select_observed_first() -> None:
    """The number alone was given: the socket is registered later."""
    left, right = socket.socketpair()
    selecting = [hub.spawn(select.select, [left.fileno()], [], []) for _ in range(2)]
    hub.sleep(0)
    reading = hub.spawn(left.recv, 1)
    hub.sleep(0)
    selecting[0].kill()
    right.sendall(b"ab")
    assert reading.get() == b"a"
    assert selecting[1].get()[0] == [left.fileno()]
    assert left.recv(1) == b"b"
    reading = hub.spawn(left.recv, 1)
    hub.sleep(0)
    selecting = [hub.spawn(select.select, [left], [], []) for _ in range(2)]
    hub.sleep(0)
    right.sendall(b"c")
    assert reading.get() == b"c"
    right.close()
    assert [each.get()[0] for each in selecting] == [[left]] * 2
    left.close()


def test_a_socket_that_is_detached_is_still_observed() -> None:
    left, right = socket.socketpair()
    left.setblocking(False)
    with pytest.raises(BlockingIOError):
        left.recv(1)
    waiting = hub.spawn(select.select, [left.fileno()], [], [])
    hub.spawn(select.select, [left], [], [], 0.001).get()
    descriptor = left.detach()
    right.sendall(b"x")
    assert waiting.get()[0] == [descriptor]
    os.close(descriptor)
    right.close()


def test_two_greenlets_wait_for_one_epoll(pipe: tuple[int, int]) -> None:
    with select.epoll() as poller:
        poller.register(pipe[0], select.EPOLLIN)
        waiting = [hub.spawn(poller.poll) for _ in range(2)]
        hub.sleep(0)
        os.write(pipe[1], b"x")
        assert [each.get() for each in waiting] == [[(pipe[0], select.EPOLLIN)]] * 2


def test_a_descriptor_from_1024_on() -> None:
    left, right = socket.socketpair()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    far = fcntl.fcntl(left.fileno(), fcntl.F_DUPFD, 1500)
    try:
        assert select.select([far], [far], [far]) == ([], [far], [])
        waiting = hub.spawn(select.select, [far], [], [])
        hub.sleep(0)
        right.sendall(b"x")
        assert waiting.get() == ([far], [], [])
    finally:
        os.close(far)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with pytest.raises(OSError, match="Bad file"):
        select.select([far], [], [])
    left.close()
    right.close()
