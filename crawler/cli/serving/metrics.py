"""Crawls as metrics for Prometheus, named by its conventions (docs/serve.md).

https://prometheus.io/docs/practices/naming/: base units, `_total` for counters. The
number of series is bounded: codes and reasons are closed lists, and of the hosts those
with the longest queues have one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from crawler.cli.serving.crawls import CrawlView, Served
from crawler.inspect.status import began_at
from crawler.model.units import RECEIVED

Samples = Iterable[tuple[tuple[str, ...], float]]
"""Values of further labels, and the number."""


def render(crawls: Iterable[Served], accept: str, max_hosts: int) -> tuple[bytes, str]:
    """The metrics, and their media type: OpenMetrics if `accept` names it.

    `max_hosts`: how many hosts of a crawl get a series of their own.
    """
    encode, media_type = choose_encoder(accept)
    return encode(_Crawls(crawls, max_hosts)), media_type


class _Crawls(Collector):
    """What a registry is for the encoders of prometheus-client."""

    def __init__(self, crawls: Iterable[Served], max_hosts: int) -> None:
        self._all = list(crawls)
        self._read = [one for one in self._all if isinstance(one, CrawlView)]
        self._max_hosts = max_hosts

    def collect(self) -> Iterator[Metric]:
        readable = GaugeMetricFamily(
            "orbweb_crawl_readable",
            "Whether the folder holds a crawl whose state can be read (1 or 0).",
            labels=["crawl"],
        )
        for one in self._all:
            value = float(isinstance(one, CrawlView))
            readable.add_metric([_label(one.name)], value)
        yield readable
        for name, (text, value_of) in _NUMBERS.items():
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield self._family(kind, name, text, (), _single(value_of))
        for name, (text, labels, values_of) in _LABELLED.items():
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield self._family(kind, name, text, labels, values_of)
        yield self._family(
            GaugeMetricFamily,
            "orbweb_queue_urls",
            "URLs in the queues of the hosts that have the longest.",
            ("host",),
            self._queues,
        )

    def _queues(self, view: CrawlView) -> Samples:
        for host in view.status.hosts_waiting[: self._max_hosts]:
            yield (host.name,), host.pages + host.images

    def _family(
        self,
        kind: type[CounterMetricFamily] | type[GaugeMetricFamily],
        name: str,
        text: str,
        labels: tuple[str, ...],
        samples_of: Callable[[CrawlView], Samples],
    ) -> Metric:
        family = kind(name, text, labels=["crawl", *labels])
        for view in self._read:
            for values, number in samples_of(view):
                family.add_metric([_label(view.name), *map(_label, values)], number)
        return family


def _label(value: str) -> str:
    """A label is UTF-8; the name of a folder may be any bytes."""
    return value.encode(errors="backslashreplace").decode()


def _single(value_of: Callable[[CrawlView], float | None]) -> Callable[..., Samples]:
    def samples(view: CrawlView) -> Samples:
        value = value_of(view)
        return () if value is None else [((), value)]

    return samples


def _by_code(
    values_of: Callable[[CrawlView], Mapping[str, int]],
) -> Callable[[CrawlView], Samples]:
    return lambda view: [((code,), n) for code, n in values_of(view).items()]


_NUMBERS: dict[str, tuple[str, Callable[[CrawlView], float | None]]] = {
    "orbweb_running": (
        "Whether a process works on the crawl (1 or 0).",
        lambda view: float(view.status.pid is not None),
    ),
    "orbweb_finished": (
        "Whether nothing is left to fetch (1 or 0).",
        lambda view: float(view.status.state == "finished"),
    ),
    "orbweb_failed": (
        "Whether the crawl is over and has failed, as its exit code says (1 or 0).",
        lambda view: float(bool(view.failure)),
    ),
    "orbweb_start_time_seconds": (
        "When the crawl began, since the epoch.",
        lambda view: began_at(view.status.run.run_id),
    ),
    "orbweb_last_commit_timestamp_seconds": (
        "When the state was written last, since the epoch.",
        lambda view: view.saved_at,
    ),
    "orbweb_pages_total": (
        "Pages fetched; a recrawl counts anew.",
        lambda view: view.status.counts["page"],
    ),
    "orbweb_images_total": (
        "Images fetched; a recrawl counts anew.",
        lambda view: view.status.counts["image"],
    ),
    "orbweb_files_total": (
        "Other files fetched; a recrawl counts anew.",
        lambda view: view.status.counts["file"],
    ),
    "orbweb_redirects_total": (
        "URLs that redirect; a recrawl counts anew.",
        lambda view: view.status.counts["redirect"],
    ),
    "orbweb_received_bytes_total": (
        f"Bytes of bodies as they were received, {RECEIVED}; a recrawl counts anew.",
        lambda view: view.status.received_bytes,
    ),
    "orbweb_hosts": (
        "Hosts that the crawl knows.",
        lambda view: view.status.hosts,
    ),
    "orbweb_retry_urls": (
        "URLs that failed and wait for another attempt.",
        lambda view: view.status.retries,
    ),
    "orbweb_items": (
        "Records of type item; a recrawl counts anew.",
        lambda view: view.status.items,
    ),
    "orbweb_needs_javascript_pages": (
        "Pages that are empty shells without JavaScript.",
        lambda view: view.status.needs_javascript,
    ),
    "orbweb_least_remaining_seconds": (
        "The queue of the slowest host takes at least this long; 0 without a delay.",
        lambda view: view.waits.least_s,
    ),
}
"""Name to help text and value. What ends in `_total` is a counter."""

_LABELLED: dict[str, tuple[str, tuple[str, ...], Callable[[CrawlView], Samples]]] = {
    "orbweb_requests_total": (
        "Requests by status or error code, those for robots.txt and retries included.",
        ("code",),
        _by_code(lambda view: view.requests),
    ),
    "orbweb_urls": (
        "URLs by state.",
        ("state",),
        _by_code(
            lambda view: {
                state: number
                for state, number in view.status.counts.items()
                if state != "leased"  # known to the crawl's process alone
            }
        ),
    ),
    "orbweb_failed_urls": (
        "URLs that ended in an error, by its code.",
        ("code",),
        _by_code(lambda view: view.status.reasons["error"]),
    ),
    "orbweb_skipped_urls": (
        "URLs that were not fetched, by the reason.",
        ("reason",),
        _by_code(lambda view: view.status.reasons["skip"]),
    ),
    "orbweb_changed_urls": (
        "URLs of a recrawl that are new, changed and unchanged.",
        ("change",),
        _by_code(lambda view: view.status.changes),
    ),
    "orbweb_waiting_hosts": (
        "Hosts with work that are not due, by what they wait for.",
        ("state", "cause"),
        lambda view: [
            ((one.state, one.cause), one.hosts)
            for one in view.waits.groups
            if one.state != "retry"
        ],
    ),
    "orbweb_waiting_urls": (
        "URLs of hosts that are not due, or that wait for another attempt.",
        ("state", "cause"),
        lambda view: [((one.state, one.cause), one.urls) for one in view.waits.groups],
    ),
}
"""Name to help text, further labels, and samples."""
