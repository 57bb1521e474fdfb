"""The program `orbweb` from a checkout: `python cli.py`."""

import sys
from os.path import dirname, join, realpath


def shadowing_error() -> str:
    """A sentence for the user if `crawler` is not the package beside this file."""
    expected = join(dirname(realpath(__file__)), "crawler", "__init__.py")
    specs = (finder.find_spec("crawler", None) for finder in sys.meta_path)
    spec = next(filter(None, specs), None)
    found = None if spec is None else spec.origin
    if found is not None and realpath(found) == expected:
        return ""
    return (
        f"another package named 'crawler' was found at {found} instead of {expected}; "
        "take its folder off PYTHONPATH, and start Python without -P"
    )


if __name__ == "__main__":
    if error := shadowing_error():
        print(f"orbweb: {error}", file=sys.stderr)
        sys.exit(2)
    from crawler.cli import main

    main()
