"""Description of the provider, for Airflow.

Airflow asks for it in each process, while its own configuration is still being imported. So nothing may be imported
here but the package itself, which imports nothing.
"""

from __future__ import annotations

from typing import Any

from ds_provider import __version__

INTEGRATION = "Démarches simplifiées"

# Airflow 3.3's page sends 0 for no port, and its API then finds another port than the saved one
TEST_BUTTON = "without a port, Airflow's Test button fails"

SERVICE_CONNECTION: dict[str, Any] = {
    "connection-type": "ds",
    "hook-class-name": "ds_provider.hooks.ds.DSHook",
    "hook-name": INTEGRATION,
    "ui-field-behaviour": {
        "hidden-fields": ["schema", "login"],
        "relabeling": {"host": "Host (empty: the public service)", "password": "API token"},
        "placeholders": {
            "host": "demarche.numerique.gouv.fr, or the URL of another instance's API",
            "port": f"443: {TEST_BUTTON}",
            "password": 'made by an administrator on the service: profile, "Jetons d\'API"',
        },
    },
    "conn-fields": {
        "read_timeout": {
            "label": "Read timeout (seconds)",
            "description": (
                "How long to wait for a response. The service lets one SQL statement run for 60 seconds "
                "before it gives up. A shorter wait would only hide its error."
            ),
            "schema": {"type": ["number", "null"], "default": 90, "minimum": 60},
        },
        "requests_per_minute": {
            "label": "Requests per minute",
            "description": (
                "Limit for all tasks that use this token, taken together. The public service allows a token 400, "
                "jobs outside Airflow included: leave them the rest."
            ),
            "schema": {"type": ["integer", "null"], "default": 300, "minimum": 1, "maximum": 100000},
        },
        "budget_url": {
            "label": "Counter of requests",
            "description": (
                "Where all tasks count their requests, so that together they stay below the limit. Empty is right for "
                "workers on one machine: a file in Airflow's home. With workers on several machines it must be a "
                "database that all of them reach: redis://host:6379/0 or postgresql://user:password@host/database."
            ),
            # masked, since it may hold a password
            "schema": {"type": ["string", "null"], "format": "password"},
        },
    },
}

DUCKDB_CONNECTION: dict[str, Any] = {
    # no hyphen: in a URI and in JSON, Airflow makes an underscore of it and does not find the type again
    "connection-type": "dsduckdb",
    "hook-class-name": "ds_provider.hooks.warehouse.DSWarehouseHook",
    "hook-name": f"{INTEGRATION}: DuckDB warehouse",
    "ui-field-behaviour": {
        "hidden-fields": ["schema", "login", "password", "extra"],
        "relabeling": {"host": "File"},
        "placeholders": {
            "host": "/data/warehouse.duckdb, on the machine of the workers",
            "port": f"0: {TEST_BUTTON}",
        },
    },
}


def get_provider_info() -> dict[str, Any]:
    """Describe the provider, in the form of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-demarches-simplifiees",
        "name": INTEGRATION,
        # Airflow's page of providers shows it beside a link to the project's URL Documentation
        "description": (
            "Dossiers and their deletions, from the API of demarche.numerique.gouv.fr to files and tables. "
            "The link leads to the documentation of the API."
        ),
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": INTEGRATION,
                "external-doc-url": "https://doc.demarches-simplifiees.fr/api-graphql",
                "tags": ["service"],
            }
        ],
        "hooks": [
            {
                "integration-name": INTEGRATION,
                "python-modules": ["ds_provider.hooks.ds", "ds_provider.hooks.warehouse"],
            }
        ],
        "operators": [
            {
                "integration-name": INTEGRATION,
                "python-modules": [
                    "ds_provider.operators.groupes",
                    "ds_provider.operators.extract",
                    "ds_provider.operators.refresh",
                    "ds_provider.operators.load",
                    "ds_provider.operators.reconcile",
                    "ds_provider.operators.prune",
                    "ds_provider.operators.freshness",
                    "ds_provider.operators.complete",
                ],
            }
        ],
        "sensors": [{"integration-name": INTEGRATION, "python-modules": ["ds_provider.sensors.dossiers"]}],
        "triggers": [{"integration-name": INTEGRATION, "python-modules": ["ds_provider.triggers.dossiers"]}],
        "connection-types": [SERVICE_CONNECTION, DUCKDB_CONNECTION],
        # an asset's URI is made by ds_provider.assets: Airflow has nothing to normalise in it
        "asset-uris": [
            {
                "schemes": ["ds"],
                "handler": None,
                "to_openlineage_converter": "ds_provider.openlineage.groupe_dataset",
            },
            {"schemes": ["ds-warehouse"], "handler": None},
        ],
        "extra-links": ["ds_provider.links.DSDemarcheLink", "ds_provider.links.DSGroupesLink"],
        "cli": ["ds_provider.cli.definition.get_ds_cli_commands"],
    }
