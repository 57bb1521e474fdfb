"""A crawl with several outputs: each gets every record, each rewinds by itself."""

import json
from pathlib import Path

import pytest

from crawler.engine.builder import open_crawl
from crawler.model.errors import UsageError
from crawler.output.compression import open_unpacked
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
