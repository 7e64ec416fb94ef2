"""``HttpOperator`` of apache-airflow-providers-http with a ``pagination_function``.

``response_filter`` gets all responses as one list after the last page. It writes them to a file, since its result goes
through XCom.
"""

from __future__ import annotations

import gzip
import json
import os
from typing import Any

from airflow.providers.http.operators.http import HttpOperator
from requests import Response

from scripts.bench.jobs import GZIP_LEVEL, Job


def read(job: Job) -> None:
    def next_page(response: Response) -> dict[str, Any] | None:
        page = connection_of(response)["pageInfo"]
        return {"data": json.dumps(job.body(page["endCursor"]))} if page["hasNextPage"] else None

    def write(responses: list[Response]) -> str:
        with gzip.open(job.file, "wt", GZIP_LEVEL) as file:
            for response in responses:
                for dossier in connection_of(response)["nodes"]:
                    file.write(json.dumps(dossier) + "\n")
        return str(job.file)

    headers = {"Authorization": f"Bearer {job.token}", "Content-Type": "application/json"}
    os.environ["AIRFLOW_CONN_DS_HTTP"] = json.dumps({"conn_type": "http", "host": job.url, "extra": headers})
    HttpOperator(
        task_id="dossiers",
        http_conn_id="ds_http",
        data=json.dumps(job.body()),
        pagination_function=next_page,
        response_filter=write,
    ).execute({})


def connection_of(response: Response) -> dict[str, Any]:
    connection: dict[str, Any] = response.json()["data"]["groupeInstructeur"]["dossiers"]
    return connection
