"""``python -m ds_provider.sandbox``: serve the stand-in until it is stopped.

When it is ready it prints one line of JSON: where it listens, a token, the démarche and its groups.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from typing import NoReturn

MISSING = "the sandbox needs graphql-core: pip install 'airflow-provider-demarches-simplifiees[sandbox]'"
# modules that the extra, and Airflow, bring
NEEDED = {"graphql", "starlette", "uvicorn", "msgspec"}


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the sandbox's options."""
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="the port, 0 for any (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="what the world is drawn from (default: %(default)s)")
    parser.add_argument("--groupes", type=int, default=3, help="groupes instructeurs (default: %(default)s)")
    parser.add_argument(
        "--dossiers", type=int, default=120, help="dossiers deposited in each group so far (default: %(default)s)"
    )
    parser.add_argument(
        "--now", type=_aware, help="the instant at which the clock stands still, ISO 8601 with an offset"
    )
    parser.add_argument(
        "--rate-limit", type=int, default=400, help="requests a minute, 0 for no limit (default: %(default)s)"
    )


def main(argv: list[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT.

    :param argv: the command line, the process's own by default
    :raises SystemExit: with a line that says what is wrong with a number, the port or the installation
    """
    parser = OneLineParser(prog="sandbox", description="A stand-in for the API of Démarches simplifiées.")
    add_arguments(parser)
    arguments = parser.parse_args(argv)
    try:
        from ds_provider.sandbox.http.serve import serve
    except ModuleNotFoundError as problem:
        if (problem.name or "").partition(".")[0] not in NEEDED:
            raise
        sys.exit(MISSING)
    serve(arguments, parser)


class OneLineParser(ArgumentParser):
    """Says what is wrong in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _aware(text: str) -> datetime:
    try:
        read = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as problem:
        raise ArgumentTypeError(f"{text!r} is no ISO 8601 date") from problem
    if read.tzinfo is None:
        raise ArgumentTypeError(f"{text!r} has no offset")
    return read


if __name__ == "__main__":
    main()
