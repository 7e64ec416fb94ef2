"""The demo runs its days in a real Airflow: the tables end as the sandbox's lists, and no file holds the token."""

from __future__ import annotations

import base64
import gzip
import re
import subprocess
import sys
import urllib.parse
from pathlib import Path

import pytest

from ds_provider.sandbox import Sandbox
from scripts.demo.tables import ANSWERS

pytestmark = pytest.mark.integration

CHECKOUT = Path(__file__).parents[2]
HOME = CHECKOUT / ".airflow" / "demo"
DAYS = 2
ROW = re.compile(r"^\d{4}-\d\d-\d\d \w+" + 6 * r" +(\d+)" + r" +[\d.]+(  reconciled)?$", re.MULTILINE)


@pytest.fixture(scope="module")
def demo() -> str:
    command = [sys.executable, "-m", "scripts.demo", "--days", str(DAYS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400, cwd=CHECKOUT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def forms_of(token: str) -> set[bytes]:
    secret = base64.urlsafe_b64decode(token).partition(b";")[2]
    plain = token.encode()
    return {plain, plain.rstrip(b"="), urllib.parse.quote(token).encode(), base64.b64encode(plain), secret}


def test_demo_ends_without_drift(demo):
    rows = ROW.findall(demo)
    assert len(rows) == DAYS
    assert all(int(loaded) > 0 and int(dossiers) > 300 for loaded, dossiers, *_ in rows)
    *_, drift, reconciled = rows[-1]
    assert (drift, reconciled.strip()) == ("0", "reconciled")
    assert re.search(r"^drift: 0 of [1-9]\d\d dossiers, deleted ones included$", demo, re.MULTILINE)


def test_demo_counts_and_queries_the_tables(demo):
    counts = dict(re.findall(r"^(\w+) +(\d+)$", demo, re.MULTILINE))
    assert int(counts["dossiers"]) > 300
    assert int(counts["champs"]) > 10 * int(counts["dossiers"])
    for question in ANSWERS:
        assert re.search(rf"^{re.escape(question)}:\n\w.*\n *\w", demo, re.MULTILINE)
    assert "For the real service" in demo


def test_demo_leaves_the_token_in_no_file(demo):
    with Sandbox(seed=7) as sandbox:
        forms = forms_of(sandbox.token)
    files = [path for path in HOME.rglob("*") if path.is_file()]
    assert {HOME / "airflow.db", HOME / "ds_warehouse.duckdb"} <= set(files)
    assert len([path for path in files if path.suffix == ".log"]) > 6
    for path in files:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        assert not [form for form in forms if form in content], path
    assert not [form for form in forms if form.decode(errors="replace") in demo]
