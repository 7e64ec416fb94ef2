"""This provider's operator."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ds_provider.operators.extract import DSExtractDossiersOperator
from scripts.bench.jobs import Job


def read(job: Job) -> None:
    extra = {"requests_per_minute": job.requests_per_minute}
    connection = {"conn_type": "ds", "host": job.url, "password": job.token, "extra": extra}
    os.environ["AIRFLOW_CONN_DS_DEFAULT"] = json.dumps(connection)
    DSExtractDossiersOperator(
        task_id="dossiers",
        groupe_instructeur_number=job.groupe,
        destination=Path(job.folder).as_uri(),
        page_size=job.page_size,
        concurrency=job.concurrency,
    ).execute({})
