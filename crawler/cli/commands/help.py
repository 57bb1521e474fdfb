"""`orbweb help`: the help of a command, or a topic that belongs to all commands."""

from __future__ import annotations

import click

from crawler.model.errors import UsageError

EXIT_CODES = """\
Exit codes

  0    done, with at least one page, or with the pictures and files that the
       seeds name
  1    internal error
  2    usage or configuration
  3    disk full, or a file or folder that may not be read or written
  4    no seed could be fetched, or the login failed: network
  5    no seed could be fetched, or the login failed: TLS verification
  6    no seed could be fetched, or the login failed: authentication (401, 403,
       407)
  7    the state is locked, damaged or of another version
  8    more failures than --fail-on allows; audit: --fail-on names what was
       found; extract: a part of the source could not be read
  9    every seed is excluded, or nothing matched --only-keep; robots: a URL
       is disallowed
  10   the seeds led to no page: they were answered with 404, 500 or another
       error, or with something else than pages
  71   out of memory; orbweb resume continues
  75   stopped, or ended while URLs wait for hosts that do not answer;
       orbweb resume continues
  130, 143
       stopped at once by a second signal; orbweb resume continues all the
       same
"""

ENVIRONMENT = """\
Environment

  ORBWEB_SECTION_KEY   a setting, as in ORBWEB_HTTP_TIMEOUT=30s or
                       ORBWEB_CONCURRENCY=8; it overrides the file of
                       --config, and an option overrides it
  http_proxy, https_proxy, no_proxy
                       proxies, where --proxy names none
  NO_COLOR             no colours
  TERM=dumb            no live view

A secret in a setting is written env:NAME or file:PATH, and is read at each
start. orbweb config show DIR prints the settings of the crawl in DIR, and
orbweb config show URL [OPTION]... those that a new one would have, each with
where it comes from.
"""

TOPICS = {"exit-codes": EXIT_CODES, "environment": ENVIRONMENT}


@click.command("help")
@click.argument("name", metavar="[COMMAND|TOPIC]", required=False)
@click.pass_context
def command(ctx: click.Context, name: str | None) -> None:
    """Show the help of a command, or a topic: exit-codes, environment."""
    program = ctx.parent
    assert program is not None
    group = program.command
    assert isinstance(group, click.Group)
    if name is None:
        click.echo(program.get_help())
        click.echo(f"\nTopics of orbweb help: {', '.join(TOPICS)}")
        return
    if name in TOPICS:
        click.echo(TOPICS[name], nl=False)
        return
    found = group.get_command(program, name)
    if found is None:
        from difflib import get_close_matches  # only for a mistake

        known = [*group.list_commands(program), *TOPICS]
        near = get_close_matches(name, known, n=1)
        hint = (
            f"did you mean {near[0]!r}?" if near else f"there is on {', '.join(known)}"
        )
        raise UsageError(f"there is no help on {name!r}; {hint}")
    click.echo(found.get_help(click.Context(found, info_name=name, parent=program)))
