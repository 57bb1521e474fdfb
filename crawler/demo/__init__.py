"""A small site to crawl on this machine: its pages in `site/`, its server in
`server.py`."""
