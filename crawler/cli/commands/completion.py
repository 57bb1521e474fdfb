"""`orbweb completion SHELL`: the script for shell completion."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from crawler.cli import COMPLETION_VARIABLE, orbweb
from crawler.cli.flags import OneOf
from crawler.model.errors import UsageError

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", required=False, type=OneOf(SHELLS))
def command(shell: str | None) -> None:
    """Print the completion script for SHELL (default: the shell in $SHELL).

    \b
    bash, zsh: eval "$(orbweb completion)"     in ~/.bashrc or ~/.zshrc
    fish:      orbweb completion | source      in ~/.config/fish/config.fish
    """
    shell = shell or Path(os.environ.get("SHELL", "")).name
    kind = get_completion_class(shell) if shell in SHELLS else None
    if kind is None:
        raise UsageError(f"unknown shell; name one of {', '.join(SHELLS)}")
    click.echo(kind(orbweb, {}, "orbweb", COMPLETION_VARIABLE).source())
