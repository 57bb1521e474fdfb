"""`orbweb images`: the list, its filters, and the data sets that it writes."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from crawler.cli import run
from crawler.model.content_config import ImagesConfig
from tests.helpers.crawling import config, crawl, of, page, png, serve
from tests.site.page import reply

__all__ = ["serve"]

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>'


@pytest.fixture
def folder(serve: Any, tmp_path: Path) -> Path:
    """A crawl of six images, of which two have the same bytes."""
    site = serve(
        index=page(
            '<img src="/a.png" alt="An A"><img src="/same.png" alt="Too">'
            '<figure><img src="/b.png" title="T"><figcaption>A B</figcaption></figure>'
            '<img src="/c.png"><img src="/d.svg" alt="drawing"><a href="/next">x</a>'
        ),
        next=page('<img src="/e.png" alt="" title="Only ü">'),
        **{
            f"{name}.png": reply(png(width, width), "image/png")
            for name, width in (
                ("a", 10),
                ("same", 10),
                ("b", 20),
                ("c", 30),
                ("e", 40),
            )
        },
        **{"d.svg": reply(SVG, "image/svg+xml")},
    )
    # One after the other, so that of two with the same bytes the first is kept.
    crawl(config(site, tmp_path / "out", concurrency=1))
    return tmp_path / "out"


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert run(["images", *arguments]) == 0
    out = capsys.readouterr().out
    return [line.rpartition("/")[2] for line in out.splitlines()]


def test_the_list(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["images", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    (line,) = (line for line in lines if line.endswith("/a.png"))
    (record,) = (one for one in of(folder, "image") if one["url"].endswith("/a.png"))
    size = f"{record['body_bytes']} B"
    assert line.split("  ")[-2:] == [record["path"], record["url"]]
    assert line.startswith("png")
    assert f"10x10 {size:>8}" in line


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (["--format", "svg"], {"d.svg"}),
        (["--min-image", "20x20"], {"b.png", "c.png", "e.png"}),
        (["--max-image", "20"], {"a.png", "same.png", "b.png", "d.svg"}),
        (["--min-image", "0.0009MP"], {"c.png", "e.png"}),
        (["--max-image", "70B"], {"d.svg"}),
        (["--page", "*/next"], {"e.png"}),
        (["--host", "elsewhere.test"], set()),
        (["--where", "title IS NOT NULL"], {"b.png", "e.png"}),
    ],
)
def test_each_filter(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    filters: list[str],
    names: set[str],
) -> None:
    assert set(listed(capsys, str(folder), *filters)) == names


def test_a_data_set_tells_when_and_where_a_photograph_was_taken(
    serve: Any, tmp_path: Path
) -> None:
    data = Image.Exif()
    data.update({0x010F: "Canon"})
    data.get_ifd(0x8769).update({0x9003: "2024:05:01 12:30:45"})
    data.get_ifd(0x8825).update({1: "N", 2: (48.0, 0, 0), 3: "E", 4: (16.0, 0, 0)})
    photo = io.BytesIO()
    Image.new("RGB", (9, 9)).save(photo, "JPEG", exif=data.tobytes())
    site = serve(
        index=page('<img src="/photo.jpg"><img src="/drawing.png">'),
        **{
            "photo.jpg": reply(photo.getvalue(), "image/jpeg"),
            "drawing.png": reply(png(8, 8), "image/png"),
        },
    )
    folder, out = tmp_path / "out", tmp_path / "data"
    crawl(config(site, folder, images=ImagesConfig(gps=True)))
    assert run(["images", str(folder), "--to", "imagefolder", "-o", str(out)]) == 0
    lines = (out / "train" / "metadata.jsonl").read_text().splitlines()
    rows = {row["format"]: row for row in map(json.loads, lines)}
    names = ("camera_make", "camera_model", "has_gps", "latitude", "longitude")
    told = {form: [row[name] for name in names] for form, row in rows.items()}
    assert told == {
        "jpeg": ["Canon", "", True, "48.0", "16.0"],
        "png": ["", "", False, "", ""],
    }
    assert rows["jpeg"]["taken_at"].startswith("2024-05-01T12:30:45")
    assert rows["png"]["taken_at"] == ""


@pytest.fixture
def shared(serve: Any, tmp_path: Path) -> tuple[str, Path]:
    """A logo on three pages, on one by a redirect, and a picture on one alone."""
    site = serve(
        index=page('<img src="/logo.png"><a href="/b">b</a><a href="/c">c</a>'),
        b=page('<img src="/alone.png"><img src="/logo.png">'),
        c=page('<a href="/old.png">The logo</a>'),
        **{
            "logo.png": reply(png(10, 10), "image/png"),
            "alone.png": reply(png(20, 20), "image/png"),
            "old.png": reply(status=302, headers=(("Location", "/logo.png"),)),
        },
    )
    crawl(config(site, tmp_path / "out", concurrency=1))
    return site.url("").rstrip("/"), tmp_path / "out"


def test_all_pages_that_show_an_image(
    shared: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site, folder = shared
    assert run(["images", str(folder), "--all-pages"]) == 0
    first, second = _below_images(capsys.readouterr().out)
    assert first == [f"{site}/", f"{site}/b", f"{site}/c"]
    assert second == [f"{site}/b"]
    assert listed(capsys, str(folder), "--page", "*/b") == ["logo.png", "alone.png"]
    assert listed(capsys, str(folder), "--page", "*/c") == ["logo.png"]
    data = tmp_path / "data"
    assert run(["images", str(folder), "--to", "imagefolder", "-o", str(data)]) == 0
    lines = (data / "train" / "metadata.jsonl").read_text().splitlines()
    shown = {row["url"]: row["page_urls"] for row in map(json.loads, lines)}
    assert shown == {f"{site}/logo.png": first, f"{site}/alone.png": second}
    assert run(["images", str(folder), "--all-pages", "--to", "csv"]) == 2


def _below_images(out: str) -> list[list[str]]:
    """The indented lines below each image."""
    pages: list[list[str]] = []
    for line in out.splitlines():
        if line.startswith("  "):
            pages[-1].append(line.strip())
        else:
            pages.append([])
    return pages


def test_the_first_n(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(listed(capsys, str(folder), "-n", "2")) == 2


def test_a_record_that_was_written_again_counts_once(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "records.jsonl"
    again = [line for line in file.read_bytes().splitlines() if b"/a.png" in line]
    again = [line for line in again if line.startswith(b'{"type":"image"')]
    with file.open("ab") as stream:
        stream.write(again[0].replace(b'"An A"', b'"Again"') + b"\n")
    assert len(listed(capsys, str(folder))) == 6
    assert listed(capsys, str(folder), "--where", "alt = 'Again'") == ["a.png"]


def test_csv_has_the_captions(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["images", str(folder), "--to", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    found = {row["url"].rpartition("/")[2]: row for row in rows}
    assert len(rows) == 6
    assert (found["b.png"]["title"], found["b.png"]["caption"]) == ("T", "A B")
    assert {row["type"] for row in rows} == {"image"}


def test_jsonl_and_parquet(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "images.jsonl"
    assert run(["images", str(folder), "--to", "jsonl", "-o", str(out)]) == 0
    assert len(out.read_text().splitlines()) == 6
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "images.parquet"
    assert run(["images", str(folder), "--to", "parquet", "-o", str(out)]) == 0
    assert parquet.read_table(out).num_rows == 6


TEXTS = {"An A", "A B", "", "Only ü"}


def test_imagefolder(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "data"
    assert run(["images", str(folder), "--to", "imagefolder", "-o", str(out)]) == 0
    train = out / "train"
    rows = [
        json.loads(line) for line in (train / "metadata.jsonl").read_text().splitlines()
    ]
    assert {row["text"] for row in rows} == TEXTS
    assert len(rows) == 4  # one of two with the same bytes, and no SVG
    for row in rows:
        body = (train / row["file_name"]).read_bytes()
        assert hashlib.sha256(body).hexdigest() == row["sha256"]
        assert None not in row.values()
        assert row.keys() == rows[0].keys()
    files = {str(file.relative_to(train)) for file in train.glob("*/*")}
    assert files == {row["file_name"] for row in rows}
    assert "1 SVG, HEIC or JPEG XL left out" in capsys.readouterr().err
    assert run(["images", str(folder), "--to", "imagefolder", "-o", str(out)]) == 2
    assert list(tmp_path.glob("data.part*")) == []


def test_webdataset(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "shards"
    arguments = ["--to", "webdataset", "--shard", "3", "--caption", "title,alt"]
    assert run(["images", str(folder), *arguments, "-o", str(out)]) == 0
    assert sorted(one.name for one in out.iterdir()) == ["00000.tar", "00001.tar"]
    keys, texts = [], set()
    for shard in sorted(out.iterdir()):
        with tarfile.open(shard) as tar:
            members = tar.getmembers()
            for image, fields, text in zip(*(iter(members),) * 3, strict=True):
                key = image.name.partition(".")[0]
                keys.append(key)
                assert [image.name, fields.name, text.name] == [
                    f"{key}.jpg", f"{key}.json", f"{key}.txt"
                ]  # fmt: skip
                contents = [tar.extractfile(one) for one in (image, fields, text)]
                body, raw, words = (one.read() for one in contents if one is not None)
                row = json.loads(raw)
                assert hashlib.sha256(body).hexdigest() == row["sha256"]
                assert (row["key"], row["text"]) == (key, words.decode())
                texts.add(row["text"])
    assert keys == ["000000000", "000000001", "000000002", "000010000"]
    assert texts == {"An A", "T", "", "Only ü"}


def test_a_missing_file_is_left_out(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in (folder / "images").rglob("c-*"):
        file.unlink()
    out = tmp_path / "data"
    assert run(["images", str(folder), "--to", "imagefolder", "-o", str(out)]) == 0
    err = capsys.readouterr().err
    assert "3 images" in err
    assert "1 left out, whose file is missing" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--to", "imagefolder"], "needs a new folder"),
        (["--to", "parquet"], "needs a file"),
        (["--min-image", "big"], "write WIDTHxHEIGHT"),
        (["--format", "jpg"], "not one of jpeg"),
        (["--where", "nonsense ("], "--where"),
    ],
)
def test_usage_errors(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert run(["images", str(folder), *arguments]) == 2
    assert says in capsys.readouterr().err
