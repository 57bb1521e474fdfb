"""Starts the processes of a crawl: another process that has loaded their code forks.

The code of a process takes 0.17 s of CPU time to load, which is a twentieth of a crawl
of 10,000 pages. So the launcher loads it once, while the parent loads its own, and each
process is a fork of it. The launcher has neither a hub nor a thread, opens nothing, and
hears nothing of the crawl: a fork copies code and no state.

The parent asks by a message at the socket `requests`, which brings the ends of four
sockets: what parent and process tell each other, the stdout of the process, its log,
and its exit code, which the launcher writes there, since only it can wait for its
children. The launcher ends with the parent. If it is killed, its processes go on; the
exit codes that are missing then count as kills, and the parent starts another launcher
when it needs one.

This module imports little, so that a command starts the launcher early.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import struct
import subprocess  # nosec B404  # runs our own module
import sys
from contextlib import closing

_PROGRAM = (
    "import gc, sys; gc.set_threshold(int(sys.argv[1])); sys.path[:] = sys.argv[3:];"
    "from crawler.fleet import launcher, worker;"
    "worker.begin(*launcher.launched(int(sys.argv[2])))"
)
"""Its arguments: objects before a collection, the socket, and `sys.path`."""
_SOCKETS = 4
_WITH_STDOUT = b"o"
_WITHOUT_STDOUT = b"-"
_EXIT_CODE = struct.Struct("i")
EXIT_CODE_BYTES = _EXIT_CODE.size
_STDOUT = 1


class StartedProcess:
    """The sockets to a process that has no settings yet (`worker.begin`)."""

    def __init__(self) -> None:
        pairs = [socket.socketpair() for _ in range(_SOCKETS)]
        self.socket, self.stdout, self.log, self.exit = (ours for ours, _ in pairs)
        self.theirs = [theirs for _, theirs in pairs]
        """The other ends, in the same order."""


class Launcher:
    """Starts processes. `close` does not end them; without it the launcher stays."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._requests, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with theirs:
            self._popen = subprocess.Popen(  # nosec B603
                self._command(theirs.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                process_group=0,  # not the terminal's: Ctrl-C is for the parent
            )

    @property
    def pid(self) -> int:
        """The launcher's own process."""
        return self._popen.pid

    def _command(self, descriptor: int) -> list[str]:
        """With -P the current folder is not searched for modules."""
        young_objects = str(gc.get_threshold()[0])
        given = (young_objects, str(descriptor), *sys.path)
        return [sys.executable, "-P", "-c", _PROGRAM, *given]

    def start(self, *, has_stdout: bool) -> StartedProcess:
        """Start a process. `has_stdout`: it may write there, which the parent reads."""
        started = StartedProcess()
        try:
            self._ask(started, has_stdout)
        except (BrokenPipeError, ConnectionResetError):  # it was killed
            self.close()
            self._begin()
            self._ask(started, has_stdout)
        for one in started.theirs:
            one.close()
        return started

    def _ask(self, started: StartedProcess, has_stdout: bool) -> None:
        request = _WITH_STDOUT if has_stdout else _WITHOUT_STDOUT
        descriptors = [one.fileno() for one in started.theirs]
        socket.send_fds(self._requests, [request], descriptors)

    def close(self) -> None:
        """Start no process any more, and learn no exit code."""
        self._requests.close()
        self._popen.kill()  # it has nothing that it could lose
        self._popen.wait()


def exit_code(content: bytes) -> int:
    """What came at the socket `exit`, as `Popen.returncode`; killed if it is cut."""
    if len(content) < EXIT_CODE_BYTES:
        return -signal.SIGKILL
    code: int = _EXIT_CODE.unpack(content)[0]
    return code


def launched(descriptor: int) -> tuple[int, int]:
    """Be the launcher, which does not return.

    Returns in each process: the descriptors of its socket and of its log.
    """
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)  # it ends with the parent
    gc.freeze()  # no collection in a process touches, and so copies, what is loaded
    with socket.socket(fileno=descriptor) as requests, _Children() as children:
        while True:
            sources = (descriptor, children.fileno())
            ready, _, _ = select.select(sources, (), ())
            if children.fileno() in ready:
                children.tell_exits()
            if descriptor not in ready:
                continue
            request, sockets, _, _ = socket.recv_fds(
                requests, len(_WITH_STDOUT), _SOCKETS, socket.MSG_CMSG_CLOEXEC
            )
            if not request:
                os._exit(0)
            own, stdout, log, exit_socket = sockets
            if children.fork(exit_socket):
                for one in (own, stdout, log):
                    os.close(one)
                continue
            if request == _WITH_STDOUT:
                os.dup2(stdout, _STDOUT)
            os.close(stdout)
            break
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return own, log


class _Children:
    """The processes of a launcher."""

    def __init__(self) -> None:
        self._ended, self._wakeup = socket.socketpair()
        for one in (self._ended, self._wakeup):
            one.setblocking(False)
        self._exits: dict[int, int] = {}
        """By process: the socket for its exit code."""

    def __enter__(self) -> _Children:
        signal.signal(signal.SIGCHLD, lambda *_: None)  # otherwise none is reported
        signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._ended.close()
        self._wakeup.close()
        for one in self._exits.values():
            os.close(one)

    def fileno(self) -> int:
        """Readable when one of them may have ended."""
        return self._ended.fileno()

    def fork(self, exit_socket: int) -> bool:
        """Whether this is the launcher still."""
        try:
            pid = os.fork()
        except OSError as error:  # as if it had been killed: the parent tries again
            print(f"orbweb: no process can be started: {error}", file=sys.stderr)
            os.close(exit_socket)
            return True
        if pid:
            self._exits[pid] = exit_socket
        else:
            os.close(exit_socket)
        return pid != 0

    def tell_exits(self) -> None:
        """Tell the exit codes of those that have ended."""
        self._ended.recv(4096)
        while self._exits:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            with closing(socket.socket(fileno=self._exits.pop(pid))) as one:
                try:
                    one.send(_EXIT_CODE.pack(os.waitstatus_to_exitcode(status)))
                except OSError:
                    continue  # the parent does not want to know
