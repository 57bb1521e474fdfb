"""The public API for programs: `crawl`, `fetch` and what they give.

    crawling  `crawl()`: a crawl in a thread of its own, its records in the caller's
    stream    the records on their way from that thread to the caller
    fetching  `fetch()`: one URL
    options   keyword arguments to a `Config`

All of it is imported from `crawler` itself; nothing else is promised to stay.
"""
