"""Check the queries and the sandbox against the API's schema, with the checker whose path is given."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from ds_provider.api.paging import by_number
from ds_provider.api.paging.parallel import plan, probes
from ds_provider.api.polling import idle_groups, latest
from ds_provider.api.query.selection import DELETED_DOSSIERS, DOSSIERS, PENDING_DELETED_DOSSIERS, Selection
from ds_provider.sandbox import Sandbox
from ds_provider.sandbox.options import SERVERS

DOCUMENTS = "ds_provider/api/query/documents"
LATEST = [
    latest.LatestQuery(Selection(stream, 1), 1) for stream in (DOSSIERS, DELETED_DOSSIERS, PENDING_DELETED_DOSSIERS)
]
# operations that no file holds, since their text depends on what is asked
GENERATED = [
    ("idle_groups", idle_groups.build_query(idle_groups.MAX_BATCH)),
    ("latest", latest.build_request(LATEST).query),
    ("by_number", by_number.build_query(by_number.MAX_BATCH)),
    *((f"probes_by_{column}", probes.operation(column, plan.MAX_PROBES)) for column in ("created", "updated")),
]


def main(checker: str) -> int:
    with ExitStack() as stack:
        generated = stack.enter_context(tempfile.TemporaryDirectory())
        for name, text in GENERATED:
            Path(generated, f"{name}.graphql").write_text(text, encoding="utf-8")
        sandboxes = [stack.enter_context(Sandbox(server=server)) for server in SERVERS]
        served = [["sandbox", sandbox.url, sandbox.token] for sandbox in sandboxes]
        checks = (["documents", DOCUMENTS], ["documents", generated], *served)
        codes = [subprocess.run([sys.executable, checker, *check], check=False).returncode for check in checks]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
