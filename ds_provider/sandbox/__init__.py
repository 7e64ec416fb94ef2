"""A stand-in for the API of Démarches simplifiées on this machine.

:class:`Sandbox` runs it in a test; ``python -m ds_provider.sandbox`` serves it until it is stopped.
Both need the extra named ``sandbox``, which brings graphql-core.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ds_provider.sandbox.http.server import Sandbox

__all__ = ["Sandbox"]


def __getattr__(name: str) -> Any:
    if name != "Sandbox":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ds_provider.sandbox.http.server import Sandbox

    return Sandbox
