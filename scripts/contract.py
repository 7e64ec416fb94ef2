"""Hold the queries and the sandbox against the API's schema, with the checker whose path is given."""

from __future__ import annotations

import subprocess
import sys

from ds_provider.sandbox import Sandbox

DOCUMENTS = "ds_provider/api/documents"


def main(checker: str) -> int:
    with Sandbox() as sandbox:
        checks = (["documents", DOCUMENTS], ["sandbox", sandbox.url, sandbox.token])
        codes = [subprocess.run([sys.executable, checker, *check], check=False).returncode for check in checks]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
