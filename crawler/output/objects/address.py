"""Addresses of outputs in object storage."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

from crawler.model.errors import UsageError

SCHEMES = ("s3", "gs", "az")
UPLOADS = "uploads"
"""The folder, in the crawl's, where parts wait for their upload."""

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
_KEY = re.compile(r"[^\x00-\x1f\x7f?#\\]{1,900}")


class Address(Struct, frozen=True):
    """An output in object storage: its parts have names made of `key`."""

    scheme: str
    bucket: str
    key: str

    @property
    def root(self) -> str:
        """The URL of the bucket."""
        return f"{self.scheme}://{self.bucket}"

    def path(self, folder: Path | str) -> Path:
        """Where the output is written to, in the crawl's `folder`."""
        return Path(folder) / UPLOADS / f"{self.scheme}-{self.bucket}" / self.key

    def object_of(self, file: Path) -> str:
        """The key of the object of a part."""
        return "/".join([*self.key.split("/")[:-1], file.name])


def parse_root(text: str, option: str) -> str:
    """The URL below which objects are kept: in a bucket, or in a folder.

    `text` is `s3://BUCKET[/PREFIX]`, as an output is, or a folder that is there, which
    may begin with `file://`. Raises UsageError.
    """
    scheme, separator, rest = text.partition("://")
    if not separator or scheme == "file":
        folder = Path(rest if separator else text)
        if not folder.is_dir():
            raise UsageError(f"{option} {text}: there is no such folder")
        return f"file://{folder.absolute()}"
    try:
        address = parse_address(f"{text.rstrip('/')}/-")
    except UsageError as error:
        what = f"expected {scheme}://BUCKET/PREFIX" if scheme in SCHEMES else ""
        known = ", ".join(f"{one}://" for one in SCHEMES)
        raise UsageError(
            f"{option}: {what or f'only {known} and folders are known'}; credentials "
            "belong in the environment"
        ) from error
    return f"{address.root}/{address.key.removesuffix('-')}".rstrip("/")


def parse_address(output: str) -> Address:
    """The address that `output` is. Raises UsageError."""
    scheme, _, rest = output.partition("://")
    if scheme not in SCHEMES:
        known = ", ".join(f"{one}://" for one in SCHEMES)
        raise UsageError(f"--output {scheme}://: only {known} and files are written to")
    bucket, _, key = rest.partition("/")
    if "@" in bucket:
        raise UsageError(
            f"--output {scheme}://: credentials belong in the environment, such as "
            "AWS_ACCESS_KEY_ID, not in the address"
        )
    segments = key.split("/")
    if not _BUCKET.fullmatch(bucket) or not _KEY.fullmatch(key):
        raise UsageError(f"--output {output}: write {scheme}://BUCKET/NAME.jsonl.zst")
    if not {"", ".", ".."}.isdisjoint(segments):
        raise UsageError(f"--output {output}: the name has an empty segment, . or ..")
    return Address(scheme, bucket, key)
