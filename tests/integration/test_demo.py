"""The demo plays its days in a real Airflow with scheduler and triggerer, and the token is nowhere afterwards."""

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

pytestmark = pytest.mark.integration

CHECKOUT = Path(__file__).parents[2]
HOME = CHECKOUT / ".airflow" / "demo"
ROW = re.compile(r"^(\d{4}-\d\d-\d\d) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +[\d.]+  groupe-", re.MULTILINE)


@pytest.fixture(scope="module")
def demo() -> str:
    command = [sys.executable, str(CHECKOUT / "scripts" / "demo.py"), "--days", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def forms_of(token: str) -> set[bytes]:
    secret = base64.urlsafe_b64decode(token).partition(b";")[2]
    plain = token.encode()
    return {plain, plain.rstrip(b"="), urllib.parse.quote(token).encode(), base64.b64encode(plain), secret}


def test_the_demo_shows_each_group_on_each_day(demo):
    rows = ROW.findall(demo)
    assert len({day for day, *_ in rows}) == 2
    assert len({groupe for _, groupe, *_ in rows}) == 3
    assert len(rows) == 6
    assert sum(int(dossiers) for _, _, dossiers, *_ in rows) > 0
    assert "For the real service" in demo


def test_the_token_is_nowhere_afterwards(demo):
    with Sandbox(seed=7) as sandbox:
        forms = forms_of(sandbox.token)
    files = [path for path in HOME.rglob("*") if path.is_file()]
    assert HOME / "airflow.db" in files
    assert len([path for path in files if path.suffix == ".log"]) > 6
    for path in files:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        assert not [form for form in forms if form in content], path
    assert not [form for form in forms if form.decode(errors="replace") in demo]
