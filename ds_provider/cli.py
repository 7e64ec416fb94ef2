"""Commands of ``airflow ds``.

Each ``airflow`` command imports this module, so the sandbox is imported only by its own command.
"""

from __future__ import annotations

from argparse import SUPPRESS, Namespace

from airflow.cli.cli_config import ActionCommand, Arg, CLICommand, GroupCommand

# values and defaults are the sandbox's own: an option that is not given is not passed on
SANDBOX_OPTIONS = {
    "host": "address to listen on",
    "port": "port to listen on",
    "seed": "number from which all dossiers are made: the same seed gives the same dossiers",
    "groupes": "number of groups (groupes instructeurs)",
    "dossiers": "number of dossiers in each group",
    "now": "instant at which the sandbox's clock stands still, ISO 8601 with an offset",
    "rate-limit": "requests that a token may send in a minute",
}


def get_ds_cli_commands() -> list[CLICommand]:
    """Return the command group ``ds`` for Airflow's command line."""
    sandbox = ActionCommand(
        name="sandbox",
        help="Serve a stand-in for the API of Démarches simplifiées on this machine",
        func=sandbox_command,
        args=tuple(
            Arg(flags=(f"--{option}",), help=meaning, default=SUPPRESS) for option, meaning in SANDBOX_OPTIONS.items()
        ),
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
    given = {option: getattr(args, option.replace("-", "_"), None) for option in SANDBOX_OPTIONS}
    return [f"--{option}={value}" for option, value in given.items() if value is not None]
