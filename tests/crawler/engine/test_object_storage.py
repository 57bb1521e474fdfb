"""Records in object storage: finished parts and their manifest, exact after all that.

The server is one of the S3 protocol on loopback (`tests/helpers/object_store.py`).
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crawler.model.errors import UsageError
from crawler.output.compression import open_unpacked
from crawler.output.objects.address import parse_address
from crawler.output.objects.bucket import CHUNK, Bucket, StorageError
from tests.helpers.generated_site import GeneratedSite
from tests.helpers.object_store import BUCKET, KEY, SECRET, ObjectStore
from tests.helpers.paths import PROGRAM

PAGES = 200
TIMEOUT = 300.0
OUTPUT = f"s3://{BUCKET}/crawls/news.jsonl.zst"
MANIFEST = "crawls/news.jsonl.zst.manifest.json"


@pytest.fixture
def site() -> Iterator[GeneratedSite]:
    with GeneratedSite(PAGES, seed=5) as running:
        yield running


@pytest.fixture
def storage() -> Iterator[ObjectStore]:
    with ObjectStore() as running:
        yield running


class Crawl:
    """Runs of the program on one crawl, whose records go to `storage`."""

    def __init__(
        self, site: GeneratedSite, storage: ObjectStore, folder: Path, *more: str
    ) -> None:
        self.site = site
        self.storage = storage
        self.folder = folder
        self.more = more or ("-o", OUTPUT, "--rotate", "4K")
        self.environ = {**os.environ, **storage.environ}

    def start(self, command: str = "crawl", *more: str) -> subprocess.Popen[str]:
        new = [self.site.url, "-d", str(self.folder), "-w", "0", "--per-host", "4"]
        of = [*new, *self.more] if command == "crawl" else [str(self.folder)]
        quiet = [] if command in ("status", "export") else ["-q"]
        return subprocess.Popen(
            [*PROGRAM, command, *of, *quiet, *more],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, command: str = "crawl", *more: str) -> tuple[int, str]:
        """The exit code, and what was said."""
        process = self.start(command, *more)
        _, said = process.communicate(timeout=TIMEOUT)
        assert SECRET not in said
        assert KEY not in said
        return process.returncode, said

    def succeed(self, command: str = "crawl") -> None:
        code, said = self.run(command)
        assert code == 0, said

    def waiting(self) -> list[str]:
        """The parts that wait for their upload."""
        return sorted(path.name for path in (self.folder / "uploads").rglob("*-0*"))


def listed(storage: ObjectStore, folder: Path) -> list[dict[str, Any]]:
    """The records in the parts that the manifest lists; each must be as it says."""
    manifest = json.loads(storage.objects[MANIFEST])
    assert manifest["output"] == OUTPUT
    records: list[dict[str, Any]] = []
    for part in manifest["parts"]:
        data = storage.objects["crawls/" + part["name"]]
        assert len(data) == part["bytes"]
        assert hashlib.sha256(data).hexdigest() == part["sha256"]
        file = folder / part["name"]
        file.write_bytes(data)
        with open_unpacked(file, ".zst") as stream:
            schema, *lines = map(json.loads, stream.read().splitlines())
        file.unlink()
        assert schema["type"] == "schema"
        assert len(lines) == part["records"]
        ends = lines[0]["seq"], lines[-1]["seq"]
        assert ends == (part["first_seq"], part["last_seq"])
        records += lines
    names = [part["name"] for part in manifest["parts"]]
    assert names == sorted(set(names))
    return records


def assert_exact(crawl: Crawl, folder: Path) -> None:
    """Each URL has one record, in order, and nothing waits any more."""
    records = listed(crawl.storage, folder)
    assert [one["seq"] for one in records] == list(range(1, len(records) + 1))
    urls = Counter(one["url"] for one in records if one["type"] != "run")
    assert set(urls.values()) == {1}
    assert urls.keys() == {crawl.site.url + path for path in crawl.site.answers}
    assert crawl.waiting() == []


def test_finished_parts_are_uploaded_and_listed(
    site: GeneratedSite, storage: ObjectStore, tmp_path: Path
) -> None:
    crawl = Crawl(site, storage, tmp_path / "c")
    crawl.succeed()
    assert_exact(crawl, tmp_path)
    parts = json.loads(storage.objects[MANIFEST])["parts"]
    assert len(parts) > 5
    # No part was uploaded twice, and each before the manifest that lists it.
    names = [name for name in storage.puts if name != MANIFEST]
    assert names == ["crawls/" + part["name"] for part in parts]
    assert storage.puts[-1] == MANIFEST
    crawl.succeed("recrawl")
    assert len(listed(storage, tmp_path)) > 2 * len(site.answers)
    kept = json.loads(storage.objects[MANIFEST])["parts"][: len(parts)]
    assert kept == parts
    written = [
        *(tmp_path / "c").rglob("*.jsonl*"),
        *(tmp_path / "c" / "state").iterdir(),
    ]
    assert not [file for file in written if SECRET.encode() in file.read_bytes()]


class Held:
    """The write number `count` from now on waits, and a kill comes then.

    An object that it would make may be there as a half: another writer's, as it were.
    """

    def __init__(self, storage: ObjectStore, count: int) -> None:
        self.reached = threading.Event()
        self.over = threading.Event()
        self._storage = storage
        self._left = count
        storage.on_write = self._arrived

    def _arrived(self, name: str) -> None:
        self._left -= 1
        if self._left == 0:
            self._storage.objects.setdefault(name, b"half")
            self.reached.set()
            self.over.wait(TIMEOUT)

    def end(self) -> None:
        """Let it be written: a storage may still do what a killed client has sent."""
        written = threading.Event()
        self._storage.on_write, self._storage.after_write = None, written.set
        self.over.set()
        assert written.wait(TIMEOUT)


def test_kills_lose_and_repeat_no_record(
    site: GeneratedSite, storage: ObjectStore, tmp_path: Path
) -> None:
    """Each kill comes while the storage takes an object, which may be written yet."""
    crawl, dice = Crawl(site, storage, tmp_path / "c"), random.Random(4)
    for number in range(7):
        held = Held(storage, dice.randint(2, 5))
        process = crawl.start("resume" if number else "crawl")
        while not held.reached.wait(0.05):
            assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=TIMEOUT)
        held.end()
        for part in json.loads(storage.objects[MANIFEST])["parts"]:
            data = storage.objects["crawls/" + part["name"]]
            assert hashlib.sha256(data).hexdigest() == part["sha256"]
    crawl.succeed("resume")
    assert_exact(crawl, tmp_path)


def test_a_commit_does_not_wait_for_the_network(
    site: GeneratedSite, storage: ObjectStore, tmp_path: Path
) -> None:
    """The whole site is crawled while the first upload has no answer."""
    over = threading.Event()
    storage.on_write = lambda name: name == MANIFEST or over.wait(TIMEOUT)
    crawl = Crawl(site, storage, tmp_path / "c")
    process = crawl.start()
    end = time.monotonic() + TIMEOUT
    while len(set(site.requested)) < len(site.answers):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)
    assert json.loads(storage.objects[MANIFEST])["parts"] == []
    over.set()
    process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0
    assert_exact(crawl, tmp_path)


def test_errors_of_the_server_are_tried_again(
    site: GeneratedSite, storage: ObjectStore, tmp_path: Path
) -> None:
    def begin_to_fail(name: str) -> None:
        if name != MANIFEST:
            storage.on_write, storage.failing = None, [500, 503] * 4

    storage.on_write = begin_to_fail
    crawl = Crawl(site, storage, tmp_path / "c")
    crawl.succeed()
    assert_exact(crawl, tmp_path)


def test_what_cannot_be_uploaded_waits_for_a_resume(
    site: GeneratedSite, storage: ObjectStore, tmp_path: Path
) -> None:
    def begin_to_fail(name: str) -> None:
        if name != MANIFEST:
            storage.failing_always = 503

    storage.on_write = begin_to_fail
    crawl = Crawl(site, storage, tmp_path / "c")
    crawl.more += ("--tries", "1")
    code, said = crawl.run()
    assert code == 3
    assert "the storage answered 503 Service Unavailable" in said
    assert f"`orbweb resume {crawl.folder}` uploads it" in said
    assert len(crawl.waiting()) > 3
    storage.on_write = storage.failing_always = None
    crawl.succeed("resume")
    assert_exact(crawl, tmp_path)


def test_a_signal_leaves_the_rest_for_a_resume(
    site: GeneratedSite, storage: ObjectStore, tmp_path: Path
) -> None:
    storage.on_write = lambda name: name == MANIFEST or time.sleep(0.2)
    crawl = Crawl(site, storage, tmp_path / "c")
    process = crawl.start()
    while not site.requested[PAGES:]:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=TIMEOUT)
    assert process.returncode in (75, 0)
    storage.on_write = None
    crawl.succeed("resume")
    assert_exact(crawl, tmp_path)


@pytest.mark.parametrize(
    ("output", "environ", "message"),
    [
        ("s3://elsewhere/a.jsonl", {}, "s3://elsewhere: there is no such bucket"),
        (
            OUTPUT,
            {"AWS_ACCESS_KEY_ID": "WRONG"},
            "access denied; check the credentials",
        ),
        ("s3://key:secret@b/a.jsonl", {}, "credentials belong in the environment"),
        ("ftp://b/a.jsonl", {}, "only s3://, gs://, az:// and files are written to"),
        (f"s3://{BUCKET}/../a.jsonl", {}, "an empty segment, . or .."),
        (f"s3://{BUCKET}", {}, "write s3://BUCKET/NAME.jsonl.zst"),
        (f"s3://{BUCKET}/a.csv", {}, "no sink writes .csv"),
        ("az://container/a.jsonl", {}, "az://container: "),
    ],
)
def test_what_cannot_work_is_said_before_the_crawl(
    output: str,
    environ: dict[str, str],
    message: str,
    site: GeneratedSite,
    storage: ObjectStore,
    tmp_path: Path,
) -> None:
    crawl = Crawl(site, storage, tmp_path / "c", "-o", output)
    crawl.environ |= environ
    code, said = crawl.run()
    assert code == 2
    assert message in said
    assert len(said.splitlines()) == 1
    assert "secret@" not in said
    assert site.requested == []
    assert not (tmp_path / "c" / "state").exists()


def test_the_records_of_another_crawl_are_not_overwritten(
    site: GeneratedSite, storage: ObjectStore, tmp_path: Path
) -> None:
    one = ("-o", OUTPUT, "-n", "1")
    assert Crawl(site, storage, tmp_path / "a", *one).run()[0] == 0
    before = dict(storage.objects)
    other = Crawl(site, storage, tmp_path / "b", *one)
    code, said = other.run()
    assert code == 2
    assert "is there already: another crawl has written it" in said
    assert storage.objects == before
    assert other.run("crawl", "--fresh")[0] == 0
    assert len(json.loads(storage.objects[MANIFEST])["parts"]) == 1


def test_a_new_crawl_that_cannot_begin_deletes_nothing(
    site: GeneratedSite, storage: ObjectStore, tmp_path: Path
) -> None:
    crawl = Crawl(site, storage, tmp_path / "c", "-n", "1")
    crawl.succeed()
    before = (tmp_path / "c" / "records.jsonl").read_bytes()
    crawl.more = ("-o", "s3://elsewhere/a.jsonl")
    assert crawl.run("crawl", "--fresh")[0] == 2
    assert (tmp_path / "c" / "records.jsonl").read_bytes() == before


def test_a_resume_may_add_it(
    site: GeneratedSite, storage: ObjectStore, tmp_path: Path
) -> None:
    crawl = Crawl(site, storage, tmp_path / "c", "-n", "9", "-o", f"{tmp_path}/r.jsonl")
    crawl.succeed()
    kept = (tmp_path / "r.jsonl").read_bytes()
    output = OUTPUT.removesuffix(".zst")
    more = ("-n", "none", "-o", f"{tmp_path}/r.jsonl", "-o", output)
    assert crawl.run("resume", *more)[0] == 0
    parts = json.loads(storage.objects[MANIFEST.replace(".zst", "")])["parts"]
    stored = [storage.objects["crawls/" + part["name"]] for part in parts]
    schema = stored[0].splitlines(keepends=True)[0]
    assert all(part.startswith(schema) for part in stored)
    whole = schema + b"".join(part.removeprefix(schema) for part in stored)
    assert whole.startswith(kept)
    assert whole == (tmp_path / "r.jsonl").read_bytes()


def test_a_manifest_that_was_removed_here_is_read_there(
    site: GeneratedSite, storage: ObjectStore, tmp_path: Path
) -> None:
    crawl = Crawl(site, storage, tmp_path / "c")
    crawl.succeed()
    parts = json.loads(storage.objects[MANIFEST])["parts"]
    shutil.rmtree(tmp_path / "c" / "uploads")
    crawl.succeed("resume")
    after = json.loads(storage.objects[MANIFEST])["parts"]
    assert after[: len(parts)] == parts
    assert len(after) == len(parts) + 1
    assert_exact(crawl, tmp_path)


def test_the_commands_that_read_records_do_without_them(
    site: GeneratedSite, storage: ObjectStore, tmp_path: Path
) -> None:
    crawl = Crawl(site, storage, tmp_path / "c")
    crawl.succeed()
    crawl.succeed("status")
    code, said = crawl.run("extract", "-o", OUTPUT)
    assert code == 2
    assert "an extraction writes files" in said
    code, said = crawl.run("export", "--to", "csv")
    assert code == 2
    assert "there is no file of records of its crawl" in said


def test_the_extra_is_named_where_it_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(UsageError, match=r"pip install 'orbweb\[objects\]'"):
        Bucket(parse_address(OUTPUT).root)


def test_a_large_part_is_sent_in_chunks(
    storage: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in storage.environ.items():
        monkeypatch.setenv(name, value)
    data = random.Random(1).randbytes(2 * CHUNK + 5)
    (tmp_path / "part").write_bytes(data)
    bucket = Bucket(parse_address(OUTPUT).root)
    bucket.put("large", tmp_path / "part")
    assert storage.objects["large"] == data
    assert [len(parts) for parts in storage.uploads.values()] == [3]
    assert bucket.get("large") == data
    assert bucket.get("missing") is None


def test_a_storage_that_is_not_there_is_said_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as bound:  # nobody listens
        bound.bind(("127.0.0.1", 0))
        place = f"http://127.0.0.1:{bound.getsockname()[1]}"
        for name, value in {
            "ENDPOINT_URL": place, "ALLOW_HTTP": "true", "REGION": "us-east-1",
            "ACCESS_KEY_ID": KEY, "SECRET_ACCESS_KEY": SECRET,
        }.items():  # fmt: skip
            monkeypatch.setenv(f"AWS_{name}", value)
        address = parse_address(OUTPUT)
        assert address
        with pytest.raises(StorageError) as failed:
            Bucket(address.root).get("x")
    said = f"s3://{BUCKET}/x: the storage can't be reached: Connection refused"
    assert str(failed.value) == said
