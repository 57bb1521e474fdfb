"""Downloads by urllib, some at a time; after gevent's concurrent_download.py.

Its arguments are URLs. It prints the status and the length of each, in that order, and
whether another greenlet ran meanwhile.
"""

# isort: off
from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402
from urllib.error import HTTPError  # noqa: E402
from urllib.request import urlopen  # noqa: E402

import gevent  # noqa: E402
from gevent.pool import Pool  # noqa: E402


def download(url):
    try:
        with urlopen(url, timeout=20) as response:
            return response.status, len(response.read())
    except HTTPError as error:
        with error:
            return error.code, len(error.read())


def tick():
    while True:
        ticks.append(1)
        gevent.sleep(0.001)


ticks = []
ticker = gevent.spawn(tick)
for url, (status, length) in zip(
    sys.argv[1:], Pool(4).imap(download, sys.argv[1:]), strict=True
):
    print(status, length, url.rpartition("/")[2])
ticker.kill()
print("others ran:", len(ticks) > 1)
