"""Cookies and credentials of requests. No I/O.

credentials   Basic and Digest: challenges and the headers that answer them
netrc         parses .netrc files
session_auth  which cookies and credentials go to which origin
"""
