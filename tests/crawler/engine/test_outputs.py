"""A crawl with several outputs: each gets every record, each rewinds by itself."""

import json
import shutil
from pathlib import Path

import pytest

from crawler.cli import run
from crawler.engine.builder import open_crawl
from crawler.model.content_config import OutputConfig
from crawler.model.errors import UsageError
from crawler.model.policy_config import LimitsConfig
from crawler.output.compression import open_unpacked
from crawler.output.lines import stream_files
from crawler.workspace.open import stored_config
from tests.helpers.crawling import config, crawl, link, page
from tests.helpers.sinks import open_batch_folder, read_batch_folder


def seqs(path: Path) -> list[int]:
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    return [line["seq"] for line in lines if line["type"] != "schema"]


def test_each_output_gets_every_record(serve, tmp_path):
    site = serve(index=page(link("/a", "/b")), a=page(), b=page())
    outputs = (str(tmp_path / "one.jsonl"), str(tmp_path / "two.jsonl"))
    crawl(config(site, tmp_path / "c", output=outputs))
    one, two = (Path(output).read_bytes() for output in outputs)
    assert one == two
    assert len(seqs(tmp_path / "one.jsonl")) == 5
    assert not (tmp_path / "c" / "records.jsonl").exists()


def test_each_output_rewinds_to_its_own_position(serve, tmp_path):
    site = serve(index=page(link("/a")), a=page())
    outputs = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    crawl(config(site, tmp_path / "c", output=tuple(map(str, outputs))))
    for path, rest in zip(
        outputs, (b'{"type":"pa', b"whole, not committed\n"), strict=True
    ):
        with path.open("ab") as file:
            file.write(rest)
    crawl(stored_config(tmp_path / "c"), "resume")
    assert seqs(outputs[0]) == seqs(outputs[1]) == [1, 2, 3, 4, 5, 6]


def test_a_sink_of_the_caller_takes_part(serve, tmp_path):
    site = serve(index=page(link("/a")), a=page())
    folder = tmp_path / "batches"

    def opener(position):
        return open_batch_folder(str(folder), position, None)

    for mode in ("new", "resume"):
        open_crawl(
            config(site, tmp_path / "c"), mode=mode, sinks={"batches": opener}
        ).run()
    assert read_batch_folder(folder) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_a_compressed_output_holds_what_a_plain_one_does(serve, tmp_path, ending):
    site = serve(index=page(link("/a", "/b")), a=page(), b=page())
    plain, packed = tmp_path / "one.jsonl", tmp_path / f"one.jsonl{ending}"
    crawl(config(site, tmp_path / "c", output=(str(plain), str(packed))))
    with packed.open("ab") as file:
        file.write(packed.read_bytes()[:-5])
    crawl(stored_config(tmp_path / "c"), "resume")
    unpacked = open_unpacked(packed, ending).read()
    assert unpacked == plain.read_bytes()
    assert seqs(plain) == list(range(1, 8))


def seqs_in_parts(path):
    return [seq for part in stream_files(path) for seq in seqs(part)]


def rotated(site, tmp_path, **settings):
    records = OutputConfig(rotate="2K")
    return config(site, tmp_path / "c", records=records, **settings)


def pages(serve, number=40):
    names = [f"p{n}" for n in range(number)]
    return serve(
        index=page(link(*(f"/{name}" for name in names))),
        **{name: page(f"<title>{name}</title>") for name in names},
    )


def test_a_rotated_output_goes_on_after_its_parts_were_taken_away(serve, tmp_path):
    site = pages(serve)
    first = rotated(site, tmp_path, limits=LimitsConfig(max_pages=9))
    crawl(first)
    path = tmp_path / "c" / "records.jsonl"
    parts = stream_files(path)
    assert len(parts) > 1
    away = tmp_path / "away"
    away.mkdir()
    for mode in ("resume", "newer", "resume"):
        for part in stream_files(path):
            part.rename(away / part.name)
        crawl(rotated(site, tmp_path), mode)
    for part in stream_files(path):
        part.rename(away / part.name)
    found = seqs_in_parts(away / path.name)
    assert found == list(range(1, len(found) + 1))
    assert len(found) > 2 * 41
    names = [part.name for part in stream_files(away / path.name)]
    assert names == [f"records-{n:05}.jsonl" for n in range(1, len(names) + 1)]


def test_the_setting_may_change_on_resume(serve, tmp_path):
    site = pages(serve)
    path = tmp_path / "c" / "records.jsonl"
    crawl(config(site, tmp_path / "c", limits=LimitsConfig(max_pages=5)))
    crawl(rotated(site, tmp_path, limits=LimitsConfig(max_pages=15)), "resume")
    count = len(stream_files(path))
    assert path.exists()
    assert count > 1
    crawl(config(site, tmp_path / "c"), "resume")
    assert len(stream_files(path)) == count
    found = seqs_in_parts(path)
    assert found == list(range(1, len(found) + 1))
    assert len(found) > 41


def test_a_new_crawl_refuses_parts_and_a_fresh_one_deletes_them(serve, tmp_path):
    site = pages(serve)
    path = tmp_path / "c" / "records.jsonl"
    crawl(rotated(site, tmp_path))
    shutil.rmtree(tmp_path / "c" / "state")
    with pytest.raises(UsageError, match=r"records-00001\.jsonl is there already"):
        crawl(rotated(site, tmp_path))
    crawl(config(site, tmp_path / "c"), "fresh")
    assert stream_files(path) == [path]


def test_commands_and_the_result_line_follow_the_parts(serve, tmp_path, capsys):
    site = pages(serve)
    folder = str(tmp_path / "c")
    words = ["-w", "0", "--rotate", "2K", "--no-robots", "-d", folder]
    assert run(["crawl", site.url("/"), *words]) == 0
    parts = stream_files(tmp_path / "c" / "records.jsonl")
    named = f"{parts[0]} to {parts[-1].name}"
    assert f"Records: {named}. " in capsys.readouterr().err
    assert run(["status", folder]) == 0
    assert f"records  {named} (" in capsys.readouterr().out
    assert run(["status", "--json", folder]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["records"] == str(parts[-1])
    assert shown["records_bytes"] == sum(part.stat().st_size for part in parts)
    assert run(["export", folder, "-t", "jsonl", "--type", "page"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 41


@pytest.mark.parametrize("text", ["100", "daily"])
def test_a_rotation_that_is_none_is_refused(text, tmp_path, capsys):
    words = ["crawl", "http://127.0.0.1:1/", "-d", str(tmp_path / "c")]
    assert run([*words, "--rotate", text]) == 2
    error = capsys.readouterr().err
    assert "--rotate" in error
    assert "write 100M or 1G, or 30m, 1h or 1d" in error
    assert not (tmp_path / "c").exists()


def test_an_output_that_is_named_twice_is_one(serve, tmp_path):
    site = serve(index=page())
    output = str(tmp_path / "one.jsonl")
    crawl(config(site, tmp_path / "c", output=(output, output)))
    assert seqs(tmp_path / "one.jsonl") == [1, 2, 3]


@pytest.mark.parametrize(
    "name", ["pages.csv", "PAGES.PARQUET", "all.csv.gz", "x.warc.gz"]
)
def test_an_output_of_another_format_is_refused(serve, tmp_path, name):
    """A reader of that format would find JSON Lines in the file."""
    site = serve(index=page())
    wrong = config(site, tmp_path / "out", output=(str(tmp_path / name),))
    with pytest.raises(UsageError, match=r"no sink writes \.\w+; .*\.jsonl"):
        open_crawl(wrong, mode="new")
    assert list(tmp_path.iterdir()) == []
