"""The tree of errors.

There are two families, which differ in what they end:

    Failure            one URL fails; the crawl continues        code, stage, retry
    +-- NameFailure       dns_nxdomain dns_timeout dns_servfail
    +-- ConnectFailure    connect_refused connect_timeout connect_unreachable
    |                     blocked_address
    +-- TlsFailure        tls_verify tls_handshake
    +-- ExchangeFailure   read_timeout total_timeout reset protocol proxy
    +-- RedirectFailure   too_many_redirects redirect_loop
    +-- BodyFailure       decode too_large parse extract image_decode
    +-- StatusFailure     status_4xx status_5xx status_other rate_limited host_parked
    Stop               the program ends with an exit code
    +-- UsageError  2   +-- OutputError  3   +-- StateError  7
    +-- OutOfMemoryError  71   +-- LoginError  4, 5 or 6

The attributes of a class say what follows: `code` is the `error_code` of the record (a
closed list), `stage` is how far the request had got, and `retry` says whether a later
attempt at the same URL may succeed.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, ClassVar

from crawler.model.reasons import ErrorCode

if TYPE_CHECKING:
    from crawler.model.http import Response


class Failure(Exception):
    """One URL could not be fetched or used.

    Whether it is tried again is decided in `policy/retry.py`. `stage` and `retry`
    override those of the class, `status` is the HTTP status, `retry_after_s` the
    server's Retry-After (seconds).
    """

    code: ClassVar[ErrorCode]
    stage: ClassVar[str]
    retry: bool = True

    def __init__(
        self,
        message: str,
        *,
        stage: str | None = None,
        status: int | None = None,
        retry_after_s: float | None = None,
        retry: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        # A reset may happen while sending the request or while reading the body.
        self.at_stage = stage or self.stage
        self.status = status
        self.retry_after_s = retry_after_s
        if retry is not None:
            self.retry = retry
        self.wire_bytes = 0
        """Body bytes received before the failure; set by the client."""
        self.partial: Response | None = None
        """The response whose body broke off, as far as it came; set by the client."""


class NameFailure(Failure):
    """The host name could not be resolved (RFC 1034)."""

    stage = "dns"


class NameNotFound(NameFailure):
    code = "dns_nxdomain"
    retry = False


class NameTimeout(NameFailure):
    code = "dns_timeout"


class NameServerFailure(NameFailure):
    code = "dns_servfail"


class ConnectFailure(Failure):
    """No connection to any address of the host."""

    stage = "connect"


class ConnectRefused(ConnectFailure):
    code = "connect_refused"


class ConnectTimeout(ConnectFailure):
    code = "connect_timeout"


class ConnectUnreachable(ConnectFailure):
    code = "connect_unreachable"


class BlockedAddress(ConnectFailure):
    """The address guard denied the address, which is not a public one."""

    code = "blocked_address"
    retry = False


class TlsFailure(Failure):
    stage = "tls"


class TlsVerifyFailure(TlsFailure):
    code = "tls_verify"
    retry = False


class TlsHandshakeFailure(TlsFailure):
    code = "tls_handshake"


class ExchangeFailure(Failure):
    """The exchange of request and response broke off."""

    stage = "headers"


class ReadTimeout(ExchangeFailure):
    """The server sent no byte for the read timeout."""

    code = "read_timeout"


class TotalTimeout(ExchangeFailure):
    """The request exceeded its total timeout."""

    code = "total_timeout"


class ConnectionReset(ExchangeFailure):
    """The server closed or reset the connection before the response was complete."""

    code = "reset"


class ProtocolFailure(ExchangeFailure):
    """What the server sent is not HTTP/1.1 (RFC 9112), or its framing is in doubt."""

    code = "protocol"
    retry = False


class ProxyFailure(ExchangeFailure):
    code = "proxy"
    stage = "proxy"


class RedirectFailure(Failure):
    stage = "headers"
    retry = False


class TooManyRedirects(RedirectFailure):
    code = "too_many_redirects"


class RedirectLoop(RedirectFailure):
    code = "redirect_loop"


class BodyFailure(Failure):
    """The response is complete, but its body cannot be used."""

    stage = "body"
    retry = False


class DecodeFailure(BodyFailure):
    code = "decode"
    stage = "decode"


class TooLarge(BodyFailure):
    code = "too_large"


class ParseFailure(BodyFailure):
    code = "parse"
    stage = "parse"


class ExtractFailure(BodyFailure):
    code = "extract"
    stage = "extract"


class ImageDecodeFailure(BodyFailure):
    """The bytes are not an image in a known format."""

    code = "image_decode"
    stage = "extract"


class StatusFailure(Failure):
    """The status of the response is an error (RFC 9110 section 15)."""

    stage = "headers"


class ClientErrorStatus(StatusFailure):
    code = "status_4xx"
    retry = False


class ServerErrorStatus(StatusFailure):
    code = "status_5xx"


class OtherStatus(StatusFailure):
    """A status of no class: 600 to 999, which RFC 9110 section 15 calls invalid."""

    code = "status_other"


class RateLimited(StatusFailure):
    code = "rate_limited"


class HostParked(StatusFailure):
    """The host failed too often in a row; its URLs wait for a later run."""

    code = "host_parked"
    stage = "connect"
    retry = False


class Stop(Exception):
    """The program cannot continue; it ends with `exit_code`.

    Example:
        >>> from crawler import Stop, crawl
        >>> try:
        ...     records = crawl("https://example.com/", dir="out", resume=True)
        ... except Stop as stop:
        ...     print(stop.exit_code, stop)
        2 out holds no crawl; start one with `orbweb crawl URL`
    """

    exit_code: int = 1


class UsageError(Stop):
    """The command line or the configuration is invalid; nothing was started.

    Example:
        >>> from crawler import UsageError, crawl
        >>> try:
        ...     crawl("https://example.com/", max_pages=0)
        ... except UsageError as error:
        ...     print(error)
        max_pages: expected a whole number >= 1 (0); none means no limit, or no value
    """

    exit_code = 2


class OutputError(Stop):
    """Local I/O failed: the disk is full, or output or state cannot be written.

    Example:
        >>> from crawler import OutputError, crawl
        >>> try:
        ...     crawl("https://example.com/", dir="/dev/null/out")
        ... except OutputError as error:
        ...     print("cannot write:", error)  # doctest: +ELLIPSIS
        cannot write: ...
    """

    exit_code = 3


class StateError(Stop):
    """The state folder is locked, incompatible or damaged.

    Example:
        >>> from crawler import StateError, crawl
        >>> with crawl("https://example.com/", dir="out"):
        ...     try:
        ...         crawl(dir="out", resume=True)
        ...     except StateError:
        ...         print("another crawl is at work there")
        another crawl is at work there
    """

    exit_code = 7


class LoginError(Stop):
    """The login before a crawl failed; `exit_code` is 4 for network and 5 for TLS.

    Example:
        >>> from crawler import LoginError
        >>> LoginError("the same form came again").exit_code
        6
    """

    def __init__(self, message: str, exit_code: int = 6) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class OutOfMemoryError(Stop):
    """The process may have no more memory; nothing of the last batch is kept.

    The reason is mostly a limit, as of `ulimit -v` or of a container (EX_OSERR).

    Example:
        >>> from crawler import OutOfMemoryError
        >>> OutOfMemoryError.exit_code
        71
    """

    exit_code = 71

    def __init__(self) -> None:
        super().__init__(
            "out of memory; allow the process more (ulimit -v, or the limit of its "
            "service or container), or set a lower --concurrency or --max-body, "
            "then `orbweb resume`"
        )


_NO_MEMORY_TO_IMPORT = ("cannot allocate memory", "failed to map segment")
"""What the dynamic linker says (glibc, musl); Python makes an ImportError of it."""
_WITHOUT_EXCEPTION = ("error return without exception", "without setting an exception")
"""What Python says where its C code has no memory even for a MemoryError."""


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether a lack of memory is what `error` comes from.

    Libraries wrap what they catch, so its causes and contexts count.

    >>> is_out_of_memory(ValueError("a value"))
    False
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, MemoryError):
            return True
        if isinstance(error, OSError) and error.errno == errno.ENOMEM:
            return True
        if isinstance(error, SystemError):
            return any(words in str(error) for words in _WITHOUT_EXCEPTION)
        if isinstance(error, ImportError):
            text = str(error).lower()
            return any(words in text for words in _NO_MEMORY_TO_IMPORT)
        error = error.__cause__ or error.__context__
    return False


# What an exception of a plug-in is called. A plug-in may raise anything: an exception
# whose own text cannot be made, a text that UTF-8 cannot hold, one of megabytes, or
# the SystemExit of a library that was written for scripts. None of it ends a crawl.

PLUGIN_FAILURES = (Exception, SystemExit)
"""What counts as a failure of a plug-in.

The exceptions that end a greenlet, and KeyboardInterrupt, are not its own.
"""

MAX_TEXT = 1000
"""Characters of a plug-in's text that are kept in a record or a message."""


def short_text(text: str) -> str:
    """`text` as a record can hold it: cut at MAX_TEXT, lone surrogates replaced.

    >>> short_text("not \\ud800 this")
    'not ? this'
    """
    return text[:MAX_TEXT].encode(errors="replace").decode()


def failure_text(error: BaseException) -> str:
    """The class of `error` and its text.

    >>> failure_text(ValueError("no such price"))
    'ValueError: no such price'
    """
    name = type(error).__name__
    try:
        return short_text(f"{name}: {error}")
    except PLUGIN_FAILURES:
        return f"{name}: its text cannot be made"
