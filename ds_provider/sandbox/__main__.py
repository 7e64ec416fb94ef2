"""``python -m ds_provider.sandbox``: serve the sandbox until it is stopped.

When it is ready it prints one line of JSON: its URL, a token, the démarche and its groups.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from typing import NoReturn

MISSING_EXTRA = "the sandbox needs graphql-core: pip install 'airflow-provider-demarches-simplifiees[sandbox]'"
# modules that the extra, and Airflow, bring
REQUIRED_MODULES = {"graphql", "starlette", "uvicorn", "msgspec"}


def add_arguments(parser: ArgumentParser) -> None:
    """Add the sandbox's options to a parser."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="port, 0 for any free one (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the world's random values (default: %(default)s)")
    parser.add_argument("--groupes", type=int, default=3, help="number of groups (default: %(default)s)")
    parser.add_argument(
        "--dossiers",
        type=int,
        default=120,
        help="number of dossiers deposited in each group so far (default: %(default)s)",
    )
    parser.add_argument("--now", type=_aware, help="instant at which the clock stands still, ISO 8601 with an offset")
    parser.add_argument(
        "--rate-limit", type=int, default=400, help="requests per minute, 0 for no limit (default: %(default)s)"
    )


def main(argv: list[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT.

    :param argv: arguments; by default those of the process
    :raises SystemExit: if a number, the port or the installation is wrong, with a line that says so
    """
    parser = OneLineParser(prog="sandbox", description="A stand-in for the API of Démarches simplifiées.")
    add_arguments(parser)
    arguments = parser.parse_args(argv)
    try:
        from ds_provider.sandbox.http.serve import serve
    except ModuleNotFoundError as problem:
        if (problem.name or "").partition(".")[0] not in REQUIRED_MODULES:
            raise
        sys.exit(MISSING_EXTRA)
    serve(arguments, parser)


class OneLineParser(ArgumentParser):
    """Argument parser that reports an error in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Print the error and exit with code 2."""
        self.exit(2, f"{self.prog}: {message}\n")


def _aware(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as problem:
        raise ArgumentTypeError(f"{text!r} is not an ISO 8601 date") from problem
    if moment.tzinfo is None:
        raise ArgumentTypeError(f"{text!r} has no offset")
    return moment


if __name__ == "__main__":
    main()
