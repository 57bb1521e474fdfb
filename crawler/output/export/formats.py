"""The formats of `orbweb export`, by name: the one table."""

from __future__ import annotations

from collections.abc import Mapping

from crawler.output.export.csv import open_csv
from crawler.output.export.graphml import open_graphml
from crawler.output.export.jsonl import open_jsonl
from crawler.output.export.parquet import open_parquet
from crawler.output.export.sitemap import open_sitemap
from crawler.output.export.sqlite import open_sqlite
from crawler.output.export.urls import open_urls
from crawler.output.export.writer import Format

FORMATS: Mapping[str, Format] = {
    "csv": Format(open_csv, ".csv"),
    "parquet": Format(open_parquet, ".parquet", streams=False),
    "jsonl": Format(open_jsonl, ".jsonl"),
    "sqlite": Format(open_sqlite, ".sqlite", streams=False),
    "urls": Format(open_urls, ".txt", ("page",), tabular=False, latest=True),
    "sitemap": Format(open_sitemap, ".xml", ("page",), tabular=False, latest=True),
    "graphml": Format(open_graphml, ".graphml", tabular=False, latest=True),
}
"""A new format is a line here."""
