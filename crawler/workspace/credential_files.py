"""Opening a `SessionAuth` from credential files (cookies, .netrc), and writing it back.

Cookies are metadata of the store: they become durable with the record of the page that
set them, and a resume goes on with them. The file of `--cookies` is read where the
store has none of it yet: at the start, and on a resume if its content is another one.
Then its cookies replace those of the same name. The formats of the files are imported
for a crawl that names such a file.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from crawler.fetch.auth.credentials import Credentials, parse_credentials
from crawler.fetch.auth.session_auth import SessionAuth, trusted_origins
from crawler.fetch.cookies.cookie import Cookie
from crawler.fetch.cookies.jar import CookieJar
from crawler.model.errors import OutputError, UsageError
from crawler.model.http_config import HttpConfig
from crawler.model.metadata import COOKIE_FILE, COOKIES, KeyValue
from crawler.model.url import origin

MAX_FILE = 16 * 2**20


def open_session_auth(
    http: HttpConfig,
    seeds: Iterable[str],
    metadata: KeyValue,
    clock: Callable[[], float],
) -> SessionAuth:
    """The cookies and credentials of a crawl whose secrets are revealed.

    Raises UsageError if a file cannot be used.
    """
    jar = Path(http.cookie_jar).expanduser()
    if not jar.parent.is_dir():
        raise UsageError(
            f"{jar}: there is no folder {jar.parent} to write the cookies to"
        )
    return SessionAuth(
        open_jar(http.cookies, metadata, clock()),
        trusted_origins([origin(seed) for seed in seeds]),
        parse_credentials(http.auth) if http.auth else None,
        _netrc(http.netrc),
        clock,
        lambda: os.urandom(16).hex(),
        http.cookie_pairs,
    )


def open_jar(file: str, metadata: KeyValue, now: float) -> CookieJar:
    """The cookies of the metadata, and those of `file` if they are not among them yet.

    An empty `file` has none.
    """

    def keep(domain: str, cookies: list[Cookie]) -> None:
        metadata.set(
            COOKIES, domain, msgspec.msgpack.encode(cookies) if cookies else None
        )

    jar = CookieJar(keep)
    kept = [
        msgspec.msgpack.decode(value, type=list[Cookie])
        for _, value in metadata.items(COOKIES)
    ]
    if file:
        kept.append(_new_cookies(file, metadata))
    for cookies in kept:
        for cookie in cookies:
            jar.put(cookie, now)
    return jar


def _new_cookies(file: str, metadata: KeyValue) -> list[Cookie]:
    """The cookies of `file`; none if it is as it was when it was read last."""
    data = _read(file)
    digest = hashlib.sha256(data).digest()
    if metadata.get(COOKIE_FILE, "") == digest:
        return []
    metadata.set(COOKIE_FILE, "", digest)
    if data.lstrip()[:1] in (b"[", b"{"):
        from crawler.fetch.cookies.json_cookies import read_json_cookies

        return read_json_cookies(data, file)
    from crawler.fetch.cookies.netscape import read_netscape

    return read_netscape(data, file)


def write_jar(file: str, jar: CookieJar) -> None:
    """Write all cookies to `file`, readable by its owner only.

    An empty name writes nothing. Raises OutputError.
    """
    if not file:
        return
    from crawler.fetch.cookies.netscape import write_netscape

    path = Path(file).expanduser()
    draft = path.with_name(path.name + ".part")
    try:
        draft.unlink(missing_ok=True)  # of a run that was killed
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as out:
            out.write(write_netscape(jar))
        draft.replace(path)
    except OSError as error:
        raise OutputError(f"{file}: {error.strerror or error}") from error


def _netrc(file: str) -> dict[str, Credentials]:
    if not file:
        return {}
    from crawler.fetch.auth.netrc import read_netrc

    return read_netrc(_read(file).decode("utf-8", "replace"), file)


def _read(file: str) -> bytes:
    try:
        with Path(file).expanduser().open("rb") as data:
            content = data.read(MAX_FILE + 1)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}") from error
    if len(content) > MAX_FILE:
        raise UsageError(f"{file}: larger than {MAX_FILE} bytes")
    return content
