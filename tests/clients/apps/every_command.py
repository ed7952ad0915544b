"""Prints every command of the client that its help shows, one a line."""

import click
from modal.cli.entry_point import entrypoint_cli


def walk(command, path):
    if not isinstance(command, click.Group):
        print(" ".join(path))
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        if below is not None and not below.hidden:
            walk(below, [*path, name])


walk(entrypoint_cli, [])
