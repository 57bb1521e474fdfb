"""Limits: exact page counts, and which limit ends the crawl."""

from crawler.frontier.memory import MemoryStore
from crawler.model.content_config import ImagesConfig
from crawler.model.crawl import Lease, Skip
from crawler.model.documents import Image
from crawler.model.policy_config import LimitsConfig
from crawler.policy.check import Candidate
from crawler.policy.quotas import Quotas


def lease(
    host: str = "a.example", path: str = "", destination="page", kind="a"
) -> Lease:
    return Lease(f"http://{host}/{path}", 1, host, kind, destination, 1, 0, 0)


def limits(pages: int = 0, images: ImagesConfig | None = None, **config) -> Quotas:
    return Quotas(
        LimitsConfig(**config),
        images or ImagesConfig(),
        MemoryStore(),
        started=100.0,
        pages=pages,
    )


def test_pages_are_counted_exactly_and_across_runs():
    subject = limits(pages=1, max_pages=3)
    assert [subject.reserve_page(lease()) for _ in range(4)] == [
        True,
        True,
        False,
        False,
    ]
    assert subject.reached(100.0) == "limit_pages"


def test_each_host_has_its_own_limit():
    subject = limits(max_pages_per_host=1)
    assert subject.reserve_page(lease("a.example"))
    assert not subject.reserve_page(lease("a.example"))
    assert subject.reserve_page(lease("b.example"))
    assert subject.check(Candidate.of_lease(lease("a.example"))) == Skip(
        "limit_host", "limits.max_pages_per_host: 1"
    )
    assert subject.check(Candidate.of_lease(lease("c.example"))) is None
    assert subject.reached(100.0) is None


def test_bytes_and_time():
    subject = limits(max_bytes=10, max_time=5.0)
    assert subject.reached(104.9) is None
    assert subject.reached(105.0) == "limit_time"
    subject.charge("a.example", 100.0, 101.0, 9)
    assert subject.reached(104.9) is None
    subject.charge("b.example", 100.0, 101.0, 1)
    assert subject.reached(104.9) == "limit_bytes"


def test_the_bytes_of_earlier_runs_count():
    config = LimitsConfig(max_bytes=10)
    assert Quotas(config, ImagesConfig(), MemoryStore(), 0.0, 0, 9).reached(0.0) is None
    assert (
        Quotas(config, ImagesConfig(), MemoryStore(), 0.0, 0, 10).reached(0.0)
        == "limit_bytes"
    )


def test_a_host_has_so_many_bytes_and_what_has_come_is_kept():
    subject = limits(max_bytes_per_host=2048)
    subject.charge("a.example", 100.0, 101.0, 2047)
    assert subject.check(Candidate.of_lease(lease())) is None
    subject.charge("a.example", 101.0, 102.0, 1)
    skip = Skip("limit_host", "limits.max_bytes_per_host: 2K")
    assert (
        subject.check(Candidate.of_lease(lease()))
        == subject.check(Candidate.of_lease(lease(destination="image")))
        == skip
    )
    assert subject.reserve_page(lease())
    assert subject.check(Candidate.of_lease(lease("b.example"))) is None
    assert subject.reached(102.0) is None


def test_a_host_has_so_much_time_and_what_overlaps_counts_once():
    subject = limits(max_time_per_host=60.0)
    subject.charge("a.example", 100.0, 110.0, 0)
    subject.charge("a.example", 105.0, 115.0, 0)
    subject.charge("a.example", 106.0, 107.0, 0)
    subject.charge("a.example", 1000.0, 1044.0, 0)
    assert subject.check(Candidate.of_lease(lease())) is None
    subject.charge("a.example", 1044.0, 1045.0, 0)
    skip = Skip("limit_host", "limits.max_time_per_host: 60")
    assert (
        subject.check(Candidate.of_lease(lease()))
        == subject.check(Candidate.of_lease(lease(destination="image")))
        == skip
    )
    assert subject.check(Candidate.of_lease(lease("b.example"))) is None


def test_each_template_has_its_own_limit_and_pictures_have_none():
    subject = limits(max_pages_per_template=2)
    assert [subject.reserve_page(lease(path=f"day/{n}")) for n in range(3)] == [
        True,
        True,
        False,
    ]
    skip = Skip("limit_template", "limits.max_pages_per_template: 2 of /day/#")
    assert subject.check(Candidate.of_lease(lease(path="day/9"))) == skip
    assert (
        subject.check(Candidate.of_lease(lease(path="day/9", kind="sitemap"))) == skip
    )
    assert (
        subject.check(Candidate.of_lease(lease(path="day/9", destination="image")))
        is None
    )
    assert subject.check(Candidate.of_lease(lease(path="day/9?x=1"))) is None
    assert subject.check(Candidate.of_lease(lease(path="week/9"))) is None
    assert subject.check(Candidate.of_lease(lease("b.example", path="day/9"))) is None


def test_a_page_that_was_refused_counts_nowhere():
    subject = limits(max_pages=2, max_pages_per_host=1, max_pages_per_template=1)
    assert [subject.reserve_page(lease()) for _ in range(3)] == [True, False, False]
    assert subject.reserve_page(lease("b.example"))
    assert not subject.reserve_page(lease("c.example"))


def test_small_images_name_the_rule_and_unknown_sizes_pass():
    subject = limits(images=ImagesConfig(min_width=100, min_height=50))
    small = Image("image/png", "png", 200, 49)
    assert subject.check_image(small) == Skip(
        "filter_dimensions", "images.min_height: 50 > 49"
    )
    assert subject.check_image(Image("image/png", "png", 100, 50)) is None
    assert subject.check_image(Image("image/svg+xml", "svg", None, None)) is None
