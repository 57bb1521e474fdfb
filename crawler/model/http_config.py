"""The HTTP client, and logging in: sections `[http]` and `[login]`."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from crawler.model.units import Bytes, Count, Seconds


class HttpConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[http]`: the HTTP client.

    Example:
        >>> from crawler import HttpConfig
        >>> HttpConfig(user_agent="my-crawler (me@example.com)").timeout
        60.0
    """

    user_agent: str = ""
    """User-Agent header to send.

    Empty: `orbweb/VERSION`, with the `contact`. One of your own names a contact too, as
    in `mybot/1.0 (+https://example.com/bot)`.
    """
    contact: str = ""
    """URL or e-mail address to put into the User-Agent, as a contact.

    With it the owner of a site can ask before blocking. It makes `orbweb/VERSION
    (+CONTACT)`, and has no effect where `user_agent` is set.
    """
    headers: dict[str, str] = {}
    """Header to send with every request; its value may be `env:NAME` or `file:PATH`.

    A secret is written `env:NAME` or `file:PATH`; it is read when the crawl starts, and
    is neither in the state nor in a log.
    """
    auth: str = ""
    """`USER:PASSWORD` for the origins of the seeds, sent when they ask for it.

    Basic and Digest authentication are supported. Written `env:NAME` or `file:PATH`.
    """
    netrc: str = ""
    """File with the credentials of hosts, such as `~/.netrc`.

    They are sent over https, and to the origins of the seeds.
    """
    cookies: str = ""
    """File of cookies to start with: Netscape's format, or JSON of a browser.

    JSON is the list that extensions such as EditThisCookie and Cookie-Editor export, or
    the `storage_state` of Playwright. A file that has changed since the last run is
    read again on a resume.
    """
    cookie_pairs: dict[str, str] = {}
    """Cookie for the seeds' origins; its value may be `env:NAME` or `file:PATH`.

    It is never sent to another host, port or scheme. A cookie that a server sets under
    the same name replaces it.
    """
    cookie_jar: str = ""
    """File to write the cookies to at the end, in Netscape format.

    The state keeps the cookies in any case.
    """
    proxy: str = ""
    """Proxy for all requests: `http://HOST:PORT`, `socks5h://HOST:PORT` or `direct`.

    With `USER:PASSWORD@` it is written `env:NAME`. Empty: the proxies of the
    environment (`http_proxy`, `https_proxy`, `all_proxy`); `direct`: no proxy at all.
    """
    no_proxy: tuple[str, ...] = ()
    """Hosts, domains and networks to reach without the proxy.

    Empty: those of the environment (`no_proxy`).
    """
    timeout: Seconds = 60.0
    """Total timeout for one request [s]."""
    dns_timeout: Seconds = 10.0
    """Timeout for resolving a host name [s]."""
    connect_timeout: Seconds = 10.0
    """Timeout for connecting, TCP and TLS together [s]."""
    read_timeout: Seconds = 30.0
    """Maximum time without data from the server [s]."""
    max_body: Bytes = 50 * 2**20
    """Maximum size of a response body [bytes].

    It applies to the body as received and to the decoded body.
    """
    max_in_flight: Bytes = 256 * 2**20
    """Maximum size of all large bodies being received, together [bytes].

    Bodies of more than a megabyte count. A body that does not fit waits.
    """
    max_rate: Bytes | None = None
    """Maximum download rate of all requests together [bytes/s].

    none: no limit. Waiting for it counts towards the timeout of a request.
    """
    max_header: Bytes = 64 * 2**10
    """Maximum size of a response's header section [bytes].

    1xx responses count towards it.
    """
    verify_tls: bool = True
    """Verify the TLS certificates of servers."""
    tls_ciphers: str = "DEFAULT@SECLEVEL=1"
    """Cipher suites to offer for TLS 1.2, as an OpenSSL cipher list.

    The default is OpenSSL's own list, which old servers need. A record names the suite
    that was used where it is weak.
    """
    ca_file: str | None = None
    """PEM file of the certificate authorities to trust instead of the system's."""
    client_cert: str = ""
    """PEM file of a client certificate for the origins of the seeds."""
    client_key: str = ""
    """PEM file of the client certificate's key. Empty: the key is in `client_cert`."""
    address_family: Literal["any", "ipv4", "ipv6"] = "any"
    """IP version to connect with."""
    dns_servers: tuple[str, ...] = ()
    """Name servers to query, `ADDRESS` or `ADDRESS:PORT`.

    Empty: those of `/etc/resolv.conf`; `system`: host names are resolved by the
    system's own resolver.
    """
    resolve: tuple[str, ...] = ()
    """IP addresses to use for a host, as in curl: `HOST:PORT:ADDR[,ADDR]`.

    The host `*` stands for all hosts.
    """
    allow_net: tuple[str, ...] = ()
    """Private network that links may lead to (CIDR).

    The hosts of the seeds are always allowed.
    """
    max_idle_per_host: Count = 32
    """Maximum idle connections to one origin."""
    max_idle: Count = 256
    """Maximum idle connections in total."""
    idle_timeout: Seconds = 15.0
    """Time after which an idle connection is closed [s]."""


class LoginConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[login]`: a form that is sent before the crawl begins, and its session.

    Example:
        >>> from crawler import LoginConfig
        >>> LoginConfig("https://example.com/login", {"user": "env:NAME"}).form
        {'user': 'env:NAME'}
    """

    url: str = ""
    """Page with a form to log in by, before the crawl begins.

    The form with the fields of `form` is sent as a browser sends it, with its hidden
    fields, to the site of this page or of a seed. A resume logs in again if the session
    has ended. robots.txt is not asked for this page.
    """
    form: dict[str, str] = {}
    """Field of the form to log in by; a password is `env:NAME` or `file:PATH`.

    It is read when the crawl starts, and is neither in the state nor in a log.
    """
    logout_pattern: str | None = "auto"
    """Links that are not followed in a session, since they would end it.

    auto: URLs with a word for logging out in one of several languages. A regular
    expression (RE2), or a glob with the prefix `glob:`, names others besides these;
    none: all links are followed. There is a session where cookies are given, or `url`.
    """
