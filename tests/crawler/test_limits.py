"""Limits: exact page counts, and which limit ends the crawl."""

from crawler.config import ImagesConfig, LimitsConfig
from crawler.frontier.memory import MemoryStore
from crawler.limits import Limits
from crawler.records import Image, Lease, Skip
from crawler.schema import FileRecord


def lease(host: str = "a.example") -> Lease:
    return Lease(f"http://{host}/", 1, host, "a", "page", 1, 0, 0)


def limits(pages: int = 0, images: ImagesConfig | None = None, **config) -> Limits:
    return Limits(
        LimitsConfig(**config), images or ImagesConfig(), MemoryStore(), started=100.0, pages=pages
    )


def test_pages_are_counted_exactly_and_across_runs():
    subject = limits(pages=1, max_pages=3)
    assert [subject.take_page(lease()) for _ in range(4)] == [True, True, False, False]
    assert subject.reached(100.0) == "limit_pages"


def test_each_host_has_its_own_limit():
    subject = limits(max_pages_per_host=1)
    assert subject.take_page(lease("a.example"))
    assert not subject.take_page(lease("a.example"))
    assert subject.take_page(lease("b.example"))
    assert subject.judge(lease("a.example")) == Skip("limit_host", "limits.max_pages_per_host: 1")
    assert subject.judge(lease("c.example")) is None
    assert subject.reached(100.0) is None


def test_bytes_and_time():
    subject = limits(max_bytes=10, max_time=5.0)
    assert subject.reached(104.9) is None
    assert subject.reached(105.0) == "limit_time"
    subject.take(FileRecord(url="u", url_id="0", host="h", status=200, wire_bytes=10))
    assert subject.reached(104.9) == "limit_bytes"


def test_small_images_name_the_rule_and_unknown_sizes_pass():
    subject = limits(images=ImagesConfig(min_width=100, min_height=50))
    small = Image("image/png", "png", 200, 49)
    assert subject.judge_image(small) == Skip("filter_dimensions", "images.min_height: 50 > 49")
    assert subject.judge_image(Image("image/png", "png", 100, 50)) is None
    assert subject.judge_image(Image("image/svg+xml", "svg", None, None)) is None
