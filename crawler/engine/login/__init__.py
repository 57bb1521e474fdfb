"""Logging in by the form of a page, before a crawl makes its first request.

    flow        fetches the page, sends its form, checks what came of it
    submission  what a browser sends for a form that was filled in

The secrets are in no record, log, WARC file or state: the exchanges happen before any
listener is there, the body of a request is in no exchange, and the configuration holds
references (`env:NAME`). What a login leaves behind are cookies.
"""
