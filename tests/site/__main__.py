"""`python -m tests.site [PORT]`: run the fixture site by hand."""

from __future__ import annotations

import contextlib
import sys

from tests.site.pages import PAGES, handlers
from tests.site.server import Site


def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    site = Site(handlers(), port=port)
    print(f"{len(PAGES)} pages at {site.base}/ (Ctrl-C stops)", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        site.stopping.wait()
    site.stop()


if __name__ == "__main__":
    main()
