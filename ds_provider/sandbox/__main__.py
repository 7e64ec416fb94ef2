"""``python -m ds_provider.sandbox``: serve the sandbox until it is stopped.

When it is ready it prints one line of JSON: its URL, a token, the démarche and its groups.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import NoReturn

from ds_provider.sandbox.options import OPTIONS

MISSING_EXTRA = "the sandbox needs graphql-core: pip install 'airflow-provider-demarches-simplifiees[sandbox]'"
# modules that the extra, and Airflow, bring
REQUIRED_MODULES = {"graphql", "starlette", "uvicorn", "msgspec"}


def add_arguments(parser: ArgumentParser) -> None:
    """Add the sandbox's options to a parser."""
    for each in OPTIONS:
        parser.add_argument(
            f"--{each.name}", type=each.read, default=each.default, choices=each.choices, help=each.help
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


if __name__ == "__main__":
    main()
