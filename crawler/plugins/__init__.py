"""Plug-ins: a user's own Python in a crawl. What one may have, and how it is loaded.

    protocols  the methods of a plug-in; one is enough
    loading    from `module:object` and options to an object whose methods fit
    document   what `extract` and `discover` are given
    child      what runs in the child process: `extract` and `discover`
    checking   `check` in the chain of checks
    main_file  plug-ins that are defined in the program's main file

This room knows values only; `crawler/engine/plugin_adapters.py` joins plug-ins to the
crawl.

Decisions:

* A plug-in is an object with any of the methods, not a subclass: it needs no import of
  ours, and one object may have several of them and keep state between them.
* An installed package offers plug-ins as entry points in the group `orbweb.plugins`,
  and each crawl names those that it uses. Being installed switches nothing on: a crawl
  depends on its configuration alone, so a resume does the same as the run before.
* The module of a plug-in is looked for in the working directory last, after all that is
  installed, so a folder full of untrusted files replaces no module.
* All mistakes that can be seen without a URL (import, options, methods, signatures) are
  found before the crawl begins, and end the program with exit code 2.
"""
