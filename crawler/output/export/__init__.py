"""The records of a crawl in other formats: tables, lists of URLs, sitemaps, graphs.

    records.jsonl ── rows.py ── condition.py ── selection.py ── a writer of formats.py
                     dicts      --where         --type          csv, parquet, sqlite,
                                                --columns       jsonl, urls, ...

All of it is streaming: a writer gets some thousand rows at a time, so memory does not
depend on how many there are. A new format is one file and one line in `formats.py`.
"""
