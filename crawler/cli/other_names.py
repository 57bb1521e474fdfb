"""What options of wget and curl are called here."""

from __future__ import annotations

import click

OTHER_NAMES = {
    "--level": "--depth",
    "--recursive": "no option: links are followed by default",
    "-r": "no option: links are followed by default",
    "--page-requisites": "--mirror",
    "--convert-links": "--mirror",
    "--accept": "--include RE",
    "-A": "--include RE",
    "--accept-regex": "--include RE",
    "--reject": "--exclude RE",
    "-R": "--exclude RE",
    "--reject-regex": "--exclude RE",
    "-m": "--mirror",
    "--no-check-certificate": "--insecure",
    "--load-cookies": "--cookies FILE",
    "--save-cookies": "--cookie-jar FILE",
    "--random-wait": "--wait 0.5-1.5",
    "--spider": "--no-images; no body is saved by default",
    "--directory-prefix": "--dir DIR",
    "-P": "--dir DIR",
    "--continue": "orbweb resume",
    "--timestamping": "--newer",
    "--http-user": "--user USER:PASSWORD",
    "--http-password": "--user USER:PASSWORD",
    "-L": "no option: redirects are followed by default",
    "--location": "no option: redirects are followed by default",
    "-e": "--referer; for `-e robots=off` of wget: --no-robots",
    "-nc": "no option: a folder with a crawl in it is not written over",
    "-nd": "--image-name TEMPLATE for the files of pictures",
    "-nH": "--image-name TEMPLATE for the files of pictures",
    "-nv": "--quiet",
    "-I": "orbweb fetch URL",
    "--head": "orbweb fetch URL",
    "--compressed": "no option: bodies are decoded by default",
    "--retry": "--tries",
    "--max-redirs": "--max-redirects",
    "--warc-file": "--warc=NAME",
    "--execute": "-s KEY=VALUE",
    "--domain": "--domains",
    "--exclude-domains": "--exclude RE",
}


def with_name_here(error: click.NoSuchOption) -> click.UsageError:
    """The error with what the option is called here, if another program has it."""
    ours = OTHER_NAMES.get(error.option_name)
    if ours is None:
        return error
    text = f"no such option: {error.option_name}; use {ours}"
    return click.UsageError(text, error.ctx)
