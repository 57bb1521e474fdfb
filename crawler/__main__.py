"""`python -m crawler` is the program `orbweb`."""

from crawler.cli import main

main()
