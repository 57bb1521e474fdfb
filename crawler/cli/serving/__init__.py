"""`orbweb serve`: metrics for Prometheus, and a page, of crawls in other processes.

    connection ─► http.py ─► site.py ─► crawls.py    the state, kept for a second
                                └─► metrics.py | page.py ─► text of a response

It runs on the hub: one greenlet accepts, each connection has one of its own. It reads
what `orbweb status` reads, and writes nothing. Decisions:

- **The server is our own, some hundred lines around llhttp**: one response for each
  connection, then it is closed. A WSGI server brings threads or another loop, and what
  is left out here (bodies, keep-alive, upgrades) are the places of attacks.
- **Names of crawls are looked up among those that are served**, and are never made into
  a path, so no request can name a folder.
- **A state is read again after a second, or after twenty times as long as the reading
  took**: a scrape of any number of large crawls takes at most a twentieth of a core.
- **Only what never gets smaller is a counter.** Failed and skipped URLs may be queued
  again (`retry`, a resume with another scope), so they are gauges. Pages are counted
  anew by a recrawl, which is the reset of a counter that Prometheus knows.
- **/healthz says that the server answers**, and nothing about crawls: what restarts an
  unhealthy service could not mend a damaged state.
"""
