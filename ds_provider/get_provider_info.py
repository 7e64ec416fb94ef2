"""Description of the provider, for Airflow.

Airflow asks for it in each process, while its own configuration is still being imported. So nothing may be imported
here but the package itself, which imports nothing.
"""

from __future__ import annotations

from typing import Any

from ds_provider import __version__

INTEGRATION = "Démarches simplifiées"

CONNECTION_TYPE: dict[str, Any] = {
    "connection-type": "ds",
    "hook-class-name": "ds_provider.hooks.ds.DSHook",
    "hook-name": INTEGRATION,
    "ui-field-behaviour": {
        "hidden-fields": ["schema", "port", "login"],
        "relabeling": {"host": "Host or endpoint URL", "password": "API token"},
        "placeholders": {
            "host": "demarche.numerique.gouv.fr",
            "password": "API token of an administrator's profile",
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
                "jobs outside Airflow included."
            ),
            "schema": {"type": ["integer", "null"], "default": 300, "minimum": 1, "maximum": 100000},
        },
        "budget_url": {
            "label": "Where requests are counted",
            "description": (
                "Empty: a file in Airflow's home, for workers on one machine. For several machines: a database that "
                "all of them reach, redis://host:6379/0 or postgresql://user:password@host/database."
            ),
            # masked, since it may hold a password
            "schema": {"type": ["string", "null"], "format": "password"},
        },
    },
}


def get_provider_info() -> dict[str, Any]:
    """Describe the provider, in the form of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-demarches-simplifiees",
        "name": INTEGRATION,
        "description": "Dossiers and their deletions, from the API of demarche.numerique.gouv.fr to files and tables.",
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
        "connection-types": [CONNECTION_TYPE],
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
