"""Constants that several parts of the package share."""

from __future__ import annotations

DISTRIBUTION = "airflow-provider-demarches-simplifiees"
DEFAULT_CONN_ID = "ds_default"
PUBLIC_HOST = "demarche.numerique.gouv.fr"
DUCKDB_CONNECTION_TYPE = "dsduckdb"
DEFAULT_DATASET = "demarches_simplifiees"
