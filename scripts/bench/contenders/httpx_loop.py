"""A page-after-page loop with httpx, as one writes it in an afternoon."""

from __future__ import annotations

import gzip
import json

import httpx

from scripts.bench.jobs import GZIP_LEVEL, Job


def read(job: Job) -> None:
    # it cannot refuse all answers with `errors`: a link to a dossier outside the token's rights puts one on a good page
    cursor, more = None, True
    headers = {"Authorization": f"Bearer {job.token}"}
    with httpx.Client(headers=headers, timeout=60) as client, gzip.open(job.file, "wt", GZIP_LEVEL) as file:
        while more:
            response = client.post(job.url, json=job.body(cursor))
            response.raise_for_status()
            connection = response.json()["data"]["groupeInstructeur"]["dossiers"]
            for dossier in connection["nodes"]:
                file.write(json.dumps(dossier) + "\n")
            more, cursor = connection["pageInfo"]["hasNextPage"], connection["pageInfo"]["endCursor"]
