"""The records of a crawl in other formats: tables, lists of URLs, sitemaps, graphs.

    records.jsonl ── lines.py ── condition.py ── selection.py ── a writer of formats.py
                     lines       --where         --type          csv, parquet, sqlite,
                                                 --columns       jsonl, urls, ...

All of it is streaming: a writer gets a batch of lines at a time, so memory does not
depend on how many there are. It decodes what it needs of them, mostly by `table.py`. A
new format is one file and one line in `formats.py`.

Seconds and memory for a million records: `python -m tests.benchmarks.export`.
"""
