"""The `airflow ds` commands.

Every `airflow` command imports this module: the sandbox is imported only when it is asked for.
"""

from __future__ import annotations

from argparse import SUPPRESS, Namespace

from airflow.cli.cli_config import ActionCommand, Arg, CLICommand, GroupCommand

# values and defaults are the sandbox's own: what is not given here is not passed on
SANDBOX_OPTIONS = {
    "host": "the address to listen on",
    "port": "the port to listen on",
    "seed": "the number that the world of dossiers is grown from: the same seed, the same world",
    "groupes": "how many groupes instructeurs there are",
    "dossiers": "how many dossiers each group has",
    "now": "the instant at which the world stands, in ISO 8601 with an offset",
    "rate-limit": "how many requests a token may make in a minute",
}
MISSING_EXTRA = (
    "The sandbox needs graphql-core, which the extra named sandbox brings: "
    "pip install 'airflow-provider-demarches-simplifiees[sandbox]'"
)


def get_ds_cli_commands() -> list[CLICommand]:
    """Hand Airflow's command line the group `ds`."""
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

    :raises SystemExit: if the sandbox's extra is not installed
    """
    try:
        from ds_provider.sandbox.__main__ import main

        main(sandbox_argv(args))
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "graphql":
            raise
        raise SystemExit(MISSING_EXTRA) from error


def sandbox_argv(args: Namespace) -> list[str]:
    given = {option: getattr(args, option.replace("-", "_"), None) for option in SANDBOX_OPTIONS}
    return [f"--{option}={value}" for option, value in given.items() if value is not None]
