"""The pictures in attributes that are made for scripts: which, by what they hold.

An `<img>` that is loaded late has its address in `data-src`, `data-original`,
`nitro-lazy-src`, and in a hundred others; a theme invents one more. So the *value*
counts: a picture's address by its form (`addresses.py`), a list of such, JSON that
contains them, or `url(...)`. A name counts in three ways:

- the names that libraries are known to use count for any address;
- names that hold text for people (`data-caption="IMG_1.jpg"`) never count;
- a bare file name without a slash counts if the name speaks of a picture.

`data-url` and its like name pages as often as pictures, so only the ending counts
there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from crawler.extract.addresses import is_address, is_other_file, is_picture
from crawler.extract.css.urls import css_urls, is_shown
from crawler.extract.html.srcset import Candidate, parse_srcset
from crawler.extract.json_pictures import json_pictures
from crawler.model.documents import LeaveOut

_SOURCES_NAMES = """
    data-src data-original data-lazy-src data-lazy data-hi-res-src data-hires
    data-highres data-high-res-src data-original-src data-actual data-actual-src
    data-actualsrc data-img data-img-src data-img-url data-imgsrc data-image
    data-image-src data-image-url data-image-source data-image-full data-bg
    data-bg-src data-bg-image data-bg-img data-background data-background-image
    data-background-src data-bgimage data-echo data-src-img data-src-retina
    data-src-large data-src-medium data-src-small data-src-mobile data-src-desktop
    data-src-tablet data-src-fallback data-src-hq data-src-webp data-src-lazy
    data-srcfull data-src-full data-full-src data-fullsrc data-full-image
    data-full-image-src data-full data-large data-large-src data-large-image
    data-large_image data-large-file data-medium-file data-orig-file data-orig-src
    data-orig data-origin-src data-default-src data-default-image data-ezsrc
    data-cfsrc data-pagespeed-lazy-src data-pagespeed-high-res-src pagespeed_lazy_src
    data-cp-src data-llsrc data-ll-src data-lzl-src data-lz-src data-lazyload
    data-lazyload-src data-lazy-load data-lazy-load-src data-lazy-image
    data-lazy-original data-lazy-img data-lazysrc data-lazyimg data-loadsrc
    data-load-src data-delay data-delayed-src data-deferred-src data-defer-src
    data-flickity-lazyload data-flickity-lazyload-src data-retina data-retina-src
    data-rjs data-at2x data-2x data-zoom data-zoom-image data-zoom-src data-zoomsrc
    data-zoom-img data-magnify-src data-high-src data-mobile-src data-desktop-src
    data-poster data-thumb data-thumb-src data-thumbnail data-thumbnail-src
    data-actualimg data-jpg data-webp data-splide-lazy data-swiper-lazy
    data-noscript-src data-wood-src data-wpfc-original-src data-opt-src data-breeze
    data-perfmatters-src data-mk-image-src-set data-tf-src data-layzr data-unveil
    data-main-image data-litespeed-src data-cover data-twic-src data-iesrc
    data-asyncsrc data-async-src data-raw-src data-ks-lazyload data-lazy-background
    data-tmb data-bgset-src background nitro-lazy-src nitro-lazy-bg lazy-src lazysrc
    lazy-bg lazyload-src lazy-original v-lazy ng-src original-src original bp-lazy
    zoomfile file-src _src real_src src2 loadsrc imgsrc
"""
SOURCES = frozenset(_SOURCES_NAMES.split())
"""Attributes that hold the address of a picture in some library."""

_LISTS_NAMES = """
    srcset imagesrcset data-srcset data-lazy-srcset data-original-set data-bgset
    data-ezsrcset data-cfsrcset data-flickity-lazyload-srcset data-retina-srcset
    data-pagespeed-lazy-srcset data-lazysrcset data-lazyload-srcset data-orig-srcset
    data-splide-lazy-srcset data-src-set data-sources-srcset data-llsrcset
    data-lzl-srcset data-cp-srcset data-lazy-set data-background-image-set
    data-bg-multi data-bg-multi-hidpi data-opt-srcset data-litespeed-srcset
    data-tf-srcset data-wpfc-original-srcset data-img-srcset data-mobile-srcset
    data-desktop-srcset nitro-lazy-srcset lazy-srcset lazysrcset ng-srcset
"""
LISTS = frozenset(_LISTS_NAMES.split())
"""Attributes that hold a list in the form of `srcset` in some library."""

_BACKGROUNDS = frozenset(
    name
    for name in SOURCES
    if "bg" in name or "background" in name or "poster" in name or "lazy-src" in name
)
"""Names that mean a picture on whatever element they stand."""

_TEXTS = re.compile(
    r"(?:title|alt|caption|name|label|desc(?:ription)?|text|download|file-?name|id|key"
    r"|class|slug|content-type|placeholder|tooltip|summary|template|selector|html)\Z"
).search
_PICTURE_NAME = re.compile(
    r"src|set\Z|im(?:g|age)|pic|photo|bg|background|thumb|tmb|poster|orig|lazy|large"
    r"|full|zoom|retina|hi-?res|cover|avatar|logo|icon|preview|medium|small|file|2x"
).search
_PAGE_NAME = re.compile(r"(?:ur[li]|href|link|page)\Z").search
_SEPARATOR = re.compile(r"[\s,|;]+").split
_DESCRIPTOR = re.compile(r"\d+(?:\.\d+)?[wxh]").fullmatch
_BGSET = re.compile(r"\||\[[^\[\]]*\]").sub
_QUOTED_CSS = re.compile(r"url\s*\(", re.IGNORECASE).search
_MAX_VALUE = 2**18
_MAX_LIST = 1000


_EMBEDS = {"object": "data", "embed": "src"}


def embedded(name: str, values: Mapping[str, str]) -> str | None:
    """The picture that an element embeds which is no `<img>`, by the element's name."""
    if name in ("use", "feimage"):
        return values.get("href") or values.get("xlink:href")
    attribute = _EMBEDS.get(name, "src")
    url = values.get(attribute, "").strip()
    if not is_address(url):
        return None
    if is_picture(url) or values.get("type", "").lower().startswith("image/"):
        return url
    shows = "img" in name or "image" in name
    return url if shows and not is_other_file(url) else None


def pictures(
    name: str,
    value: str,
    values: Mapping[str, str],
    leave_out: LeaveOut,
    *,
    img: bool,
) -> Iterator[Candidate]:
    """The pictures that the attribute `name` holds.

    Each has its width where that is declared. `values` are all attributes of its
    element. `img`: the element is an image, so that a known name counts whatever the
    address looks like.
    """
    value = value.strip()
    if not value or len(value) > _MAX_VALUE or _is_code(name, value):
        return
    if name in LISTS:
        yield from _of_list(value, leave_out)
    elif value[0] in "{[" and (found := list(json_pictures(value, leave_out))):
        yield from (Candidate(url, None) for url in found)
    elif _QUOTED_CSS(value):
        yield from (
            Candidate(one.url, None) for one in css_urls(value) if is_shown(one)
        )
    elif _counts(name, value, values, img):
        yield Candidate(value, None)
    elif not _TEXTS(name) and "." in value:
        yield from _among_others(name, value, leave_out)


def _is_code(name: str, value: str) -> bool:
    """Whether the attribute holds a program: an event handler, a `javascript:` URL."""
    return name.startswith("on") or value[:11].lower() == "javascript:"


def _counts(name: str, value: str, values: Mapping[str, str], img: bool) -> bool:
    """Whether `value` as a whole is the address of a picture."""
    if not is_address(value) or is_other_file(value):
        return False
    if name in SOURCES and (img or (name in _BACKGROUNDS and "/" in value)):
        return not value.isdigit() and value not in _SWITCHES
    if "/" in value and _is_declared(values) and _PAGE_OR_SOURCE(name):
        return True
    if not is_picture(value) or _TEXTS(name):
        return False
    return ("/" in value or _PICTURE_NAME(name) is not None) and not _splits(value)


_SWITCHES = frozenset({"true", "false", "lazy", "auto", "none", "eager", "no", "yes"})
_PAGE_OR_SOURCE = re.compile(r"(?:ur[li]|href|src|source|file|data|original)\Z").search


def _is_declared(values: Mapping[str, str]) -> bool:
    """Whether another attribute of the element says that it refers to a picture."""
    for name in ("type", "data-type", "data-fancybox-type", "data-mime", "data-format"):
        declared = values.get(name, "")
        if declared[:5].lower() == "image":
            return True
    return False


def _of_list(value: str, leave_out: LeaveOut) -> Iterator[Candidate]:
    if "|" in value or "[" in value:  # `bgset` separates the sources of a picture so
        value = _BGSET(", ", value).strip(", ")
    for candidate in parse_srcset(value, leave_out):
        if is_address(candidate.url) and not is_other_file(candidate.url):
            yield candidate


def _among_others(name: str, value: str, leave_out: LeaveOut) -> Iterator[Candidate]:
    """The pictures of a list, or in quotes, in the options of a script."""
    if "'" in value or '"' in value:
        yield from (Candidate(url, None) for url in json_pictures(value, leave_out))
        return
    written = [word for word in _SEPARATOR(value) if word]
    words = written[:_MAX_LIST]
    rest = [word for word in words if not is_picture(word)]
    if len(rest) < len(words) and all(map(_DESCRIPTOR, rest)):
        if len(written) > len(words):
            leave_out("links")
        for word in words:
            if is_picture(word) and ("/" in word or _PICTURE_NAME(name)):
                yield Candidate(word, None)


def _splits(value: str) -> bool:
    """Whether each part between commas is a picture; commas also occur within URLs."""
    parts = value.split(",", _MAX_LIST)
    return len(parts) > 1 and all(map(is_picture, map(str.strip, parts)))
