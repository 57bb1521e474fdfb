"""`orbweb report`: the figures, the page and what the page may hold."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from crawler.cli import run
from crawler.inspect.report.failures import EXPLAINED, MAX_CAUSES, Failures, change
from crawler.inspect.report.gather import gather
from crawler.inspect.report.histogram import LogHistogram
from crawler.inspect.report.hosts import MAX_HOSTS, Hosts
from crawler.inspect.report.markup import el, readable, url_link
from crawler.inspect.report.page import page as made_page
from crawler.inspect.report.report import Report, State
from crawler.inspect.report.rows import Row
from crawler.inspect.report.sections.failed import SKIPPED
from crawler.inspect.report.site_tree import MAX_LEVELS, SiteTree
from crawler.inspect.report.timeline import MAX_BINS, Timeline
from crawler.model.reasons import ErrorCode, SkipReason
from tests.helpers import chromium
from tests.helpers.crawling import config, crawl, link, page
from tests.helpers.made_pictures import encoded, noise
from tests.site.page import reply
from tests.site.server import Site

HOSTILE = (
    "&lt;/script&gt;&lt;/title&gt;&lt;script src=//x.example/x.js&gt;&lt;/script&gt;"
    "&lt;img src=x onerror=alert(1)&gt; &lt;!--"
)
"""A title as a page has it; decoded it would end a script and begin one."""
ALT = '</script><svg onload="alert(1)">'
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><path d=""/></svg>'


@contextmanager
def small_site() -> Iterator[Site]:
    """Three pages, three pictures of which two are the same, a redirect, a failure."""
    picture = encoded(noise(1), "JPEG")
    site = Site(
        {
            "": reply(
                f"<!doctype html><title>{HOSTILE}</title>"
                + link("/about", "/gone", "/old", "/more")
                + f"<img src=/a.jpg alt='{ALT}'><img src=/b.jpg><img src=/c.svg>"
            ),
            "about": page("About us"),
            "more": page("More"),
            "old": reply(status=301, headers=(("Location", "/about"),)),
            "a.jpg": reply(picture, "image/jpeg"),
            "b.jpg": reply(picture, "image/jpeg"),
            "c.svg": reply(SVG, "image/svg+xml"),
        }
    )
    yield site
    site.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a crawl of the small site, with its records in two outputs."""
    folder = tmp_path_factory.mktemp("report") / "out"
    outputs = (str(folder / "records.jsonl"), str(folder / "packed.jsonl.gz"))
    with small_site() as site:
        # One at a time: which of two equal pictures is the first has to be certain.
        crawl(config(site, folder, output=outputs, concurrency=1))
    return folder


@pytest.fixture(scope="module")
def text(folder: Path) -> str:
    """The report of it."""
    return report(folder)


def report(folder: Path, *options: str) -> str:
    assert run(["report", str(folder), *options]) == 0
    return (folder / "report.html").read_text("utf-8")


class Parsed(HTMLParser):
    """The elements of a page, which have to be closed in their order."""

    VOID = frozenset({"meta", "input", "img"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        """Pairs of an element and a text in it."""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def text_of(self, tag: str) -> str:
        return "".join(text for of, text in self.texts if of == tag)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def sections(parsed: Parsed) -> list[str | None]:
    return [one["id"] for one in parsed.of("section") if "id" in one]


def pictures_in(text: str) -> list[dict[str, Any]]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text)
    assert found is not None
    pictures: list[dict[str, Any]] = json.loads(found[1])["pictures"]
    return pictures


# ------------------------------------------------------------------ the figures


def test_the_figures_of_a_crawl(folder: Path) -> None:
    found = gather([folder / "records.jsonl"])
    assert found.counts == {"page": 3, "image": 3, "redirect": 1, "error": 1}
    assert found.statuses == {200: 6, 301: 1, 404: 1}
    assert found.depths == {0: 1, 1: 2}
    assert found.pictures.duplicates == {"exact": 1}
    assert sum(sum(one.counts) for one in found.timeline.columns(1)) == 8
    ((cause, group),) = found.failures.groups.items()
    assert cause == ("status_4xx", 404)
    assert group.examples[0].url.endswith("/gone")
    assert group.examples[0].other.endswith("/")
    assert [*found.redirects.groups] == ["to another path"]
    (host,) = found.tree.top.folders.values()
    assert (host.pages, host.pictures, host.failed) == (3, 3, 1)
    assert {leaf.name for leaf in host.leaves} == {"", "about", "more", "gone"}


def test_of_several_records_of_a_url_the_last_counts_and_the_last_crawl(
    tmp_path: Path,
) -> None:
    file = tmp_path / "records.jsonl"
    rows = [
        line("page", "A", 1, "http://old.example/"),
        line("error", "B", 2, "http://a.example/", error_code="reset"),
        line("page", "B", 3, "http://a.example/b"),
        line("page", "B", 2, "http://a.example/", status=200),
        line("item", "B", 2, "http://a.example/"),
    ]
    file.write_bytes(b"".join(rows) + b'{"type":"page","run_id":"B","url')
    found = gather([file])
    assert found.counts == {"page": 2}
    assert (found.records, found.earlier, found.replaced) == (4, 1, 1)
    assert found.failures.count == 0


def line(kind: str, run_id: str, number: int, url: str, **fields: Any) -> bytes:
    ts = f"2026-11-30T12:00:0{number}.000Z"
    row = {"type": kind, "run_id": run_id, "ts": ts, "url": url, "host": "a.example"}
    return json.dumps(row | {"url_id": f"{number:016x}"} | fields).encode() + b"\n"


def test_a_pause_between_runs_takes_no_time() -> None:
    timeline = Timeline()
    timeline.add("2026-11-30T12:00:00.000Z", "page", 10)
    timeline.add("2026-11-30T12:00:04.000Z", "error")
    timeline.begin_run("2026-12-02T12:00:04.000Z")
    timeline.add("2026-12-02T12:00:06.000Z", "page", 20)
    timeline.add("2026-12-02T12:00:05.000Z", "page", 30)  # the clock was set back
    assert timeline.length_s == 6
    assert [(one.at_s, one.length_s) for one in timeline.pauses] == [(4, 2 * 86400)]
    columns = timeline.columns(2)
    assert [one.counts for one in columns] == [
        (1, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 1), (2, 0, 0, 0)
    ]  # fmt: skip
    assert [one.received for one in columns] == [10, 0, 0, 50]


def test_a_long_crawl_has_no_more_bins_than_a_short_one() -> None:
    timeline = Timeline()
    for n in range(3 * MAX_BINS):
        minutes, seconds = divmod(n, 60)
        hours, minutes = divmod(minutes, 60)
        timeline.add(f"2026-11-30T{hours:02}:{minutes:02}:{seconds:02}.000Z", "page")
    assert len(timeline._bins) <= MAX_BINS
    columns = timeline.columns(256)
    assert sum(one.counts[0] for one in columns) == 3 * MAX_BINS
    assert columns[5].counts[0] == pytest.approx(256, abs=4)


def test_quantiles() -> None:
    found = LogHistogram()
    for value in range(1, 1001):
        found.add(value)
    assert found.quantile(0.5) == pytest.approx(500, rel=0.06)
    assert found.quantile(0.95) == pytest.approx(950, rel=0.06)
    first, counts = found.shown()
    assert (first, sum(counts)) == (0, 1000)
    assert LogHistogram().quantile(0.5) == 0


def test_the_tree_and_the_hosts_are_bounded() -> None:
    tree = SiteTree()
    tree.add("http://a.example/" + "x/" * 3000 + "y")
    folder, levels = tree.top, 0
    while folder.folders:
        (folder,) = folder.folders.values()
        levels += 1
    assert levels == MAX_LEVELS + 1
    assert (folder.pages, len(folder.leaves), folder.unnamed) == (1, 0, 1)
    hosts = Hosts()
    for n in range(MAX_HOSTS + 10):
        hosts.add(Row("page", host="large.example"))
        hosts.add(Row("page", host=f"{n}.example"))
    assert len(hosts) <= MAX_HOSTS
    assert hosts.dropped > 0
    assert hosts.largest(1)[0].pages == MAX_HOSTS + 10


def test_servers_cannot_make_up_causes_without_end() -> None:
    failures = Failures()
    for status in range(400, 1000):
        failures.add(Row("error", error_code="status_other", status=status))
    assert len(failures.groups) == MAX_CAUSES + 1
    assert failures.count == 600


def test_every_code_and_every_reason_has_its_words() -> None:
    assert EXPLAINED.keys() == set(get_args(ErrorCode))
    assert SKIPPED.keys() == set(get_args(SkipReason))


@pytest.mark.parametrize(
    ("url", "target", "what"),
    [
        ("http://a.example/x", "https://a.example/x", "from http to https"),
        ("http://a.example/", "https://www.a.example/", "with or without www"),
        ("http://a.example/x", "http://a.example/x/", "a slash at the end"),
        ("http://a.example/x", "http://b.example/x", "to another host"),
        ("http://a.example/x?a=1", "http://a.example/x?a=2", "to another query"),
        ("http://a.example/x", "http://a.example/y", "to another path"),
        ("http://a.example/x", "app7://a.example/x", "to another scheme"),
    ],
)
def test_what_a_redirect_changes(url: str, target: str, what: str) -> None:
    assert change(url, target) == what


# ------------------------------------------------------------------ the page


def test_the_page_is_well_formed_and_has_its_sections(text: str) -> None:
    parsed = Parsed(text)
    names = sections(parsed)
    assert [name for name in names if name != "time"] == [
        "overview", "answers", "hosts", "shape", "failed", "redirects",
        "audit", "tree", "pictures", "about",
    ]  # fmt: skip
    links = {one["href"] for one in parsed.of("a")}
    assert {f"#{name}" for name in names} <= links


def test_its_commands_can_be_run(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    copied = [one["data-copy"] or "" for one in Parsed(text).of("button")
              if "data-copy" in one]  # fmt: skip
    (retry,) = [words for words in copied if words.startswith("orbweb retry")]
    assert retry.endswith(" --code status_4xx")
    assert run([*shlex.split(retry)[1:], "--dry-run"]) == 0
    assert "1 failed URL would be queued" in capsys.readouterr().err
    for words in copied:
        if not words.startswith("orbweb retry"):
            assert run(shlex.split(words)[1:]) == 0


def test_the_faults_of_the_site_are_named(text: str) -> None:
    audit = text.partition('<section id="audit"')[2].partition('<section id="tree"')[0]
    assert re.search(r'class="num">1</span>Broken links', audit)
    assert re.search(r"/gone\b.*404 Not Found", audit)
    assert "Pages without a description" in audit
    assert "Slowest" not in audit


def test_an_extraction_has_the_pictures_of_its_crawl(folder: Path) -> None:
    target = folder.parent / "extracted"
    assert run(["extract", str(folder), "-d", str(target), "-q"]) == 0
    text = report(target)
    assert "Extracted from" in text
    assert "orbweb retry" not in text
    assert 'data-base="../out/"' in text
    assert len({one["#"] for one in pictures_in(text)}) == 2


def test_nothing_of_the_web_is_markup_and_nothing_is_requested(text: str) -> None:
    parsed = Parsed(text)
    for name, attributes in parsed.elements:
        assert not [key for key in attributes if key.startswith("on")], name
        assert "style" not in attributes
        assert "src" not in attributes
        target = attributes.get("href") or "#"
        assert target.startswith(("http://", "https://", "#"))
        if not target.startswith("#"):
            assert name == "a"
            assert attributes["rel"] == "noopener noreferrer nofollow"
    kinds = Counter(one.get("type") for one in parsed.of("script"))
    assert kinds == {None: 1, "application/json": 2, "text/plain": 1}
    assert "onerror=alert(1)" in text
    assert not re.search(r"url\(|@import|https?:", parsed.text_of("style"))


def test_the_policy_allows_the_page_alone(text: str) -> None:
    policy = next(
        one["content"] or ""
        for one in Parsed(text).of("meta")
        if one.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; ")
    for name in ("style", "script"):
        body = text.partition(f"<{name}>")[2].partition(f"</{name}>")[0]
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}';" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_pictures_have_their_records_and_thumbnails(text: str) -> None:
    one, other, svg = sorted(pictures_in(text), key=lambda one: one["url"][-5:])
    assert one["alt"] == ALT
    assert other["dup_of"] == one["url"]
    assert one["#"] == other["#"]
    lines = re.findall(r"data:(image/[\w+]+);base64,([\w+/=]+)", text)
    assert lines[one["#"]][0] == "image/webp"
    assert lines[svg["#"]] == ("image/svg+xml", base64.b64encode(SVG).decode())
    assert len(lines) == 2


def test_pictures_from_the_folder_and_none(folder: Path) -> None:
    target = folder.parent / "page.html"
    options = ["report", str(folder), "-o", str(target)]
    assert run([*options, "--no-thumbnails"]) == 0
    text = target.read_text()
    assert "shown from the folder of the crawl" in text
    assert "#" not in pictures_in(text)[0]
    assert 'data-base="out/"' in text
    assert run([*options, "--pictures", "0"]) == 0
    text = target.read_text()
    assert pictures_in(text) == []
    assert "3 pictures" in text


def empty_report(file: Path) -> Report:
    state = State("running", 7, 0, {}, 0, "orbweb resume out")
    return Report("out", "", (), state, gather([file]), [], {}, False, 0.0)


def test_a_crawl_without_records_yet(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    file.write_bytes(b'{"type":"run","run_id":"A","ts":"","event":"started"}\n')
    text = b"".join(made_page(empty_report(file))).decode()
    assert sections(Parsed(text)) == ["overview", "failed", "about"]
    assert "Running" in text
    file.write_bytes(b"")
    b"".join(made_page(empty_report(file)))


def test_a_crawl_has_a_course_unless_it_is_too_short(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    rows = [line("error", "A", n, f"http://a.example/{n}") for n in range(5)]
    file.write_bytes(rows[0])
    text = b"".join(made_page(empty_report(file))).decode()
    assert "time" not in sections(Parsed(text))
    assert "Nothing could be fetched" in text
    file.write_bytes(b"".join(rows))
    parsed = Parsed(b"".join(made_page(empty_report(file))).decode())
    assert "time" in sections(parsed)
    tips = [one["data-tip"] for one in parsed.of("g") if "data-tip" in one]
    assert "12:00:03 UTC\nFailed 1" in tips


def test_without_the_extra_it_says_how_to_get_thumbnails(folder: Path) -> None:
    found = gather([folder / "records.jsonl"])
    there = replace(
        empty_report(folder / "records.jsonl"),
        found=found,
        pictures=found.pictures.shown(),
    )
    assert b"orbweb[look]" in b"".join(made_page(there))


def test_the_pictures_with_the_most_pixels_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    sides = [5, 90, 7, 80, 90]
    file.write_bytes(
        b"".join(
            line("image", "A", n, f"http://a.example/{n}", width=side, height=1)
            for n, side in enumerate(sides)
        )
    )
    found = gather([file], max_pictures=2)
    assert [one.row.url[-1] for one in found.pictures.shown()] == ["1", "4"]
    assert found.pictures.count == 5


def test_a_picture_without_a_file_is_in_the_sheet(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    file.write_bytes(line("image", "A", 1, "http://a.example/1", path=None, width=2))
    found = gather([file])
    there = replace(empty_report(file), found=found, pictures=found.pictures.shown())
    (one,) = pictures_in(b"".join(made_page(there)).decode())
    assert (one["width"], "path" in one, "#" in one) == (2, False, False)


def test_long_urls_are_whole_or_no_links(tmp_path: Path) -> None:
    """URLs of content networks have signatures of many hundred characters."""
    file = tmp_path / "records.jsonl"
    signed, endless = (f"http://a.example/?s={'x' * n}" for n in (1200, 5000))
    file.write_bytes(
        line("image", "A", 1, signed, dup_of=signed, alt="y" * 5000)
        + line("image", "A", 2, endless)
        + line("redirect", "A", 3, "http://a.example/", location=endless, status=301)
    )
    found = gather([file])
    there = replace(empty_report(file), found=found, pictures=found.pictures.shown())
    text = b"".join(made_page(there)).decode()
    one, other = pictures_in(text)
    assert (one["url"], one["dup_of"]) == (signed, signed)
    assert (one["alt"][-1], other["url"][-1]) == ("…", "…")
    assert len(text) < 80_000
    hrefs = [one["href"] or "" for one in Parsed(text).of("a")]
    assert [href for href in hrefs if "xxx" in href] == []


def test_packed_records(folder: Path) -> None:
    plain, packed = (gather([folder / name]) for name in NAMES)
    assert plain.counts == packed.counts


NAMES = ("records.jsonl", "packed.jsonl.gz")


def test_a_folder_that_was_moved(tmp_path: Path) -> None:
    with small_site() as site:
        crawl(config(site, tmp_path / "out"))
    shutil.move(tmp_path / "out", tmp_path / "moved")
    assert "3 pictures" in report(tmp_path / "moved", "--no-thumbnails")


def test_usage_errors(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", str(tmp_path)]) == 2
    assert "holds no crawl" in capsys.readouterr().err
    records = str(folder / "records.jsonl")
    assert run(["report", str(folder), "-o", records]) == 2
    assert "is the file that is read" in capsys.readouterr().err


# ------------------------------------------------------------------ markup


def test_text_is_escaped_unless_it_is_markup() -> None:
    inner = el("b", "<&>", title='"x"')
    assert el("p", inner, " < ", 3) == (
        '<p><b title="&quot;x&quot;">&lt;&amp;&gt;</b> &lt; 3</p>'
    )
    assert "<a" not in url_link("javascript:alert(1)")
    assert 'href="http://a.example/?a=1&amp;b=%22"' in url_link(
        "http://a.example/?a=1&b=%22"
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/%D7%A2%D7%9B", "/עכ"),
        ("/a%20b", "/a%20b"),
        ("/%E2%80%AEtxt", "/%E2%80%AEtxt"),  # turns the direction of the text
        ("/%FF", "/%FF"),
        ("/%00", "/%00"),
    ],
)
def test_escapes_are_decoded_where_that_is_readable(url: str, shown: str) -> None:
    assert readable(url) == shown


# ------------------------------------------------------------------ in a browser


@pytest.fixture
def browser() -> Iterator[chromium.Chromium]:
    if reason := chromium.missing():
        pytest.skip(reason)
    with chromium.browser() as running:
        yield running


def test_chromium_shows_it(folder: Path, text: str, browser: chromium.Chromium) -> None:
    """The policy lets the script run, and the sheet filters and shows pictures."""
    assert (folder / "report.html").read_text() == text
    shown = browser.show(folder / "report.html")
    assert shown.failed == []
    found = browser.evaluate(SHOWN)
    assert found == [3, ["a.jpg"], 2, "a.jpg", True, 0]


def test_chromium_groups_what_is_the_same_over_others(
    tmp_path: Path, browser: chromium.Chromium
) -> None:
    """The third has the bytes of the second, which looks like the first."""
    file = tmp_path / "records.jsonl"
    one, other, third, fourth = (f"http://a.example/{n}" for n in range(4))
    file.write_bytes(
        line("image", "A", 1, one, format="png")
        + line("image", "A", 2, other, format="png", dup_of=one, dup_kind="near")
        + line("image", "A", 3, third, format="png", dup_of=other, dup_kind="exact")
        + line("image", "A", 4, fourth, format="png", dup_of=fourth)
    )
    found = gather([file])
    there = replace(empty_report(file), found=found, pictures=found.pictures.shown())
    (tmp_path / "page.html").write_bytes(b"".join(made_page(there)))
    browser.show(tmp_path / "page.html")
    assert browser.evaluate(ONE_OF_EACH) == ["4 shown", "2 shown", "3 shown"]


ONE_OF_EACH = """
(async () => {
    const form = document.getElementById("filters");
    const found = () => form.elements.found.value;
    for (let left = 2000; !found() && left; left -= 1)
        await new Promise((next) => setTimeout(next, 5));
    const all = found();
    return [all, ...["1", "2"].map((value) => {
        form.elements.show.value = value;
        form.dispatchEvent(new Event("input"));
        return found();
    })];
})()
"""


SHOWN = """
(async () => {
    const wait = async (done) => {
        for (let left = 2000; !done(); left -= 1) {
            if (!left) throw new Error(`waited in vain: ${done}`);
            await new Promise((next) => setTimeout(next, 5));
        }
    };
    const all = (selector) => [...document.querySelectorAll(selector)];
    document.getElementById("pictures").scrollIntoView();
    await wait(() => all(".tile img").length === 3);
    const form = document.getElementById("filters");
    const choose = (name, value) => {
        form.elements[name].value = value;
        form.dispatchEvent(new Event("input"));
    };
    const first = all(".tile").length;
    choose("text", "onload a.jpg");
    await wait(() => all(".tile").length === 1);
    const named = all(".tile .name").map((one) => one.textContent);
    choose("text", "");
    choose("show", "2");
    await wait(() => all(".tile").length === 2);
    const same = all(".tile").length;
    document.querySelector(".tile").click();
    const large = document.getElementById("large");
    await large.decode();
    const name = large.src.split("/").pop().split("-")[0];
    return [first, named, same, name.includes("a") ? "a.jpg" : name,
            large.naturalWidth > 0, all("img[onerror], svg[onload]").length];
})()
"""
