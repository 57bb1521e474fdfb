"""Cookies (RFC 6265bis). No I/O, no clock.

    cookie      a cookie, and the request that it is set or sent by
    matching    which cookies belong to a request: domain, path, same-site
    set_cookie  parses the value of a Set-Cookie field
    date        parses the dates in it
    jar         stores cookies and selects those to send
    netscape    reads and writes cookies.txt files
    json_cookies  reads cookies that browsers and their extensions export as JSON

Theory. A cookie belongs to a host or, with the Domain attribute, to a domain and all
hosts below it. A server that could set one for the domain of another site could plant
or read a login there; so Domain must cover the host that sets the cookie and must not
be a public suffix. The scheme only matters to `Secure` cookies and the port never does.
That is the standard, and it is why credentials, which have to be kept to one origin,
are not handled here (see `fetch/auth`).

A crawler is a browser that never clicks. Fetching a page is a top-level navigation that
was initiated by the page with the link; fetching an image is a subresource request of
that page. SameSite distinguishes the two: an image on another site is requested without
cookies, unless they are `SameSite=None`, and its response cannot set any others. So no
host can follow the crawl from site to site by its images.

Everything is bounded (section 6.1): the size of a cookie, the number per registrable
domain and the total number. The least recently used cookie is evicted first. Names and
values are latin-1, like all header values here, so the bytes sent are those received.
"""
