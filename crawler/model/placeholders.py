"""What is left of a template that nothing has filled in: such a link is no URL.

These are `{{x}}`, `{% x %}`, `${x}`, `<%= x %>`, `<?= x ?>`, `[[x]]` and `%%X%%`, also
percent-encoded. The mark that opens one is enough, because a quote in it may have ended
the attribute. JSON in a query may contain `{%22`, `[[1,2],[3]]` or a single brace, and
file names contain `{8D4E-11}`: these are URLs.
"""

from __future__ import annotations

import re

_PLACEHOLDER = re.compile(
    r"(?:\{|%7B){2}"  # {{
    r"|(?:\$|%24)(?:\{|%7B)"  # ${
    r"|(?:[{<]|%7B|%3C)%(?:25|(?![0-9A-F]{2}))"  # {% and <%
    r"|<\?|%3C(?:\?|%3F)(?:php|=|%3D)"  # <?
    r"|(?:\[|%5B){2} ?[a-z_$][\w.$ ]{0,63}(?:\]|%5D){2}"
    r"|%%[a-z_]\w{0,63}%%",
    re.IGNORECASE | re.ASCII,
).search


def has_placeholder(href: str) -> bool:
    """Whether a link, as written, contains a placeholder of a template."""
    return _PLACEHOLDER(href) is not None
