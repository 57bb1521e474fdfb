"""A bucket of object storage, by obstore, whose errors become sentences.

Credentials and endpoints are those of the environment (AWS_*, GOOGLE_*, AZURE_*), which
obstore reads itself; nothing of them is kept. What it says of an error is cut behind
the status, since the rest repeats the request.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from crawler.model.errors import OutputError, UsageError
from crawler.output.sink import refused

MAX_RETRIES = 3
"""Retries of one request, for 5xx and lost connections; the uploader has its own."""
CHUNK = 8 * 2**20
"""Bytes of a large object that are sent at once; some of them are in memory."""
_MAX_CHUNKS = 9_000

_RETRY: Any = {
    "max_retries": MAX_RETRIES,
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=5),
        "base": 2,
    },
    "retry_timeout": timedelta(seconds=60),
}
_CLIENT: Any = {"connect_timeout": "10s", "timeout": "300s"}
_ALLOW_HTTP = ("AWS_ALLOW_HTTP", "GOOGLE_ALLOW_HTTP", "AZURE_ALLOW_HTTP")
_CAUSE = re.compile(r'^ *(?:message|error): "([^"\n]{1,200})"', re.MULTILINE)


FOLDER = "file://"


class StorageError(OutputError):
    """A request failed. `final`: it would fail again."""

    def __init__(self, message: str, final: bool) -> None:
        super().__init__(message)
        self.final = final


class Bucket:
    """The objects below `root`: `s3://BUCKET/PREFIX`, or `file:///FOLDER`.

    `option` is where the user has named it. Raises UsageError if it can't be used at
    all.
    """

    def __init__(self, root: str, option: str = "--output") -> None:
        try:
            import obstore.store
        except ImportError as error:
            raise UsageError(
                f"{option} {root}/...: object storage needs the extra "
                "`objects`: pip install 'orbweb[objects]'"
            ) from error
        self._root = root
        if root.startswith(FOLDER):
            path = root.removeprefix(FOLDER)
            self._store: Any = obstore.store.LocalStore(path, mkdir=True)
            return
        # Options of the client replace those of the environment.
        plain = any(os.environ.get(name, "").lower() == "true" for name in _ALLOW_HTTP)
        client: Any = {**_CLIENT, "allow_http": plain}
        try:
            self._store = obstore.store.from_url(
                root, retry_config=_RETRY, client_options=client
            )
        except Exception as error:
            raise UsageError(f"{root}: {_reason(error)}") from error

    def put(self, key: str, content: bytes | Path) -> None:
        """Write an object, whole or not at all. Raises StorageError."""
        import obstore

        size = 0 if isinstance(content, bytes) else content.stat().st_size
        chunk = max(CHUNK, -(-size // _MAX_CHUNKS))
        try:
            obstore.put(self._store, key, content, chunk_size=chunk, max_concurrency=2)
        except Exception as error:
            raise self._failed(key, error) from error

    def get(self, key: str) -> bytes | None:
        """An object; None if there is none. Raises StorageError."""
        import obstore

        try:
            return bytes(obstore.get(self._store, key).bytes())
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise self._failed(key, error) from error
            return None
        except Exception as error:
            raise self._failed(key, error) from error

    def fetch(self, key: str, file: Path) -> None:
        """Write an object to a file. Raises StorageError, also if there is none."""
        import obstore

        try:
            blocks = obstore.get(self._store, key).stream(min_chunk_size=CHUNK)
            with file.open("wb") as out:
                for block in blocks:
                    try:
                        out.write(block)
                    except OSError as error:
                        raise refused(error, file) from error
        except OutputError:
            raise
        except FileNotFoundError as error:
            text = f"{self._root}/{key}: there is no such object any more"
            raise StorageError(text, False) from error
        except Exception as error:
            raise self._failed(key, error) from error

    def names(self, prefix: str) -> list[str]:
        """The keys of all objects in the folder `prefix`. Raises StorageError."""
        import obstore

        try:
            found = obstore.list(self._store, prefix)
            return sorted(one["path"] for batch in found for one in batch)
        except Exception as error:
            raise self._failed(prefix, error) from error

    def remove(self, keys: Sequence[str]) -> None:
        """Remove objects. Raises StorageError."""
        import obstore

        try:
            obstore.delete(self._store, [*keys])
        except FileNotFoundError:
            return  # another program has removed them
        except Exception as error:
            raise self._failed(keys[0], error) from error

    def _failed(self, key: str, error: Exception) -> StorageError:
        from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

        if isinstance(error, FileNotFoundError):
            return StorageError(f"{self._root}: there is no such bucket", True)
        if isinstance(error, PermissionDeniedError | UnauthenticatedError):
            return StorageError(
                f"{self._root}/{key}: access denied; check the credentials in the "
                "environment",
                True,
            )
        return StorageError(f"{self._root}/{key}: {_reason(error)}", False)


def _reason(error: Exception) -> str:
    """What obstore says, without the request: it may hold a signature."""
    first, _, details = str(error).partition("\n")
    if status := re.search(r"status code: (\d{3}[^:]{0,40})", first):
        return f"the storage answered {status[1].strip()}"
    if first.endswith("error sending request"):
        causes = _CAUSE.findall(details)  # the innermost comes last
        return f"the storage can't be reached: {causes[-1] if causes else 'no answer'}"
    return re.sub(r"https?://\S+", "the storage", first)[-200:].strip()
