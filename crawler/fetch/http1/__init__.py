"""HTTP/1.1 as bytes and values (RFC 9112). No I/O.

request  writes the head of a request
parser   reads a response
repair   repairs a response head that curl and Chromium both read
chunked  reads chunked bodies
codings  decodes content codings, within limits
body     collects and decodes the body of one response, up to its limit
"""
