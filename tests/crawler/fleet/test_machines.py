"""A crawl by several machines, as a user runs it, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from random import Random

import pytest

from crawler.cli import run
from crawler.cli.running import NO_CONTACT
from crawler.fleet.exchange_server import Lease, Owner
from crawler.model.config import from_json
from tests.helpers.killed_fleet import OPTIONS, endings, start
from tests.helpers.killed_fleet import run as run_program
from tests.helpers.machines import Machines
from tests.helpers.many_hosts import ManyHosts
from tests.helpers.members import PAGES, PASSWORD, USER, Members, members_site
from tests.helpers.valkey import ValkeyProcess
from tests.helpers.waczs import read_wacz

SEED = "http://127.0.0.1:9/"


def test_machines_that_are_killed_write_what_one_process_writes(tmp_path):
    """So is the server, which forgets all each time."""
    site = ManyHosts(hosts=30, pages=300, pictures=9)
    one = tmp_path / "one"
    assert run_program("crawl", site.url(0), *OPTIONS, "-d", str(one)) == 0
    (place := tmp_path / "server").mkdir()
    process = ValkeyProcess(place)
    machines = Machines(site, tmp_path, process, 2)
    machines.begin(shards=4)
    try:
        assert machines.fail(4, Random(2), forgets=True) >= 3
        assert machines.wait() == [0, 0]
    finally:
        machines.stop()
        process.kill()
        site.stop()
    assert machines.endings() == endings(one)
    assert all(endings(folder) for folder in machines.folders)


def test_a_crawl_is_steered_while_its_machines_run(tmp_path, valkey_process, capsys):
    """Its limit of pages is that of all machines, also when it is raised."""
    valkey_process.command("FLUSHALL")
    site = ManyHosts(hosts=12, pages=60, pictures=2)
    more = ManyHosts(hosts=2, pages=4, pictures=1)
    machines = Machines(site, tmp_path, valkey_process, 2)
    machines.begin(2, "--max-pages", "20")
    crawl = ["crawl", "--exchange", valkey_process.address("crawl")]
    try:
        assert run([*crawl, "--pause"]) == 0
        assert run([*crawl, more.url(0), "--max-pages", "30"]) == 0
        assert machines.wait() == [0, 0]
    finally:
        machines.stop()
        site.stop()
        more.stop()
    pages = sum(n for key, n in machines.endings().items() if key[0] == "page")
    assert pages == 30
    assert more.requested
    assert all(endings(folder) for folder in machines.folders)
    shown = capsys.readouterr().err
    assert "/crawl: the crawl is paused" in shown
    assert f"orbweb: 1 seed more: {more.url(0)}\n" in shown
    assert "orbweb: limits.max_pages 20 -> 30" in shown
    assert "/crawl: the crawl goes on" in shown
    capsys.readouterr()
    assert run(["status", *crawl[1:]]) == 0
    assert "stopped at a limit of the crawl; `orbweb crawl --exchange valkey" in (
        capsys.readouterr().out
    )


def begin(address: str, *more: str) -> int:
    return run(["crawl", SEED, "--exchange", address, "--shards", "2", "-q", *more])


def test_status_shows_all_machines_at_once(address, server, capsys):
    assert run(["status", "--exchange", address]) == 2
    assert "has no crawl; begin one with `orbweb crawl" in capsys.readouterr().err
    assert begin(address) == 0
    server.take(Lease(1, "token"), Owner("home", "box:/data"), 60)
    assert run(["status", "--exchange", address, "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["state"] == "running"
    assert status["machines"] == [
        {"machine": "box:/data", "shards": [1], "pages": 0, "pages_per_s": 0}
    ]
    assert status["shards_untaken"] == 1
    server.release([Lease(1, "token")])
    assert run(["status", "--exchange", address]) == 0
    shown = capsys.readouterr().out
    work = f"`orbweb work DIR --exchange {address}`"
    assert f"{address}: stopped, no machine is at work; {work} goes on with it" in shown
    assert "shards   2: 0 at work, 1 for the next machine, 1 whose machines" in shown


def test_an_exchange_has_one_crawl_of_a_name(address, server, capsys):
    assert begin(address) == 0
    first = server.run_id()
    assert begin(address) == 2
    assert f"{address} has a crawl already" in capsys.readouterr().err
    server.take(Lease(1, "token"), Owner("home", "box:/data"), 60)
    assert begin(address, "--fresh") == 7
    assert "run by box:/data; stop that before --fresh" in capsys.readouterr().err
    assert server.run_id() == first
    server.release([Lease(1, "token")])
    assert begin(address, "--fresh") == 0
    assert server.run_id() != first
    assert server.homes() == {}


def test_a_json_log_has_a_line_for_all_that_is_said(address, server, tmp_path, capsys):
    def lines(*options: str) -> list[str]:
        command = ["crawl", SEED, "--exchange", address, "--log-format", "json"]
        assert run([*command, *options]) == 0
        return capsys.readouterr().err.splitlines()

    def messages(*options: str) -> list[str]:
        return [json.loads(line)["message"] for line in lines(*options)]

    *_, begun = messages("--shards", "2")
    assert f"{address}: begun in 2 shards" in begun
    *_, is_paused, at_work = messages("--pause")
    assert is_paused == f"orbweb: {address}: the crawl is paused"
    assert "no machine is at work" in at_work
    assert messages("-q") == []
    file = tmp_path / "log"
    assert lines("--pause", "--log-file", str(file)) == [is_paused, at_work]
    assert json.loads(file.read_text().splitlines()[0])["message"] == is_paused


def test_each_machine_logs_in_and_packs_what_it_has(
    tmp_path, valkey_process, monkeypatch
):
    """The one that has the host of the site also has its WACZ file and its mirror."""
    valkey_process.command("FLUSHALL")
    monkeypatch.setenv("MEMBER_PASSWORD", PASSWORD)
    members, address = Members(), valkey_process.address("news")
    site = members_site(members)
    options = ["--login", site.url("/login"), "--form", f"user={USER}", "-w", "0", "-q"]
    options += ["--form", "pass=env:MEMBER_PASSWORD", "--wacz", "--mirror"]
    options += ["--exchange", address, "--shards", "2"]
    assert run(["crawl", site.url("/account"), *options]) == 0
    assert members.sent == []
    folders = [tmp_path / "one", tmp_path / "two"]
    work = ["--exchange", address, "--processes", "1", "--max-shards", "1", "-q"]
    machines = [start("work", str(folder), *work) for folder in folders]
    assert [machine.wait(60) for machine in machines] == [0, 0]
    site.stop()
    assert len(members.sent) == 2
    (folder,) = (one for one in folders if endings(one))
    pages = {site.url(f"/{page}") for page in PAGES}
    assert {url for kind, url, *_ in endings(folder) if kind == "page"} == pages
    packed = read_wacz(folder / "news.wacz")
    assert {page["url"] for page in packed.pages} == pages
    assert {path.stem for path in folder.glob("mirror/**/*.html")} >= set(PAGES)


def test_a_machine_that_takes_shards_over_has_a_login_of_its_own(
    tmp_path, valkey_process, monkeypatch
):
    """The session of the machine that is gone has ended, too."""
    valkey_process.command("FLUSHALL")
    monkeypatch.setenv("MEMBER_PASSWORD", PASSWORD)
    members, address = Members(), valkey_process.address("news")
    site, store = members_site(members), tmp_path / "store"
    store.mkdir()
    exchange = ["--exchange", address]
    options = ["--login", site.url("/login"), "--form", f"user={USER}", "-w", "0", "-q"]
    options += ["--form", "pass=env:MEMBER_PASSWORD", *exchange, "--shards", "2"]
    assert run(["crawl", site.url("/account"), *options, "--max-pages", "2"]) == 0
    gone, after = tmp_path / "gone", tmp_path / "after"
    work = [*exchange, "--processes", "1", "-q", "--snapshot", str(store)]
    assert start("work", str(gone), *work).wait(60) == 0
    shutil.rmtree(gone)
    members.sessions.clear()
    assert run(["crawl", *exchange, "--max-pages", "100"]) == 0
    assert start("work", str(after), *work, "--takeover-after", "0s").wait(60) == 0
    site.stop()
    assert len(members.sent) == 2
    pages = {site.url(f"/{page}") for page in PAGES}
    assert {url for kind, url, *_ in endings(after) if kind == "page"} == pages


def test_what_is_changed_at_the_exchange(address, server, tmp_path, capsys):
    """Another revision of the crawl; what can't change is refused."""
    begin(address, "--max-pages", "9", "--exclude", "/a/")
    crawl = ["crawl", "--exchange", address]
    options = ["--max-pages", "50", "-w", "2", "--exclude", "/b/", "-q"]
    assert run([*crawl, *options]) == 0
    assert capsys.readouterr().err == ""
    changed = server.crawl()
    assert changed.revision == 1
    config = from_json(changed.config.encode())
    assert (config.limits.max_pages, config.politeness.wait) == (50, 2.0)
    assert config.scope.rules == ("-/a/", "-/b/")
    assert config.seeds == (SEED,)
    assert run(crawl) == 0
    assert "nothing has changed" in capsys.readouterr().err
    refused = {
        ("-o", "x.jsonl"): "output can't be set but to object storage (s3://...)",
        ("--login", SEED, "--form", "a=env:A"): "login.url can't change: each mach",
        ("--schema-line",): "records.schema_line can't change on a resume",
        ("--fresh",): "--fresh does not change a crawl of several machines: with --sh",
        ("-d", "x"): "--dir does not change a crawl of several machines: it is for `or",
        ("--processes", "2"): "machines: it is for `orbweb work DIR`",
        ("-N",): "can't be crawled again, since those that are off would have to begin",
    }
    for more, message in refused.items():
        assert run([*crawl, *more]) == 2
        assert message in capsys.readouterr().err
    assert server.crawl() == changed
    server.set_program(changed, "9.9")
    assert run([*crawl, "--max-pages", "60"]) == 7
    assert "have orbweb 9.9, and this one has" in capsys.readouterr().err


def test_a_paused_crawl_says_how_it_goes_on(address, server, capsys):
    begin(address)
    crawl = ["crawl", "--exchange", address]
    assert run([*crawl, "--pause", "--max-pages", "5"]) == 0
    assert "no machine is at work; `orbweb work DIR --ex" in capsys.readouterr().err
    assert server.crawl().is_paused
    assert run(["status", "--exchange", address]) == 0
    assert f"paused; `orbweb crawl --exchange {address}`" in capsys.readouterr().out
    assert run(crawl) == 0
    assert f"{address}: the crawl goes on" in capsys.readouterr().err
    assert not server.crawl().is_paused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "x.jsonl"], "output can't be set but to object storage (s3://...)"),
        (["--phash"], "--exchange: images.phash needs a crawl of one process"),
        (["-d", "x"], "--dir is for `orbweb work DIR`"),
        (["--processes", "2"], "--processes is for `orbweb work DIR`"),
        (["-N"], "can't be crawled again, since those that are off would have to beg"),
    ],
)
def test_what_a_crawl_of_machines_can_not(address, server, capsys, options, message):
    assert begin(address, *options) == 2
    assert message in capsys.readouterr().err
    assert server.crawl() is None


@pytest.mark.parametrize(
    ("command", "instead"),
    [
        ("recrawl", "--shards N --fresh`"),
        ("retry", "`orbweb urls DIR --state error`"),
        ("resume", "goes on by `orbweb work DIR --exchange"),
        ("mirror", "`orbweb crawl --mirror URL --exchange"),
        *(
            (name, f"`orbweb {name} DIR` on a machine")
            for name in ("urls", "links", "serve", "export")
        ),
    ],
)
def test_a_command_that_has_no_exchange_says_what_has(capsys, command, instead):
    for option in (["--exchange=valkey://cache/news"], ["--shards", "4"]):
        assert run([command, *option]) == 2
        shown = capsys.readouterr().err
        assert f"Error: {option[0].partition('=')[0]}: " in shown
        assert instead in shown
    assert run(["doctor", "--exchange", "valkey://cache/news"]) == 2
    assert "No such option" in capsys.readouterr().err


def test_an_option_of_work_says_whose_it_is(capsys):
    assert run(["crawl", SEED, "--exchange", "valkey://a/b", "--snapshot", "x"]) == 2
    assert "--snapshot is for `orbweb work DIR`" in capsys.readouterr().err


def test_a_crawl_of_machines_advises_a_contact_as_any_other(
    address, valkey_process, capsys
):
    def shown(*options: str) -> bool:
        command = ["crawl", "--exchange", address, "--shards", "2", *options]
        assert run(command) == 0
        text = capsys.readouterr().err
        valkey_process.command("FLUSHALL")
        return NO_CONTACT in text

    assert shown("https://news.example.com/")
    assert not shown("https://news.example.com/", "-q")
    assert not shown("https://news.example.com/", "--contact", "me@example.org")
    assert not shown(SEED)


def test_shards_are_of_an_exchange_which_has_to_begin_with_them(address, capsys):
    assert run(["crawl", SEED, "--shards", "3"]) == 2
    assert "--shards is for --exchange" in capsys.readouterr().err
    assert run(["crawl", SEED, "--exchange", address]) == 2
    assert (
        "has no crawl; begin one with `orbweb crawl --exch" in capsys.readouterr().err
    )
    assert begin(address, "--pause") == 2
    assert "--pause is for a crawl that has begun" in capsys.readouterr().err
    assert run(["crawl", "--pause"]) == 2
    assert "--pause is of the crawl at an exchange" in capsys.readouterr().err


def test_an_exchange_that_can_not_be_reached(tmp_path, capsys):
    address = "valkey://127.0.0.1:1/news"
    commands = (["work", str(tmp_path / "a")], ["status"])
    for command in commands:
        assert run([*command, "--exchange", address]) == 4
        message = capsys.readouterr().err
        assert message == (
            "orbweb: the exchange at 127.0.0.1:1 can't be reached "
            "(Connection refused)\n"
        )
    assert begin(address) == 4
    assert not (tmp_path / "a").exists()


def test_work_without_a_crawl(address, tmp_path, capsys):
    assert run(["work", str(tmp_path / "a"), "--exchange", address]) == 2
    assert "has no crawl; begin one with `orbweb crawl" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def test_a_machine_for_which_no_shard_is_left(address, server, tmp_path, capsys):
    begin(address)
    for shard in range(2):
        server.take(Lease(shard, "token"), Owner("home", "box:/data"), 60)
    assert run(["work", str(tmp_path / "a"), "--exchange", address]) == 7
    assert "there is no shard left for this machine" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def test_another_version(address, server, tmp_path, capsys):
    begin(address)
    crawl = server.crawl()
    server.set_program(crawl, "9.9")
    server.take(Lease(0, "token"), Owner("home", "box:/data"), 60)
    assert run(["work", str(tmp_path / "a"), "--exchange", address]) == 7
    assert "have orbweb 9.9, and this one has" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def worked(folder: Path, address: str) -> None:
    """A machine has run all shards of a crawl whose only host does not answer."""
    begin(address, "--tries", "1", "--allow-net", "127.0.0.0/8")
    arguments = ("work", str(folder), "--exchange", address, "--processes", "1", "-q")
    assert run_program(*arguments) == 4


def test_the_folder_of_a_machine(address, server, valkey_process, tmp_path, capsys):
    """It goes on where it was; it is of use for its own crawl only, and once."""
    folder = tmp_path / "a"
    worked(folder, address)
    before = contents(folder)
    for command in ("resume", "recrawl"):
        assert run([command, str(folder), "-q"]) == 2
        shown = capsys.readouterr().err
        assert f"only `orbweb work {folder} --exchange {address}` goes on" in shown

    other = valkey_process.address("other")
    assert run(["crawl", SEED, "--exchange", other, "--shards", "2", "-q"]) == 0
    assert run(["work", str(folder), "--exchange", other]) == 7
    shown = capsys.readouterr().err
    assert (
        f"{folder} has a part of another crawl, and nothing is written there" in shown
    )
    assert contents(folder) == before


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_with_a_crawl_of_one_process(address, tmp_path, capsys):
    begin(address)
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "part-000.jsonl").write_text("{}\n")
    assert run(["work", str(tmp_path), "--exchange", address]) != 0
    assert "part-000.jsonl" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["records"]
