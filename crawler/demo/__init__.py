"""A small site to crawl: its pages are in `site/`, its server is `server.py`."""
