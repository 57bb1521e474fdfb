"""Which images are kept, and what is written to the record stream."""

from __future__ import annotations

from crawler.cli.flags import Flag
from crawler.settings.load import Setting, from_flag

GROUP = "Images and records"


def _limits(flag: str, text: str) -> list[Setting]:
    from crawler.cli.image_limits import image_limits

    limits = image_limits(flag, text)
    return [from_flag(("images", key), value, flag) for key, value in limits.items()]


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
            metavar="best|auto|smallest|all",
        ),
        Flag(
            "--prefer-formats", key="images.prefer_formats", group=GROUP,
            metavar="LIST",
        ),
        Flag(
            "--no-icons", key="images.icons", const=False, group=GROUP,
            help="Do not fetch the icons of pages",
        ),
        Flag(
            "--min-image", group=GROUP, metavar="LIST", convert=_limits,
            help="Minimum of images that are kept, as in 200x200 [px], 0.5MP, 20K",
        ),
        Flag(
            "--max-image", group=GROUP, metavar="LIST", convert=_limits,
            help="Maximum of the images that are kept, in the same units",
        ),
        Flag("--image-ratio", key="images.max_ratio", group=GROUP, metavar="N"),
        Flag("--image-formats", key="images.formats", group=GROUP, metavar="LIST"),
        Flag("--phash", key="images.phash", const=True, group=GROUP),
        Flag("--verify-images", key="images.verify", const=True, group=GROUP),
        Flag("--keep-damaged", key="images.keep_damaged", const=True, group=GROUP),
        Flag("--thumbnails", key="images.thumbnails", group=GROUP, metavar="N"),
        Flag("--image-gps", key="images.gps", const=True, group=GROUP),
        Flag("--dedupe", key="images.dedupe", group=GROUP, metavar="exact|near"),
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
