"""Extraction again, from what is on disk: no request is made.

    stored        a response as it was kept, and the lease that it was an answer to
    crawl_source  the records of a crawl's folder, with their bodies
    warc_index    where the responses of WARC files are
    warc_source   the responses of WARC files
    extraction    each of them through the Reader and the committer of a crawl

A stored response takes the way of one that was fetched: `engine/response_handler.py`,
the extractor, plug-ins in their process, `record_builder`, sinks. What only the network
knew comes from the record or the WARC file; what neither has is null. The decisions
are in `engine/README.md`.
"""
