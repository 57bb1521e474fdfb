"""`orbweb extract` as a user calls it."""

from __future__ import annotations

import gzip
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from crawler.demo.server import DemoServer
from tests.helpers.paths import PROGRAM
from tests.helpers.program import QUICK, Orbweb, kinds, last_line, records

CONFIG = """
[records]
include = ["links"]
[fields]
heading = "css:h1::text"
"""


@pytest.fixture(scope="module")
def demo(server: DemoServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a crawl, made once."""
    folder = tmp_path_factory.mktemp("demo")
    options = ["-d", "out", "--save", "html", "--warc"]
    done = Orbweb(folder)("crawl", server.url, *QUICK, *options)
    assert done.returncode == 0
    return folder / "out"


@pytest.fixture
def crawled(demo: Path, tmp_path: Path) -> Path:
    shutil.copytree(demo, tmp_path / "out")
    return tmp_path


def test_new_settings_for_a_crawl(orbweb: Orbweb, crawled: Path) -> None:
    (crawled / "new.toml").write_text(CONFIG)
    before = (crawled / "out/records.jsonl").read_bytes()
    done = orbweb("extract", "out", "--config", "new.toml", "-o", "new")
    assert (done.returncode, done.stdout) == (0, "")
    assert last_line(done).startswith("orbweb: new: ")
    rows = records(crawled / "new/records.jsonl")
    old = records(crawled / "out/records.jsonl")
    assert kinds(rows) == kinds(old)
    pages = [row for row in rows if row["type"] == "page"]
    assert all(page["data"]["heading"] and page["links"] for page in pages)
    assert rows[0]["data"] == {"heading": ""}
    assert (crawled / "out/records.jsonl").read_bytes() == before


def test_its_own_settings_and_options(orbweb: Orbweb, crawled: Path) -> None:
    done = orbweb(
        "extract", "out", "--with", "links", "-o", "x.jsonl.gz", "-d", "new",
        "--match", "cafe|index", "--limit", "2", "-q",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    text = gzip.decompress((crawled / "x.jsonl.gz").read_bytes()).decode()
    assert text.count('"type":"page"') == 2
    done = orbweb("extract", "out", "-o", "-", "--match", "nothing matches")
    assert done.stdout.count("\n") == 2  # the records of the run
    assert (crawled / "out-extracted").is_dir()


def test_warc_files(orbweb: Orbweb, crawled: Path) -> None:
    done = orbweb("extract", "--from-warc", "out/warc/out-00000.warc.gz")
    assert done.returncode == 0
    folder = crawled / "out-00000-extracted"
    rows = records(folder / "records.jsonl")
    images = [row for row in rows if row["type"] == "image"]
    assert images
    assert all((folder / image["path"]).is_file() for image in images)
    done = orbweb("export", folder.name, "-t", "csv", "--columns", "url")
    assert len(done.stdout.splitlines()) > len(images)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere holds no crawl"),
        (["--from-warc"], "--from-warc: name the WARC files"),
        (["out", "other"], "name one folder of a crawl"),
        (["out", "--match", "("], "--match (: "),
        (["out", "-d", "out"], "holds a crawl already"),
        (["out", "-o", "a", "-o", "b"], "--output names 2 folders"),
        (["out", "-o", "x.csv"], "no sink writes .csv"),
        (["out", "--field", "x=css:h1["], "--field: field 'x'"),
    ],
)
def test_what_is_refused(
    orbweb: Orbweb, crawled: Path, arguments: list[str], said: str
) -> None:
    done = orbweb("extract", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert sorted(path.name for path in crawled.iterdir()) == ["out"]


def test_what_cannot_be_read_is_told_and_changes_the_exit_code(
    orbweb: Orbweb, crawled: Path
) -> None:
    warc = crawled / "out/warc/out-00000.warc.gz"
    warc.write_bytes(warc.read_bytes()[:-20])
    done = orbweb("extract", "--from-warc", str(warc), "-o", "new")
    assert done.returncode == 8
    assert "the file ends in the middle of a record" in done.stderr
    assert last_line(done) == "orbweb: 1 place of the source could not be read"


def test_other_commands_say_that_it_is_no_crawl(orbweb: Orbweb, crawled: Path) -> None:
    orbweb("extract", "out", "-o", "new")
    for command in ("status", "resume", "urls"):
        done = orbweb(command, "new")
        assert done.returncode == 2
        assert "has made of out, and no crawl" in done.stderr


def test_one_that_was_killed_is_begun_again(orbweb: Orbweb, crawled: Path) -> None:
    warcs = [f"out/warc/out-{number:05}.warc.gz" for number in range(40)]
    data = (crawled / warcs[0]).read_bytes()
    for warc in warcs:
        (crawled / warc).write_bytes(data)
    arguments = ["extract", "--from-warc", *warcs, "--save", "html", "-o", "new"]
    done = subprocess.Popen([*PROGRAM, *arguments], cwd=crawled, stderr=-3, stdout=-3)
    output = crawled / "new/records.jsonl"
    while done.poll() is None and not (output.exists() and output.stat().st_size):
        time.sleep(0.001)
    done.send_signal(signal.SIGKILL)
    assert done.wait() == -signal.SIGKILL
    assert orbweb(*arguments).returncode == 0
    rows = records(output)
    whole = orbweb(*arguments[:-1], "whole")
    assert whole.returncode == 0
    assert kinds(rows) == kinds(records(crawled / "whole/records.jsonl"))
    assert _files(crawled / "new") == _files(crawled / "whole")


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*.*")}
