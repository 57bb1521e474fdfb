"""A bucket of object storage, by obstore, whose errors become sentences.

Credentials and endpoints are those of the environment (AWS_*, GOOGLE_*, AZURE_*), which
obstore reads itself; nothing of them is kept. What it says of an error is cut behind
the status, since the rest repeats the request.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from crawler.model.errors import OutputError, UsageError
from crawler.output.objects.address import Address

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


class StorageError(OutputError):
    """A request failed. `final`: it would fail again."""

    def __init__(self, message: str, final: bool) -> None:
        super().__init__(message)
        self.final = final


class Bucket:
    """The bucket of `address`. Raises UsageError if it can't be used at all."""

    def __init__(self, address: Address) -> None:
        try:
            import obstore.store
        except ImportError as error:
            raise UsageError(
                f"--output {address.root}/...: object storage needs the extra "
                "`objects`: pip install 'orbweb[objects]'"
            ) from error
        self._root = address.root
        # Options of the client replace those of the environment.
        plain = any(os.environ.get(name, "").lower() == "true" for name in _ALLOW_HTTP)
        client: Any = {**_CLIENT, "allow_http": plain}
        try:
            self._store: Any = obstore.store.from_url(
                address.root, retry_config=_RETRY, client_options=client
            )
        except Exception as error:
            raise UsageError(f"{address.root}: {_reason(error)}") from error

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
