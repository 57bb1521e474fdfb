"""The cooperative version of the standard library's ``socket`` module.

The calls that wait are ours (socketobject.py, and the functions here); every other name
is looked up in the standard library when it is first used.
"""

import errno
import socket as _standard
from inspect import signature
from typing import Any

from hub.current import get_hub
from hub.hub import Waitable
from hub.resolver import network_of
from hub.socketfile import SocketFile
from hub.socketobject import Address, wrap_socket
from hub.socketobject import socket as socket  # the name is exported
from hub.timeout import Timeout

# The originals, also while they are patched.
_fromfd = _standard.fromfd
_gethostbyaddr = _standard.gethostbyaddr
_gethostbyname_ex = _standard.gethostbyname_ex
_getnameinfo = _standard.getnameinfo
_socketpair = _standard.socketpair

SocketIO = SocketFile
SocketType = socket

_GLOBAL_TIMEOUT: Any = (
    signature(_standard.create_connection).parameters["timeout"].default
)
"""The standard library's mark for "use `getdefaulttimeout`"; http.client passes it."""


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    value = globals()[name] = getattr(_standard, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_standard.__all__})


# -- names and addresses ---------------------------------------------------------------


def getaddrinfo(
    host: str | bytes | None,
    port: str | bytes | int | None,
    family: int = 0,
    type: int = 0,
    proto: int = 0,
    flags: int = 0,
) -> list[Any]:
    """As the standard library's; names are looked up in threads, and cached."""
    return network_of(get_hub()).resolver.getaddrinfo(
        host, port, family, type, proto, flags
    )


def gethostbyname(hostname: str) -> str:
    """Return the first IPv4 address of ``hostname``."""
    found = getaddrinfo(hostname, None, _standard.AF_INET, _standard.SOCK_STREAM)
    address: str = found[0][4][0]
    return address


def gethostbyname_ex(hostname: str) -> tuple[str, list[str], list[str]]:
    """Return (name, aliases, IPv4 addresses) of ``hostname``."""
    return network_of(get_hub()).resolver.call(_gethostbyname_ex, hostname)


def gethostbyaddr(ip_address: str) -> tuple[str, list[str], list[str]]:
    """Return (name, aliases, addresses) of an address."""
    return network_of(get_hub()).resolver.call(_gethostbyaddr, ip_address)


def getnameinfo(sockaddr: Any, flags: int) -> tuple[str, str]:
    """Return (host, service) of an address."""
    return network_of(get_hub()).resolver.call(_getnameinfo, sockaddr, flags)


def getfqdn(name: str = "") -> str:
    """Return the fully qualified name of ``name``, or of this machine."""
    name = name.strip()
    if name in ("", "0.0.0.0", "::"):
        name = _standard.gethostname()
    try:
        first, aliases, _ = gethostbyaddr(name)
    except OSError:
        return name
    return next((found for found in (first, *aliases) if "." in found), first)


# -- making sockets --------------------------------------------------------------------


def socketpair(
    family: int | None = None, type: int = 1, proto: int = 0
) -> tuple[socket, socket]:
    """Make two connected sockets."""
    left, right = _socketpair(family, type, proto)
    return wrap_socket(left), wrap_socket(right)


def fromfd(fd: int, family: int, type: int, proto: int = 0) -> socket:
    """Make a socket on a duplicate of descriptor ``fd``."""
    return wrap_socket(_fromfd(fd, family, type, proto))


def create_connection(
    address: Address,
    timeout: float | None = _GLOBAL_TIMEOUT,
    source_address: Address | None = None,
    *,
    all_errors: bool = False,
) -> socket:
    """Connect by TCP to the first address of ``address`` (host, port) that accepts.

    ``timeout`` is for each attempt (s). Raises the last OSError, or with ``all_errors``
    an ExceptionGroup of all.
    """
    host, port = address[:2]
    errors: list[OSError] = []
    for family, kind, proto, _, target in getaddrinfo(
        host, port, 0, _standard.SOCK_STREAM
    ):
        sock = socket(family, kind, proto)
        try:
            if timeout is not _GLOBAL_TIMEOUT:
                sock.settimeout(timeout)
            if source_address:
                sock.bind(source_address)
            sock.connect(target)
            return sock
        except OSError as error:
            errors.append(error)
            sock.close()
        except BaseException:
            sock.close()
            raise
    if not errors:
        raise OSError("getaddrinfo returned no address")
    try:
        if all_errors:
            raise ExceptionGroup("create_connection failed", errors)
        raise errors[-1]
    finally:
        errors.clear()  # an error in its own traceback's locals is a cycle


def create_server(
    address: Address,
    *,
    family: int = _standard.AF_INET,
    backlog: int | None = None,
    reuse_port: bool = False,
    dualstack_ipv6: bool = False,
) -> socket:
    """Make a listening socket, as the standard library's."""
    if dualstack_ipv6 and not (
        _standard.has_dualstack_ipv6() and family == _standard.AF_INET6
    ):
        raise ValueError("dualstack_ipv6 needs AF_INET6, and a platform that has it")
    server = socket(family, _standard.SOCK_STREAM)
    try:
        server.setsockopt(_standard.SOL_SOCKET, _standard.SO_REUSEADDR, 1)
        if reuse_port:
            server.setsockopt(_standard.SOL_SOCKET, _standard.SO_REUSEPORT, 1)
        if family == _standard.AF_INET6:
            only_v6 = 0 if dualstack_ipv6 else 1
            server.setsockopt(_standard.IPPROTO_IPV6, _standard.IPV6_V6ONLY, only_v6)
        server.bind(address)
        server.listen(*([] if backlog is None else [backlog]))
    except BaseException:
        server.close()
        raise
    return server


# -- waiting for any descriptor --------------------------------------------------------


def _wait(
    fd: int, events: int, timeout: float | None, timeout_exc: BaseException | None
) -> None:
    with get_hub().loop.io(fd, events) as watcher:
        wait(watcher, timeout, timeout_exc)


def wait(
    io: Waitable, timeout: float | None = None, timeout_exc: BaseException | None = None
) -> None:
    """Wait for the watcher ``io``.

    Raises ``timeout_exc`` (default: TimeoutError) after ``timeout`` seconds.
    """
    error = TimeoutError("timed out") if timeout_exc is None else timeout_exc
    with Timeout(timeout, error):  # its start may wait, too
        get_hub().wait_for_watcher(io)


def wait_read(
    fileno: int, timeout: float | None = None, timeout_exc: BaseException | None = None
) -> None:
    """Wait until ``fileno`` can be read. See `wait` for the other arguments."""
    _wait(fileno, 1, timeout, timeout_exc)


def wait_write(
    fileno: int, timeout: float | None = None, timeout_exc: BaseException | None = None
) -> None:
    """Wait until ``fileno`` can be written. See `wait` for the other arguments."""
    _wait(fileno, 2, timeout, timeout_exc)


def wait_readwrite(
    fileno: int, timeout: float | None = None, timeout_exc: BaseException | None = None
) -> None:
    """Wait until ``fileno`` can be read or written. See `wait` for the others."""
    _wait(fileno, 3, timeout, timeout_exc)


def cancel_wait(watcher: Any, error: OSError | None = None) -> None:
    """Raise ``error`` (default: EBADF) in the greenlet that waits for ``watcher``."""
    default = OSError(errno.EBADF, "file descriptor was closed in another greenlet")
    get_hub().cancel_wait(watcher, default if error is None else error)


__all__ = [
    *_standard.__all__,
    "cancel_wait",
    "wait",
    "wait_read",
    "wait_readwrite",
    "wait_write",
]
