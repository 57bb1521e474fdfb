"""Which images are kept, and what is written to the record stream."""

from __future__ import annotations

from crawler.cli.flags import Flag
from crawler.model.errors import UsageError
from crawler.settings.load import Setting, from_flag

GROUP = "Images and records"


def _size(flag: str, text: str) -> list[Setting]:
    width, x, height = text.lower().partition("x")
    if not (width.isdigit() and (height.isdigit() or not x)):
        raise UsageError(f"{flag} {text}: write WIDTHxHEIGHT in pixels, as in 200x200")
    return [
        from_flag(("images", "min_width"), width, flag),
        from_flag(("images", "min_height"), height or width, flag),
    ]


def _warc(flag: str, name: str) -> list[Setting]:
    settings = [from_flag(("warc", "write"), True, flag)]
    if name:
        settings.append(from_flag(("warc", "prefix"), name, flag))
    return settings


def images_and_records_options() -> list[Flag]:
    return [
        Flag(
            "--no-images", key="images.fetch", const=False, group=GROUP,
            help="Do not fetch images",
        ),
        Flag(
            "--no-styles", key="images.styles", const=False, group=GROUP,
            help="Do not fetch style sheets for the images that they name",
        ),
        Flag(
            "--srcset", key="images.srcset", group=GROUP,
            help="Versions of a picture: best, auto, smallest, all",
        ),
        Flag(
            "--min-image", group=GROUP, metavar="WxH", convert=_size,
            help="Minimum size of the images that are kept, as in 200x200 [px]",
        ),
        Flag("--image-name", key="images.name", group=GROUP, metavar="TEMPLATE"),
        Flag("--save", key="bodies.save", group=GROUP, metavar="TYPES"),
        Flag("--mirror", key="bodies.mirror", const=True, group=GROUP),
        Flag("--hash-files", key="bodies.hash_files", const=True, group=GROUP),
        Flag("--with", "heavy", key="records.include", group=GROUP, metavar="LIST"),
        Flag("--text", key="records.text", group=GROUP, metavar="main|whole"),
        Flag("--record", key="records.record", group=GROUP, metavar="LIST"),
        Flag(
            "--keep-truncated", key="records.keep_truncated", group=GROUP,
            metavar="none|pages|all", is_flag=False, flag_value="all",
        ),
        Flag(
            "--warc", group=GROUP, metavar="[NAME]", is_flag=False, flag_value="",
            convert=_warc,
            help="Write the exchanges to WARC files in warc/, with a CDXJ index",
        ),
        Flag("--wacz", key="warc.wacz", const=True, group=GROUP),
        Flag("--warc-size", key="warc.max_size", group=GROUP, metavar="SIZE"),
        Flag("--schema-line", key="records.schema_line", const=True, group=GROUP),
        Flag("--rotate", key="records.rotate", group=GROUP, metavar="SIZE|TIME"),
    ]  # fmt: skip
