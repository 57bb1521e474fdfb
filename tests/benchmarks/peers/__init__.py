"""Other people's crawlers, each the program that a careful user would write with that
library.

Each is run as `python -m tests.benchmarks.peers.NAME URL FOLDER` and does the same
work: begin at URL, follow every `<a href>` of the same host once, parse every page,
fetch every `<img src>` of the same host once, write one JSON line a page to
FOLDER/pages.jsonl and the images below FOLDER/images. 32 requests at a time, no delay.
"""

CONCURRENCY = 32
