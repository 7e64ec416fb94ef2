"""Hold the queries and the sandbox against the API's schema, with the checker whose path is given."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from ds_provider.api.paging.by_number import MAX_BATCH as DOSSIERS_AT_ONCE
from ds_provider.api.paging.by_number import question as dossiers_question
from ds_provider.api.paging.parallel.plan import PROBES
from ds_provider.api.paging.parallel.probes import operation
from ds_provider.api.polling.idle_groups import MAX_BATCH, question
from ds_provider.sandbox import Sandbox

DOCUMENTS = "ds_provider/api/query/documents"
# operations that no file holds, since their text depends on what is asked
GENERATED = [
    ("idle_groupes", question(MAX_BATCH)),
    ("rereading", dossiers_question(DOSSIERS_AT_ONCE)),
    *((f"survey_by_{column}", operation(column, PROBES)) for column in ("created", "updated")),
]


def main(checker: str) -> int:
    with Sandbox() as sandbox, tempfile.TemporaryDirectory() as generated:
        for name, text in GENERATED:
            Path(generated, f"{name}.graphql").write_text(text, encoding="utf-8")
        checks = (["documents", DOCUMENTS], ["documents", generated], ["sandbox", sandbox.url, sandbox.token])
        codes = [subprocess.run([sys.executable, checker, *check], check=False).returncode for check in checks]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
