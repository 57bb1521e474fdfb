"""`orbweb`, and `python cli.py` from a checkout."""

from crawler.cli import main

if __name__ == "__main__":
    main()
