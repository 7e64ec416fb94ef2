"""dlt's ``RESTClient`` with its cursor paginator, its own retries and its own JSON, in a loop.

Not in a pipeline: that would normalise the rows into tables, which the others do not.
"""

from __future__ import annotations

import gzip

from dlt.common import json
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.auth import BearerTokenAuth
from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator

from scripts.bench.jobs import GZIP_LEVEL, Job

CONNECTION = "data.groupeInstructeur.dossiers"


def read(job: Job) -> None:
    client = RESTClient(
        base_url=job.url,
        auth=BearerTokenAuth(job.token),
        paginator=JSONResponseCursorPaginator(
            cursor_path=f"{CONNECTION}.pageInfo.endCursor",
            cursor_body_path="variables.after",
            has_more_path=f"{CONNECTION}.pageInfo.hasNextPage",
        ),
        data_selector=f"{CONNECTION}.nodes",
    )
    with gzip.open(job.file, "wb", GZIP_LEVEL) as file:
        for page in client.paginate(method="POST", json=job.body()):
            for dossier in page:
                file.write(json.dumpb(dossier) + b"\n")
