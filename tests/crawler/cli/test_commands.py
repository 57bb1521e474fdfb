"""The commands `crawl` and `fetch` as a user runs them: output and exit codes."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from crawler.demo.server import DemoServer
from tests.helpers.program import QUICK, Orbweb, kinds, last_line, records

# ------------------------------------------------------------------ crawl


def test_a_crawl_leaves_records_images_and_one_line_of_result(
    orbweb: Orbweb, server: DemoServer, tmp_path: Path
) -> None:
    done = orbweb("crawl", server.url, *QUICK, "-d", "out", "--record", "skips")
    assert (done.returncode, done.stdout) == (0, "")
    assert last_line(done).startswith("Finished: ")
    assert last_line(done).endswith(
        "Records: out/records.jsonl. Next: orbweb status out"
    )
    rows = records(tmp_path / "out" / "records.jsonl")
    found = kinds(rows)
    assert rows[0]["type"] == "schema"
    assert found["redirect"] == 1
    assert found["error"] == 1
    assert {row["format"] for row in rows if row["type"] == "image"} == {
        "png", "jpeg", "gif", "svg", "webp"
    }  # fmt: skip
    assert {row["reason"] for row in rows if row["type"] == "skip"} == {
        "robots",
        "scope",
    }
    cafe = next(row for row in rows if row.get("url", "").endswith("cafe.html"))
    assert (cafe["charset"], cafe["title"][:8]) == ("windows-1252", "Le café ")
    for row in rows:
        if row["type"] == "image":
            assert (tmp_path / "out" / row["path"]).is_file()


def test_verbose_logs_each_record(orbweb: Orbweb, server: DemoServer) -> None:
    done = orbweb(
        server.url, *QUICK, "-d", "out", "--no-images", "--record", "skips", "-v"
    )
    lines = [" ".join(line.split()) for line in done.stderr.splitlines()]
    for start in (
        "page 200 {} kB",
        "redirect 301 {}" + f" ms {server.url}visit -> {server.url}visit.html",
        f"error status_4xx {server.url}lost.html 404 Not Found",
        f"skip robots {server.url}storeroom/index.html "
        "robots.txt:2 Disallow: /storeroom/",
    ):
        head, _, tail = start.partition("{}")
        assert any(line.startswith(head) and line.endswith(tail) for line in lines), (
            start
        )


def test_verbose_shows_each_exchange_and_no_secret(
    orbweb: Orbweb, server: DemoServer
) -> None:
    options = [server.url, *QUICK, "-l", "0", "--no-images", "-H", "Cookie: sid=s3cr3t"]
    done = orbweb(*options, "-d", "out", "-v")
    assert done.returncode == 0
    assert f"* GET {server.url}robots.txt  200 OK; " in done.stderr
    assert f"* GET {server.url}  200 OK; " in done.stderr
    assert "  Cookie: sid=•••" in done.stderr
    assert "< server: " in done.stderr
    assert "s3cr3t" not in done.stderr
    assert "* GET" not in orbweb(*options, "-d", "quiet", "-v", "-q").stderr
    assert "* GET" not in orbweb(*options, "-d", "normal").stderr


def test_a_log_in_a_file(orbweb: Orbweb, server: DemoServer, tmp_path: Path) -> None:
    options = [server.url, *QUICK, "-l", "0", "--no-images", "--log-file", "log"]
    done = orbweb(*options, "-d", "a", "-v", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    log = (tmp_path / "log").read_text()
    assert f" * GET {server.url}  200 OK; " in log
    assert " Finished: 1 page" in log.splitlines()[-1]
    done = orbweb(*options, "-d", "b", "-v", "--log-format", "json")
    assert "Finished: 1 page" in done.stderr
    events = [
        json.loads(line)
        for line in (tmp_path / "log").read_text()[len(log) :].splitlines()
    ]
    assert [event["event"] for event in events] == [
        "exchange",
        "exchange",
        "record",
        "finished",
    ]
    assert {event["job"] for event in events} == {"b"}
    assert orbweb(*options[:-1], "no/log", "-d", "c").returncode == 3
    assert not (tmp_path / "c").exists()


def test_the_log_as_json(orbweb: Orbweb, server: DemoServer, tmp_path: Path) -> None:
    done = orbweb(server.url, *QUICK, "-d", "out", "-v", "--log-format", "json")
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert Counter(event["event"] for event in events) >= Counter(
        exchange=20, record=20, finished=1
    )
    end = events[-1]
    assert end["message"].startswith("Finished: ")
    assert (end["event"], end["level"], end["job"]) == ("finished", "info", "out")
    assert (end["finish_reason"], end["exit_code"]) == ("done", 0)
    rows = records(tmp_path / "out" / "records.jsonl")
    assert end["counts"]["page"] == sum(row["type"] == "page" for row in rows)
    assert end["elapsed_s"] == round(end["elapsed_s"], 3)
    assert all(event["job"] == "out" for event in events)
    again = orbweb(server.url, "-d", "out", "--log-format", "json")
    (refused,) = map(json.loads, again.stderr.splitlines())
    assert (again.returncode, refused["level"]) == (2, "error")
    assert "orbweb recrawl out" in refused["message"]


def test_a_crawl_is_crawled_again(
    orbweb: Orbweb, server: DemoServer, tmp_path: Path
) -> None:
    options = [server.url, *QUICK, "-d", "out"]
    assert (
        orbweb(*options, "-N").returncode == 0
    )  # there is nothing to compare with yet
    for words in (["recrawl", "out"], [*options, "-N"]):
        done = orbweb(*words)
        assert done.returncode == 0, done.stderr
        assert re.search(r"\(0 new, 0 changed, \d\d unchanged\)", last_line(done))
        shown = orbweb("status", "out").stdout
        assert re.search(r"\n  changes  unchanged \d\d\n", shown)
    rows = [
        row
        for row in records(tmp_path / "out" / "records.jsonl")
        if row["type"] == "page"
    ]
    assert Counter((row["from_cache"], row["changed"]) for row in rows) == {
        ("miss", None): len(rows) // 3,
        ("not_modified", "unchanged"): len(rows) // 3 * 2,
    }
    shown = orbweb("urls", "out", "--code", "unchanged", "--state", "page").stdout
    assert len(shown.splitlines()) == len(rows) // 3
    assert (
        "unchanged since the crawl before"
        in orbweb("explain", server.url, "out").stdout
    )
    assert orbweb("recrawl", "nowhere").returncode == 2
    both = orbweb(*options, "-N", "--fresh")
    assert (both.returncode, "name one of them" in both.stderr) == (2, True)


def test_a_word_like_a_url_is_crawled_and_stdout_holds_data_only(
    orbweb: Orbweb, server: DemoServer
) -> None:
    options = [
        "-o",
        "-",
        "-d",
        "x",
        "-l",
        "0",
        "-q",
        "--no-images",
        "--no-robots",
        "-k",
    ]
    done = orbweb(server.url, *options)
    assert done.returncode == 0
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert kinds(rows) == {"run": 2, "page": 1}
    runs = [row for row in rows if row["type"] == "run"]
    assert [(run["obey_robots"], run["verify_tls"]) for run in runs] == [
        (False, False)
    ] * 2
    assert done.stderr == ""


def test_a_folder_that_holds_a_crawl_is_not_overwritten(
    orbweb: Orbweb, server: DemoServer
) -> None:
    options = [server.url, *QUICK, "-d", "out", "-n", "2"]
    assert orbweb(*options).returncode == 0
    again = orbweb(*options)
    assert again.returncode == 2
    for named in (
        "`orbweb resume out` continues it",
        "`orbweb recrawl out` fetches again what has changed",
        "`orbweb crawl --fresh --dir out URL` deletes its records",
    ):
        assert named in again.stderr
    assert orbweb(*options, "--fresh").returncode == 0


def test_a_limit_is_a_success_and_resume_continues(
    orbweb: Orbweb, server: DemoServer, tmp_path: Path
) -> None:
    done = orbweb(server.url, *QUICK, "-d", "out", "-n", "3", "--no-images")
    assert done.returncode == 0
    assert last_line(done).startswith("Stopped at the page limit: 3 pages")
    left = re.search(r"3 pages.*, (\d+) URLs left in ", last_line(done))
    assert left
    assert last_line(done).endswith("Next: orbweb resume out --max-pages 6")
    shown = json.loads(orbweb("status", "out", "--json").stdout)
    assert (shown["state"], shown["counts"]["page"]) == ("stopped", 3)
    assert shown["counts"]["queued"] == int(left[1])
    assert shown["next_command"] == "orbweb resume out --max-pages 6"
    assert (
        f"stopped at the page limit with {left[1]} URLs left; "
        "`orbweb resume out --max-pages 6` continues"
    ) in orbweb("status", "out").stdout
    assert orbweb("resume", "out", "-q").returncode == 0
    rows = records(tmp_path / "out" / "records.jsonl")
    assert max(Counter(row["url"] for row in rows if row.get("url")).values()) == 1
    again = orbweb("resume", "out", "-n", "5")
    assert last_line(again).startswith("Stopped at the page limit: 5 pages")
    assert last_line(orbweb("resume", "out")).startswith(  # the limit is kept
        "Stopped at the page limit: 5 pages"
    )
    assert last_line(orbweb("resume", "out", "-n", "none")).startswith("Finished: ")
    rows = records(tmp_path / "out" / "records.jsonl")
    assert max(Counter(row["url"] for row in rows if row.get("url")).values()) == 1
    assert [row["seq"] for row in rows] == list(range(len(rows)))


def test_a_resume_refuses_bad_values(orbweb: Orbweb) -> None:
    wrong = orbweb("resume", "missing", "-n", "many")
    assert "--max-pages: expected a whole number" in wrong.stderr
    assert "holds no crawl" in orbweb("resume", "missing", "-n", "5").stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["crawl"], 2, "there is no URL to start from"),
        (["crawl", "mailto:a@b.test"], 2, "not supported"),
        (["crawl", "http://[::1"], 2, "is not a valid URL"),
        (["crawl", "a.test", "-d", "file/below"], 3, "file"),
        (
            ["a.test", "-d", "new", "-H", "Cookie: env:NO_SUCH"],
            2,
            "environment variable NO_SUCH is not set",
        ),
        (["crawl", "--config", "missing.toml"], 2, "missing.toml: No such file"),
        (["resume", "missing"], 2, "holds no crawl"),
        (
            ["http://127.0.0.1:9/", "-t", "1"],
            4,
            "Next: orbweb fetch http://127.0.0.1:9/",
        ),
        (
            ["http://nowhere.invalid/", "-t", "1"],
            4,
            "Failed, no seed could be fetched (",
        ),
        (
            ["http://127.0.0.1:9/", "--exclude", "."],
            9,
            "every seed is excluded by robots.txt or",
        ),
    ],
)
def test_bad_input(
    orbweb: Orbweb, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    done = orbweb(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "new").exists()


def test_https_is_assumed_with_a_note(orbweb: Orbweb) -> None:
    done = orbweb("127.0.0.1:9", "-t", "1")
    assert done.stderr.startswith(
        "orbweb: 127.0.0.1:9: no scheme given, https assumed; "
        "write http:// for plain HTTP\n"
    )


# ------------------------------------------------------------------ several crawls


@pytest.mark.parametrize("how", ["in_order", "side_by_side"])
def test_jobs(orbweb: Orbweb, server: DemoServer, tmp_path: Path, how: str) -> None:
    (tmp_path / "batch.toml").write_text(
        f'jobs = "{how}"\nseeds = ["{server.url}"]\n'
        "politeness.wait = 0\nlimits.max_pages = 2\n"
        '[[job]]\nname = "one"\nimages.fetch = false\n'
        '[[job]]\nname = "two"\nrecords.include = ["links"]\n'
        '[[job]]\nname = "three"\nseeds = ["http://127.0.0.1:9/"]\nretry.tries = 1\n'
    )
    done = orbweb("crawl", "--config", "batch.toml")
    assert done.returncode == 4
    assert sum("Records: " in line for line in done.stderr.splitlines()) == 3
    one, two = (records(tmp_path / name / "records.jsonl") for name in ("one", "two"))
    assert kinds(one)["image"] == 0
    assert kinds(two)["image"] > 0
    assert next(row for row in two if row["type"] == "page")["links"]
    assert orbweb("resume", "--config", "batch.toml", "-q").returncode == 4


# ------------------------------------------------------------------ fetch


def test_fetch_shows_all_about_a_page(orbweb: Orbweb, server: DemoServer) -> None:
    done = orbweb("fetch", f"{server.url}visit")
    assert (done.returncode, done.stderr) == (0, "")
    for piece in (
        "301 redirect",
        "200 OK",
        "allowed; applicable rules in robots.txt: 1",
        "page, text/html",
        "█",
        "content-length: ",
        "links (",
        "Opening hours.",
    ):
        assert piece in done.stdout, piece


def test_fetch_shows_an_image_and_what_is_closed(
    orbweb: Orbweb, server: DemoServer
) -> None:
    shown = orbweb("fetch", f"{server.url}images/funnel.gif").stdout
    assert "240 x 160" in shown
    closed = orbweb("fetch", f"{server.url}storeroom/index.html")
    assert closed.returncode == 0
    assert (
        "a crawl would skip this: robots.txt:2 Disallow: /storeroom/" in closed.stdout
    )


def test_fetch_shows_each_exchange(orbweb: Orbweb, server: DemoServer) -> None:
    result = orbweb("fetch", server.url, "-v", "-H", "Cookie: sid=s3cr3t")
    assert result.returncode == 0
    assert "> GET /robots.txt HTTP/1.1" in result.stderr
    assert "> GET / HTTP/1.1" in result.stderr
    assert "< HTTP/1." in result.stderr
    assert "> Cookie: sid=" in result.stderr
    assert "s3cr3t" not in result.stderr + result.stdout


def test_fetch_as_json(orbweb: Orbweb, server: DemoServer) -> None:
    done = orbweb("fetch", "--json", server.url)
    robots, page = map(json.loads, done.stdout.splitlines())
    assert (robots["type"], page["type"]) == ("robots", "page")
    assert page["links"]
    assert page["headers"]


def test_fetch_of_what_fails(orbweb: Orbweb, server: DemoServer) -> None:
    done = orbweb("fetch", f"{server.url}lost.html")
    assert done.returncode == 10  # it was answered
    assert "status_4xx" in done.stdout
    done = orbweb("fetch", "http://127.0.0.1:9/")
    assert done.returncode == 4
    assert "connect_refused (connect)" in done.stdout


# ------------------------------------------------------------------ export


def test_export_writes_to_stdout_or_to_a_file(
    orbweb: Orbweb, server: DemoServer, tmp_path: Path
) -> None:
    orbweb("crawl", server.url, *QUICK, "-d", "out", "--no-images")
    pages = [
        row["url"]
        for row in records(tmp_path / "out" / "records.jsonl")
        if row["type"] == "page"
    ]
    done = orbweb("export", "out", "--to", "urls")
    assert (done.returncode, done.stdout.split()) == (0, pages)
    arguments = ("--to", "csv", "--type", "page", "--columns", "url,status")
    done = orbweb("export", "out", *arguments, "-o", "pages.csv")
    assert (done.returncode, done.stdout) == (0, "")
    assert last_line(done) == f"pages.csv: {len(pages)} records"
    header, *lines = (tmp_path / "pages.csv").read_text().splitlines()
    assert (header, len(lines)) == ("url,status", len(pages))
    done = orbweb("export", "out/records.jsonl", "--to", "csv", "--split-types")
    assert done.returncode == 2
    assert last_line(done).endswith("--split-types needs a file: -o records.csv")
    done = orbweb("export", "nowhere", "--to", "csv")
    assert done.returncode == 2
    assert "nowhere holds no crawl" in last_line(done)


ITEMS = """\
{"type":"schema","url":"","data":{"price":0.0,"stars":0}}
{"type":"page","url":"http://a.example/","data":{"price":2.5}}
{"type":"item","url":"http://a.example/","index":0,"data":{"stars":5}}
{"type":"item","url":"http://a.example/","index":1,"data":{"stars":2,"late":"x"}}
"""


def test_the_fields_of_data_are_columns_for_columns_and_where(
    orbweb: Orbweb, tmp_path: Path
) -> None:
    (tmp_path / "records.jsonl").write_text(ITEMS)
    export = ("export", "records.jsonl", "-t", "csv")
    names = ("--columns", "type,index,data.stars,data.late")
    done = orbweb(*export, *names, "--where", "data.stars > 1 AND `index` > 0")
    assert done.stdout.splitlines() == [names[1], "item,1,2,x"]
    done = orbweb(*export, "--type", "item", "--where", "stars > 3")
    assert done.stdout.splitlines()[1].endswith('{""stars"":5}"')
    for option, wrong in (("--columns", "data.star"), ("--where", "data.star > 3")):
        done = orbweb(*export, option, wrong)
        assert (done.returncode, done.stdout) == (2, "")
        assert last_line(done).endswith("; did you mean data.stars?")


def test_an_export_does_not_replace_the_records_that_it_reads(
    orbweb: Orbweb, tmp_path: Path
) -> None:
    stream = tmp_path / "records.jsonl"
    stream.write_text('{"type":"page","url":"http://a.example/"}\n')
    (tmp_path / "same").symlink_to(stream)
    for name in ("records.jsonl", "./records.jsonl", "same"):
        done = orbweb("export", "records.jsonl", "--to", "csv", "-o", name)
        assert done.returncode == 2
        assert "is the file that is read; name another" in last_line(done)
    assert stream.read_text().startswith('{"type"')


@pytest.mark.parametrize("name", ["a.parquet.gz", "a.sqlite.zst"])
def test_a_format_that_is_not_compressed_does_not_get_the_name_of_one_that_is(
    orbweb: Orbweb, tmp_path: Path, name: str
) -> None:
    (tmp_path / "records.jsonl").write_text('{"type":"page"}\n')
    form = name.split(".")[1]
    done = orbweb("export", "records.jsonl", "--to", form, "-o", name)
    assert done.returncode == 2
    assert f"--to {form} is not compressed by its name: -o a.{form}" in last_line(done)
    assert not (tmp_path / name).exists()
