"""`--from-warc`: files that other programs have written."""

from __future__ import annotations

import gzip
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from crawler.engine.extraction.extraction import MAX_TOLD
from crawler.engine.extraction.opening import extract_warcs
from crawler.model.config import Config
from crawler.model.content_config import BodiesConfig, FieldConfig, ImagesConfig
from crawler.model.http_config import HttpConfig
from tests.helpers.crawling import png

DATE = "2024-05-06T07:08:09Z"
HTML = b"<title>A page</title><h1>Heading</h1><a href=/b>b</a>"


class _Writer(WARCWriter):  # type: ignore[misc]  # warcio is untyped
    @classmethod
    def _create_temp_file(cls) -> BytesIO:
        return BytesIO()  # warcio leaves its own open


class Warc:
    """A file as warcio writes it, in the order of wget: request, response, metadata."""

    def __init__(self, path: Path, version: str = "WARC/1.0", gzipped: bool = True):
        self.path = path
        self._file = path.open("wb")
        self._writer = _Writer(self._file, gzip=gzipped, warc_version=version)
        self._writer.write_record(
            self._writer.create_warcinfo_record(path.name, {"software": "test"})
        )

    def close(self) -> Path:
        self._file.close()
        return self.path

    def offset(self) -> int:
        return self._file.tell()

    def damage(self, data: bytes) -> None:
        self._file.write(data)

    def put(
        self, kind: str, url: str, body: bytes, http: Any = None, **fields: str
    ) -> Any:
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        made = self._writer.create_warc_record(
            url, kind, payload=BytesIO(body), http_headers=http,
            warc_headers_dict={"WARC-Date": DATE, **named},
        )  # fmt: skip
        self._writer.write_record(made)
        return made

    def page(
        self, url: str, body: bytes = HTML, *headers: tuple[str, str],
        status: str = "200 OK", via: str = "", **fields: str,
    ) -> tuple[str, str]:  # fmt: skip
        """Returns the id of the response, and the digest of its payload."""
        asked = StatusAndHeaders(
            "GET / HTTP/1.1", [("Host", "x")], is_http_request=True
        )
        self.put("request", url, b"", asked)
        named = headers or (("Content-Type", "text/html"),)
        answer = StatusAndHeaders(status, list(named), protocol="HTTP/1.1")
        made = self.put("response", url, body, answer, **fields)
        identity: str = made.rec_headers["WARC-Record-ID"]
        if via:
            text = f"via: {via}\r\nhopsFromSeed: LRE\r\nfetchTimeMs: 42\r\n".encode()
            about = {"WARC-Concurrent-To": identity}
            self.put("metadata", url, text, None, **about)
        digest: str = made.rec_headers["WARC-Payload-Digest"]
        return identity, digest

    def revisit(self, url: str, status: str = "200 OK", **fields: str) -> None:
        answer = StatusAndHeaders(status, [("ETag", '"2"')], protocol="HTTP/1.1")
        self.put("revisit", url, b"", answer, **fields)


def extract(
    files: list[Path], folder: Path, **changes: Any
) -> tuple[list[dict[str, Any]], list[str]]:
    """The records but those of the run, and what was told."""
    said: list[str] = []
    fields = {"h1": FieldConfig("css:h1::text")}
    extract_warcs(files, Config(dir=str(folder), fields=fields, **changes), said.append)
    lines = (folder / "records.jsonl").read_bytes().splitlines()
    found = [json.loads(line) for line in lines]
    return [one for one in found if one["type"] not in ("schema", "run")], said


@pytest.mark.parametrize("version", ["WARC/1.0", "WARC/1.1"])
@pytest.mark.parametrize("gzipped", [True, False])
def test_what_other_programs_write(tmp_path: Path, version: str, gzipped: bool) -> None:
    warc = Warc(tmp_path / "w.warc", version, gzipped)
    warc.page("<http://a.test/>", WARC_IP_Address="192.0.2.1", via="http://a.test/from")
    warc.page("http://a.test/moved", b"", ("Location", "/"), status="301 Moved")
    warc.page("http://a.test/gone", b"", status="404 Not Found")
    warc.page("http://a.test/i.png", png(), ("Content-Type", "image/png"))
    warc.page("http://a.test/robots.txt", b"User-agent: *")
    warc.put("response", "dns:a.test", b"192.0.2.1", None, Content_Type="text/dns")
    warc.put("resource", "metadata://gnu.org/wget.log", b"log", None)
    found, said = extract([warc.close()], tmp_path / "out")
    page, redirect, error, image = found
    assert (page["type"], page["url"], page["data"]) == (
        "page", "http://a.test/", {"h1": "Heading"}
    )  # fmt: skip
    known = {
        "status": 200, "remote_ip": "192.0.2.1", "fetched_at": DATE[:-1] + ".000Z",
        "depth": 2, "fetch_ms": 42, "parent_url": "http://a.test/from",
        "link_kind": None, "seed_url": None, "queue_ms": None, "ttfb_ms": None,
    }  # fmt: skip
    assert {name: page[name] for name in known} == known
    assert (redirect["type"], redirect["location"]) == ("redirect", "http://a.test/")
    assert (error["error_code"], error["status"]) == ("status_4xx", 404)
    assert (image["width"], image["depth"], image["fetch_ms"]) == (3, None, None)
    assert (tmp_path / "out" / image["path"]).read_bytes() == png()
    assert said == [
        "records that are no answers were left out: 5 request, 1 warcinfo, 1 response, "
        "1 resource"
    ]


def test_images_and_bodies_are_saved_as_by_a_crawl(tmp_path: Path) -> None:
    warc = Warc(tmp_path / "w.warc.gz")
    warc.page("http://a.test/")
    warc.page("http://a.test/again")
    warc.page("http://a.test/i.png", png(), ("Content-Type", "image/png"))
    file = warc.close()
    first, again = extract(
        [file], tmp_path / "a", bodies=BodiesConfig(("html",)),
        images=ImagesConfig(fetch=False),
    )[0]  # fmt: skip
    assert first["body_path"] == again["body_path"]
    assert (tmp_path / "a" / first["body_path"]).read_bytes() == HTML
    *_, image = extract([file], tmp_path / "b")[0]
    assert (tmp_path / "b" / image["path"]).is_file()
    assert not (tmp_path / "a/images").exists()


def test_revisits_have_the_body_that_they_refer_to(tmp_path: Path) -> None:
    warc, later = Warc(tmp_path / "a.warc.gz"), Warc(tmp_path / "b.warc")
    same = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
    identity, digest = warc.page("http://a.test/")
    _, digest_of_later = later.page("http://a.test/b", b"<h1>Later</h1>")
    warc.revisit("http://a.test/2", WARC_Profile=same, WARC_Payload_Digest=digest)
    by_id = {"WARC-Refers-To": identity, "WARC-Payload-Digest": "sha1:other"}
    warc.revisit("http://a.test/3", WARC_Profile=same, **by_id)
    of_later = {"WARC-Payload-Digest": digest_of_later}
    warc.revisit("http://a.test/4", WARC_Profile=same, **of_later)
    not_modified = same.replace("identical-payload-digest", "server-not-modified")
    warc.revisit("http://a.test/", "304 Not Modified", WARC_Profile=not_modified)
    lost = warc.offset()
    warc.revisit("http://a.test/5", WARC_Profile=same, WARC_Payload_Digest="sha1:CCCC")
    found, said = extract([warc.close(), later.close()], tmp_path / "out")
    assert [(one["url"][14:], one["data"]["h1"], one["status"]) for one in found] == [
        ("", "Heading", 200), ("2", "Heading", 200), ("3", "Heading", 200),
        ("", "Heading", 304), ("b", "Later", 200), ("4", "Later", 200),
    ]  # fmt: skip
    assert [one["from_cache"] for one in found[2:4]] == ["miss", "not_modified"]
    assert [one["etag"] for one in found[:4]] == [None, '"2"', '"2"', '"2"']
    assert said[0] == (
        f"{tmp_path}/a.warc.gz, offset {lost}: a revisit of http://a.test/5; what it "
        "refers to is in none of the files"
    )


def test_damage_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    warc = Warc(tmp_path / "w.warc.gz")
    warc.page("http://a.test/1")
    begins = warc.offset()
    for _ in range(MAX_TOLD + 5):
        warc.damage(gzip.compress(b"WARC/1.0\r\nno length\r\n\r\n"))
    warc.page("http://a.test/2")
    found, said = extract([warc.close(), tmp_path / "missing"], tmp_path / "out")
    assert [one["url"] for one in found] == ["http://a.test/1", "http://a.test/2"]
    assert said[0] == (
        f"{tmp_path}/w.warc.gz, offset {begins}: a record without a valid "
        "Content-Length"
    )
    assert len(said) == MAX_TOLD + 1


def test_what_cannot_be_read_as_http_is_an_error(tmp_path: Path) -> None:
    warc = Warc(tmp_path / "w.warc", gzipped=False)
    warc.damage(
        b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.test/\r\n"
        b"Content-Length: 4\r\n\r\nfour\r\n\r\n"
    )
    warc.page("http://a.test/long", b"x" * 2000)
    warc.page("http://a.test/cut", HTML, WARC_Truncated="length")
    warc.page("http://a.test/zip", b"x" * 2000, ("Content-Type", "application/zip"))
    found, _ = extract([warc.close()], tmp_path / "out", http=HttpConfig(max_body=1000))
    assert [one.get("error_code") or one["truncated"] for one in found] == [
        "protocol", "length", "length", "too_large"
    ]  # fmt: skip
    assert [one.get("body_bytes") for one in found[1:3]] == [1000, len(HTML)]
