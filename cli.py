"""`orbweb`, and `python cli.py` from a checkout."""

from crawler.commands.main import main

if __name__ == "__main__":
    main()
