"""Clients that are written for the standard library wait cooperatively when patched."""

import concurrent.futures
import contextlib
import ftplib
import http.client
import http.server
import os
import queue
import select
import selectors
import smtplib
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
import types
import urllib.request
from collections.abc import Callable, Iterator
from time import sleep
from typing import Any

import pytest

import hub
from hub.threadpool import ThreadPool

trustme = pytest.importorskip("trustme")

CA = trustme.CA()
CERTIFICATE = CA.issue_cert("localhost")
WAIT = 0.05  # seconds that each server lets its client wait


class Ticker:
    """Counts the turns that another greenlet has."""

    def __init__(self) -> None:
        self.ticks = 0

    def _run(self) -> None:
        while True:
            self.ticks += 1
            hub.sleep(0.001)

    def __enter__(self) -> "Ticker":
        self._greenlet = hub.spawn(self._run)
        return self

    def __exit__(self, *exc: object) -> None:
        self._greenlet.kill()


@contextlib.contextmanager
def others_run() -> Iterator[None]:
    """Fails unless other greenlets ran inside."""
    with Ticker() as ticker:
        yield
        # One before it began; a machine with much to do gives few more.
        assert ticker.ticks > 1, "the loop was blocked"


@pytest.fixture
def server() -> Iterator[Callable[..., tuple[str, int]]]:
    """Starts a plain, blocking server in a native thread; one connection each."""
    threads = []

    def start(
        talk: Callable[[Any], object], context: ssl.SSLContext | None = None
    ) -> tuple[str, int]:
        listener = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            with listener:
                connection, _ = listener.accept()
                if context is not None:
                    connection = context.wrap_socket(connection, server_side=True)
                with connection:
                    time.sleep(WAIT)
                    talk(connection)

        thread = threading.Thread(target=serve)
        threads.append(thread)
        address = listener.getsockname()
        thread.start()
        return "localhost", address[1]

    yield start
    for thread in threads:
        thread.join(60)


def answer(connection: Any) -> None:
    while b"\r\n\r\n" not in connection.recv(10_000):
        pass
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    time.sleep(WAIT)
    connection.sendall(b"hello")


def tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CERTIFICATE.configure_cert(context)
    return context


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    CA.configure_trust(context)
    return context


def test_urllib(server: Callable[..., tuple[str, int]]) -> None:
    host, port = server(answer)
    with hub.patched("socket"), others_run():
        assert urllib.request.urlopen(f"http://{host}:{port}/").read() == b"hello"


@pytest.mark.parametrize("made", ["before", "inside"])
def test_urllib_with_tls(server: Callable[..., tuple[str, int]], made: str) -> None:
    """Also with a context of the standard library that was made before."""
    host, port = server(answer, tls())
    context = trusting() if made == "before" else None
    with hub.patched("socket", "ssl"), others_run():
        url = f"https://{host}:{port}/"
        context = context or trusting()
        assert urllib.request.urlopen(url, context=context).read() == b"hello"


def test_http_client_keeps_a_connection(
    server: Callable[..., tuple[str, int]],
) -> None:
    def twice(connection: Any) -> None:
        answer(connection)
        answer(connection)

    host, port = server(twice)
    with hub.patched("socket"), others_run():
        client = http.client.HTTPConnection(host, port, timeout=60)
        for _ in range(2):
            client.request("GET", "/")
            assert client.getresponse().read() == b"hello"
        client.close()


def test_a_timeout_of_a_standard_client(
    server: Callable[..., tuple[str, int]],
) -> None:
    host, port = server(lambda connection: connection.recv(1000))
    with hub.patched("socket"):
        client = http.client.HTTPConnection(host, port, timeout=0.01)
        client.request("GET", "/")
        with pytest.raises(TimeoutError):
            client.getresponse()
        client.close()


def test_smtp_and_ftp(server: Callable[..., tuple[str, int]]) -> None:
    def mail(connection: Any) -> None:
        connection.sendall(b"220 hello\r\n")
        while line := connection.recv(1000):
            time.sleep(WAIT)
            if b"QUIT" in line.upper():
                connection.sendall(b"221 bye\r\n")
                return
            connection.sendall(b"250 fine\r\n")

    host, port = server(mail)
    with hub.patched("socket"), others_run(), smtplib.SMTP(host, port) as smtp:
        assert smtp.noop()[0] == 250

    def files(connection: Any) -> None:
        connection.sendall(b"220 hello\r\n")
        connection.recv(1000)
        time.sleep(WAIT)
        connection.sendall(b"221 bye\r\n")

    host, port = server(files)
    with hub.patched("socket"), others_run(), ftplib.FTP() as ftp:
        ftp.connect(host, port, timeout=60)


def test_time() -> None:
    with hub.patched("time"):
        with others_run():
            time.sleep(WAIT)
        with others_run():
            sleep(WAIT)


def test_sleep_refuses_what_the_standard_library_does() -> None:
    with hub.patched("time"):
        with pytest.raises(ValueError, match="negative"):
            time.sleep(-1)
        with pytest.raises(TypeError):
            time.sleep("1")  # type: ignore[arg-type]


def test_select_and_selectors() -> None:
    left, right = socket.socketpair()
    with left, right, hub.patched("select"):
        with others_run():
            assert select.select([left], [], [], WAIT) == ([], [], [])
        with others_run():
            poll = select.poll()
            poll.register(left, select.POLLIN)
            assert poll.poll(WAIT * 1000) == []
        for kind in (selectors.DefaultSelector, selectors.SelectSelector):
            with others_run(), kind() as selector:
                selector.register(left, selectors.EVENT_READ)
                assert selector.select(WAIT) == []
        with others_run(), select.epoll() as epoll:
            epoll.register(left, select.EPOLLIN)
            assert epoll.poll(WAIT) == []


def test_locks_and_conditions() -> None:
    with hub.patched("threading"):
        lock, condition = threading.Lock(), threading.Condition()
        event, semaphore = threading.Event(), threading.Semaphore(0)
        barrier, rlock = threading.Barrier(2), threading.RLock()
        order: list[str] = []

        def other() -> None:
            with lock, rlock:
                hub.sleep(WAIT)
                order.append("lock")
            with condition:
                condition.notify_all()
            event.set()
            semaphore.release()
            barrier.wait()

        hub.spawn(other)
        hub.sleep(0)
        with others_run():
            assert not lock.acquire(timeout=0.001)
            assert not rlock.acquire(blocking=False)
            with condition:
                assert condition.wait(60)
            with lock, rlock, rlock:
                order.append("mine")
            assert event.wait(60)
            assert semaphore.acquire(timeout=60)
            barrier.wait(60)
        assert order == ["lock", "mine"]
        with pytest.raises(RuntimeError):
            lock.release()
        with pytest.raises(RuntimeError):
            condition.notify()


def test_threads_are_greenlets() -> None:
    seen: list[Any] = []

    with hub.patched("threading", "time"), others_run():

        class Worker(threading.Thread):
            def run(self) -> None:
                time.sleep(WAIT)
                seen.append((threading.current_thread(), threading.get_ident()))

        worker = Worker(name="worker", daemon=True)
        assert isinstance(worker, threading.Thread)
        assert not worker.is_alive()
        with pytest.raises(RuntimeError):
            worker.join()
        worker.start()
        assert worker in threading.enumerate()
        with pytest.raises(RuntimeError):
            worker.start()
        worker.join(0.001)
        assert worker.is_alive()
        worker.join()
    assert seen == [(worker, worker.ident)]
    assert not worker.is_alive()
    assert threading.get_ident() != worker.ident


def test_a_class_derived_from_thread_before_is_native() -> None:
    seen: list[Any] = []

    class Worker(threading.Thread):
        def run(self) -> None:
            time.sleep(WAIT)
            seen.append((threading.current_thread(), threading.get_native_id()))

    with hub.patched("threading", "time"):
        worker = Worker()
        worker.start()
        with others_run():
            worker.join()
        assert isinstance(worker, threading.Thread)
    assert seen == [(worker, worker.native_id)]
    assert worker.native_id != threading.get_native_id()


def test_an_error_of_a_thread_goes_to_the_hook(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caught: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", caught.append)
    with hub.patched("threading"):
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
        leaving = threading.Thread(target=sys.exit)
        leaving.start()
        leaving.join()
    assert caught[0].exc_type is ZeroDivisionError
    assert caught[0].thread is thread
    assert caught[1].exc_type is SystemExit, "which threading's own hook ignores"


def test_a_thread_outlives_the_scope_that_started_it() -> None:
    """A library may start its worker within the deadline of a caller."""
    done: list[int] = []

    def work() -> None:
        hub.sleep(0.01)
        done.append(1)

    with hub.patched("threading"):
        with hub.CancelScope() as scope:
            thread = threading.Thread(target=work)
            thread.start()
            scope.cancel()
        thread.join()
    assert done == [1]


def test_timer_and_local() -> None:
    with hub.patched("threading"):
        called, local = threading.Event(), threading.local()
        local.value = 1
        seen: list[bool] = []
        hub.spawn(lambda: seen.append(hasattr(local, "value"))).join()
        threading.Timer(0.01, called.set).start()
        never = threading.Timer(60, seen.append, [True])
        never.start()
        never.cancel()
        never.join()
        assert called.wait(60)
    assert seen == [False]


def test_queues_and_executors() -> None:
    with hub.patched("queue", "time"):
        for kind in (queue.Queue, queue.SimpleQueue, queue.LifoQueue):
            items: Any = kind()
            hub.spawn_later(WAIT, items.put, "item")
            with others_run():
                assert items.get(timeout=60) == "item"
            with pytest.raises(queue.Empty):
                items.get(timeout=0.001)
        together = threading.Barrier(4)  # breaks unless all four run at once

        def work(seconds: float) -> None:
            together.wait(60)
            time.sleep(seconds)

        with others_run(), concurrent.futures.ThreadPoolExecutor(4) as executor:
            assert list(executor.map(work, [WAIT] * 4)) == [None] * 4


def test_locks_between_native_threads_and_greenlets() -> None:
    """Fifty increments each, of a number that a lock protects."""
    with hub.patched("threading"):
        lock, total = threading.Lock(), [0]

    def add() -> None:
        for _ in range(50):
            with lock:
                before = total[0]
                if hub.current.get_hub_if_any() is None:
                    time.sleep(0)
                else:
                    hub.sleep(0)
                total[0] = before + 1

    native = [threading.Thread(target=add) for _ in range(3)]
    for thread in native:
        thread.start()
    greenlets = [hub.spawn(add) for _ in range(3)]
    with others_run():
        hub.joinall(greenlets)
        while any(thread.is_alive() for thread in native):
            hub.sleep(0.001)
        hub.sleep(0.01)
    assert total == [300]


def test_a_killed_waiter_does_not_keep_a_lock() -> None:
    with hub.patched("threading"):
        lock, condition = threading.Lock(), threading.Condition()
    lock.acquire()
    waiting = [hub.spawn(lock.acquire) for _ in range(2)]
    hub.sleep(0)
    waiting[0].kill(block=False)
    lock.release()  # it is the first's, which will not take it
    assert waiting[1].get(timeout=60) is True
    lock.release()
    assert not lock.locked()

    def wait() -> bool:
        with condition:
            return condition.wait()

    waiting = [hub.spawn(wait) for _ in range(2)]
    hub.sleep(0)
    waiting[0].kill(block=False)
    with condition:
        condition.notify()
    assert waiting[1].get(timeout=60) is True


def test_subprocess() -> None:
    code = f"import time; time.sleep({WAIT}); print('done')"
    with hub.patched("subprocess"):
        with others_run():
            done = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True
            )
            assert (done.returncode, done.stdout) == (0, "done\n")
        silent = [sys.executable, "-c", f"import time; time.sleep({WAIT})"]
        with others_run(), subprocess.Popen(silent) as child:
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(0.001)
            assert child.wait() == 0
        sleeper = [sys.executable, "-c", "import time; time.sleep(1000)"]
        with pytest.raises(hub.Timeout), hub.Timeout(WAIT):
            subprocess.run(sleeper)
        with pytest.raises(subprocess.TimeoutExpired):
            subprocess.run(sleeper, timeout=WAIT)


def test_a_server_of_the_standard_library() -> None:
    """``socketserver`` has imported its selector before, by another name."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(WAIT)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with hub.patch_all() as patch:
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            serving = threading.Thread(target=server.serve_forever)
            serving.start()
            url = f"http://127.0.0.1:{server.server_address[1]}/"
            started = time.monotonic()
            jobs = [
                hub.spawn(lambda: urllib.request.urlopen(url).read()) for _ in range(5)
            ]
            assert [job.get() for job in jobs] == [b"ok"] * 5
            assert time.monotonic() - started < 5 * WAIT
            server.shutdown()
            serving.join()
        patch.undo()


# -- what is replaced, and taken back --------------------------------------------------

NAMES = {
    "socket": [(socket, "socket"), (socket, "create_connection"),
               (socket, "getaddrinfo"), (ssl, "create_connection")],
    "ssl": [(ssl.SSLContext, "wrap_socket")],
    "select": [(select, "select"), (select, "epoll"), (selectors, "DefaultSelector"),
               (socketserver, "_ServerSelector")],
    "selectors": [(selectors, "PollSelector")],
    "threading": [(threading, "Lock"), (threading, "Thread"), (threading, "local")],
    "queue": [(queue, "SimpleQueue"), (threading, "Lock")],
    "subprocess": [(subprocess, "Popen")],
    "time": [(time, "sleep"), (sys.modules[__name__], "sleep")],
}  # fmt: skip


def values(name: str) -> list[Any]:
    return [vars(owner)[attribute] for owner, attribute in NAMES[name]]


@pytest.mark.parametrize("name", hub.patch.MODULES)
def test_it_is_taken_back(name: str) -> None:
    before = values(name)
    with hub.patched(name):
        assert all(a is not b for a, b in zip(before, values(name), strict=True))
    assert all(a is b for a, b in zip(before, values(name), strict=True))
    with pytest.raises(ZeroDivisionError), hub.patched(name):
        raise ZeroDivisionError
    assert all(a is b for a, b in zip(before, values(name), strict=True))


def test_blocks_may_be_nested_and_overlap() -> None:
    original = time.sleep
    outer, inner = hub.patched("time"), hub.patched("time", "socket")
    outer.apply()
    inner.apply()
    ours = time.sleep
    outer.undo()
    outer.undo()
    assert time.sleep is ours is not original
    inner.undo()
    assert time.sleep is original


def test_names_are_replaced_in_modules_that_imported_them() -> None:
    early, late = types.ModuleType("early"), types.ModuleType("late")
    early.sleep, early.kept = time.sleep, time.sleep  # type: ignore[attr-defined]
    sys.modules |= {"early": early, "late": late}
    try:
        with hub.patched("time"):
            assert early.sleep is time.sleep
            assert early.kept is not time.sleep, "another name: on purpose"
            late.my_sleep = time.sleep  # type: ignore[attr-defined]
        assert early.sleep is time.sleep
        assert late.my_sleep is time.sleep
    finally:
        del sys.modules["early"], sys.modules["late"]


def test_the_change_of_another_is_kept() -> None:
    original = time.sleep
    try:
        with hub.patched("time"):
            time.sleep = other = lambda seconds: None
        assert time.sleep is other
    finally:
        time.sleep = original


def test_native_threads_keep_the_standard_library() -> None:
    with hub.patch_all() as patch:

        def look() -> tuple[Any, ...]:
            with socket.socket() as sock:
                time.sleep(0)
                return (
                    type(sock), type(selectors.DefaultSelector()),
                    type(threading.Thread()), hub.current.get_hub_if_any(),
                )  # fmt: skip

        kinds = ThreadPool(1).apply(look)
        with socket.socket() as ours:
            assert isinstance(ours, hub.socket.socket)
        patch.undo()
        assert kinds == (
            socket.socket, selectors.DefaultSelector, threading.Thread, None
        )  # fmt: skip


def test_instances_of_both_kinds() -> None:
    plain = socket.socket()
    with hub.patched("socket"):
        ours = socket.socket()
        assert isinstance(plain, socket.socket)
        assert isinstance(ours, socket.socket)
        assert not isinstance(plain, hub.socket.socket)
        left, right = socket.socketpair()
        right.sendall(b"x")
        with others_run():
            hub.spawn_later(WAIT, right.sendall, b"y")
            assert (left.recv(1), left.recv(1)) == (b"x", b"y")
    for sock in (plain, ours, left, right):
        sock.close()


def test_abstract_base_classes_answer() -> None:
    """They ask each of their subclasses, those of the patch among them."""
    with hub.patched("select"):
        assert not isinstance(3, selectors.BaseSelector)
        assert not issubclass(int, selectors.DefaultSelector)
        with selectors.DefaultSelector() as selector:
            assert isinstance(selector, selectors.BaseSelector)
            assert isinstance(selector, selectors.DefaultSelector)


def test_accepting_on_either_kind_of_listener() -> None:
    with hub.patched("socket"):
        listener = socket.create_server(("127.0.0.1", 0))
        with listener, socket.create_connection(listener.getsockname()) as client:
            accepted, _ = listener.accept()
            with accepted:
                assert isinstance(accepted, hub.socket.socket)
                client.sendall(b"a")
                assert accepted.recv(1) == b"a"


def test_asyncio_in_its_own_thread_is_left_alone(
    server: Callable[..., tuple[str, int]],
) -> None:
    import asyncio

    async def fetch(address: tuple[str, int]) -> bytes:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        text = await reader.read()
        writer.close()
        return text

    address = server(answer)
    with hub.patch_all() as patch, others_run():
        text = ThreadPool(1).apply(asyncio.run, (fetch(address),))
        patch.undo()
    assert text.endswith(b"hello")


def test_the_hub_itself_works_while_all_is_patched() -> None:
    with hub.patch_all():
        assert hub.socket.getaddrinfo("localhost", 80)
        with hub.testing.fresh_hub():
            hub.sleep(0.001)
        with hub.threadpool.ThreadPoolExecutor(2) as executor:
            futures = [executor.submit(abs, -n) for n in range(5)]
            found = {f.result() for f in concurrent.futures.as_completed(futures)}
            assert found == set(range(5))
        reports: list[str] = []
        with hub.debug.Watchdog(0.01, reports.append):
            deadline = time.monotonic() + 60
            while not reports and time.monotonic() < deadline:
                pass
        assert reports, "the watchdog has a native thread"
        with hub.Nursery() as nursery:
            nursery.spawn(hub.sleep, 0)


def test_unknown_modules_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'signal'.*socket, ssl, select"):
        hub.patched("socket", "signal")
    with pytest.raises(ValueError, match="nothing"):
        hub.patched()
    assert "socket" in repr(hub.patched("socket"))


def test_threads_that_are_no_daemons_are_joined_at_the_end() -> None:
    code = (
        "import hub, threading, time\n"
        "hub.patch_all()\n"
        "def late(): time.sleep(0.05); print('late')\n"
        "threading.Thread(target=late).start()\n"
        "threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "late\n", "")
