"""Commands of ``airflow ds`` and their options.

Each ``airflow`` command imports this module. What a command needs is imported only when it runs.
"""

from __future__ import annotations

from argparse import SUPPRESS, BooleanOptionalAction

from airflow.cli.cli_config import ARG_OUTPUT, ActionCommand, Arg, CLICommand, GroupCommand, lazy_load_command

from ds_provider.constants import DEFAULT_CONN_ID, DEFAULT_DATASET
from ds_provider.sandbox.options import OPTIONS

EXIT_CODES = """exit codes:
  0   all is well
  1   something is wrong with what the command looked at, and it says what
  2   a parameter, a connection or the installation cannot work
  3   access is refused: the token, its rights, the warehouse's role, nothing under that number; or no API at that
      address (host, proxy, certificate)
  4   the service, the warehouse or the landing zone is out of reach: try again later
  130 interrupted"""

DS_CONN_ID = Arg(("--ds-conn-id",), help="Connection to the service (default: %(default)s)", default=DEFAULT_CONN_ID)
WAREHOUSE_CONN_ID = Arg(
    ("--warehouse-conn-id",), help="Connection to the warehouse (default: the DuckDB file in Airflow's home)"
)
DATASET = Arg(
    ("--dataset",), help="Schema that holds the warehouse's tables (default: %(default)s)", default=DEFAULT_DATASET
)
DEMARCHE = Arg(("demarche",), help="Number of the démarche")
WINDOW = tuple(
    Arg((f"--{column}-{bound}",), help=f"Only dossiers {verb} {when}, ISO 8601 with a time zone", metavar="INSTANT")
    for column, verb in (("created", "deposited"), ("updated", "last changed"))
    for bound, when in (("since", "at that instant or later"), ("until", "before that instant"))
)
# what the service sends by default, and what it sends only if it is asked to
DEFAULT_PARTS = {
    "champs": "the form's answers",
    "annotations": "the instructeurs' private fields",
    "traitements": "the history of states",
    "instructeurs": "the instructeurs who follow the dossier",
}
OTHER_PARTS = {
    "avis": "the experts' opinions",
    "messages": "the messages",
    "geometry": "the shapes of maps and addresses",
    "labels": "the labels",
    "corrections": "the corrections asked for",
}
INCLUDES = tuple(
    Arg((f"--include-{part}",), help=f"{text} (default: {default})", action=BooleanOptionalAction, default=SUPPRESS)
    for parts, default in ((DEFAULT_PARTS, "included"), (OTHER_PARTS, "left out"))
    for part, text in parts.items()
)
CONCURRENCY = Arg(
    ("--concurrency",), help="How many pages of a group are read in parallel, 1 to 16 (default: %(default)s)", default=4
)


def get_ds_cli_commands() -> list[CLICommand]:
    """Return the command group ``ds`` for Airflow's command line."""
    commands = (_check(), _groupes(), _describe(), _plan(), _extract(), _dossier(), _status(), _sandbox())
    return [GroupCommand(name="ds", help="Work with Démarches simplifiées", subcommands=commands)]


def _command(name: str, help_: str, description: str, *args: Arg) -> ActionCommand:
    return ActionCommand(
        name=name,
        help=help_,
        description=f"{help_}. {description}",
        func=lazy_load_command(f"ds_provider.cli.{name}.{name}"),
        args=args,
        epilog=EXIT_CODES,
    )


def _check() -> ActionCommand:
    return _command(
        "check",
        "Check a connection, its token, its budget and the installation",
        "It sends one request, two with --demarche, and writes nothing.",
        Arg(("conn_id",), help="Connection to check (default: %(default)s)", nargs="?", default=DEFAULT_CONN_ID),
        Arg(("--demarche",), help="Also check that the token has a right on this démarche"),
        WAREHOUSE_CONN_ID,
        DATASET,
        ARG_OUTPUT,
    )


def _groupes() -> ActionCommand:
    return _command(
        "groupes",
        "List the groups (groupes instructeurs) of a démarche",
        "The API has no count of dossiers: they are counted by few fields of each, thousands in a request.",
        DEMARCHE,
        Arg(("--no-counts",), help="Do not count the dossiers: one request in all", action="store_true"),
        DS_CONN_ID,
        ARG_OUTPUT,
    )


def _describe() -> ActionCommand:
    return _command(
        "describe",
        "List the champs of a démarche's form, with the wide tables and columns that they become",
        "All revisions of the form are read; what the last ones changed is in the column named change.",
        DEMARCHE,
        Arg(
            ("--warehouse-conn-id",),
            help="Name the columns as this warehouse has them (default: as a new warehouse would)",
        ),
        DATASET,
        DS_CONN_ID,
        ARG_OUTPUT,
    )


def _plan() -> ActionCommand:
    return _command(
        "plan",
        "Say what an extraction would take: dossiers, requests, minutes, bytes",
        "Dossiers are counted exactly; the rest is an estimate, after one page of the largest group.",
        Arg(("--groupe",), help="Numbers of groups", nargs="+", metavar="NUMBER"),
        Arg(("--demarche",), help="Number of a démarche: all its groups", metavar="NUMBER"),
        *WINDOW,
        *INCLUDES,
        CONCURRENCY,
        DS_CONN_ID,
        ARG_OUTPUT,
    )


def _extract() -> ActionCommand:
    return _command(
        "extract",
        "Extract groups into a landing zone, without a DAG",
        "Without a window each group is read in full. An interrupted extraction is resumed by the same command.",
        Arg(("groupe",), help="Numbers of the groups", nargs="+", metavar="GROUP"),
        Arg(("--to",), help="Landing zone: a folder, or a URL such as s3://my_conn@bucket/ds", required=True),
        *WINDOW,
        Arg(("--deletions",), help="Extract the groups' deletions too", action="store_true"),
        *INCLUDES,
        CONCURRENCY,
        DS_CONN_ID,
        ARG_OUTPUT,
    )


def _dossier() -> ActionCommand:
    return _command(
        "dossier",
        "Show one dossier",
        "Files are shown by their names; their addresses, which --json shows, are good for an hour.",
        Arg(("number",), help="Number of the dossier"),
        Arg(("--json",), help="Print the dossier as the API sends it", action="store_true"),
        *INCLUDES,
        DS_CONN_ID,
        ARG_OUTPUT,
    )


def _status() -> ActionCommand:
    return _command(
        "status",
        "Say from when to when each group is loaded into the warehouse",
        "No request is sent to the service. A load that runs is waited for if the warehouse is a DuckDB file.",
        WAREHOUSE_CONN_ID,
        DATASET,
        Arg(
            ("--max-age",),
            help="End with code 1 if a group is not loaded up to that long ago (90m, 26h, 3d), or lacks its beginning",
        ),
        ARG_OUTPUT,
    )


def _sandbox() -> ActionCommand:
    return ActionCommand(
        name="sandbox",
        help="Serve a stand-in for the API of Démarches simplifiées on this machine",
        func=lazy_load_command("ds_provider.cli.sandbox.sandbox"),
        # an option that is not given is not passed on: the sandbox reads and checks what it is given
        args=tuple(Arg(flags=(f"--{each.name}",), help=each.help, default=SUPPRESS) for each in OPTIONS),
    )
