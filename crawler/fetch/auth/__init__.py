"""Cookies and credentials of requests. No I/O.

credentials   a user's name and password, and Basic authentication
challenges    what a server asks for, and the headers that answer it (Basic, Digest)
netrc         parses .netrc files
session_auth  which cookies and credentials go to which origin
"""
