"""Commands of ``airflow ds``.

Each ``airflow`` command imports this module, so the sandbox but for its options is imported only by its own command.
"""

from __future__ import annotations

from argparse import SUPPRESS, Namespace

from airflow.cli.cli_config import ActionCommand, Arg, CLICommand, GroupCommand

from ds_provider.sandbox.options import OPTIONS


def get_ds_cli_commands() -> list[CLICommand]:
    """Return the command group ``ds`` for Airflow's command line."""
    sandbox = ActionCommand(
        name="sandbox",
        help="Serve a stand-in for the API of Démarches simplifiées on this machine",
        func=sandbox_command,
        # an option that is not given is not passed on: the sandbox reads and checks what it is given
        args=tuple(Arg(flags=(f"--{each.name}",), help=each.help, default=SUPPRESS) for each in OPTIONS),
    )
    return [GroupCommand(name="ds", help="Work with Démarches simplifiées", subcommands=(sandbox,))]


def sandbox_command(args: Namespace) -> None:
    """Run the sandbox with the options that were given.

    :raises SystemExit: if the sandbox's extra is not installed.
    """
    from ds_provider.sandbox.__main__ import main

    main(sandbox_argv(args))


def sandbox_argv(args: Namespace) -> list[str]:
    """Return the sandbox's command-line arguments for the options that were given."""
    given = {each.name: getattr(args, each.name.replace("-", "_"), None) for each in OPTIONS}
    return [f"--{name}={value}" for name, value in given.items() if value is not None]
