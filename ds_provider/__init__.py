"""Apache Airflow provider for the GraphQL API of Démarches simplifiées."""

from __future__ import annotations

__version__: str


def __getattr__(name: str) -> str:
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("airflow-provider-demarches-simplifiees")
