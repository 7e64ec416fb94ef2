"""``airflow ds sandbox``: serve the stand-in for the API."""

from __future__ import annotations

from argparse import Namespace

from ds_provider.sandbox.options import OPTIONS


def sandbox(args: Namespace) -> None:
    """Run the sandbox with the options that were given.

    :raises SystemExit: if the sandbox's extra is not installed.
    """
    from ds_provider.sandbox.__main__ import main

    main(sandbox_argv(args))


def sandbox_argv(args: Namespace) -> list[str]:
    """Return the sandbox's command-line arguments for the options that were given."""
    given = {each.name: getattr(args, each.name.replace("-", "_"), None) for each in OPTIONS}
    return [f"--{name}={value}" for name, value in given.items() if value is not None]
