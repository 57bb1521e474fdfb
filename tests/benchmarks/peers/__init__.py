"""Crawlers on other libraries, each as a careful user of the library would write it.

Each is run as `python -m tests.benchmarks.peers.NAME URL FOLDER` and does the same
work: begin at URL, follow every `<a href>` of the same host once, parse every page,
fetch every `<img src>` of the same host once, write one JSON line for each page to
FOLDER/pages.jsonl and the images below FOLDER/images. 32 requests at a time, no delay.
"""

CONCURRENCY = 32
