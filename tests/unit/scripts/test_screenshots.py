"""The DAGs of ``make screenshots`` are DAGs, and its pictures are small."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.processes import CHECKOUT, Sandbox
from scripts.screenshots.__main__ import IMAGES, WAITING, WAREHOUSE, write_dags
from scripts.screenshots.pictures import MAX_BYTES, camera


def test_dags_of_the_pictures_are_found_by_airflow(tmp_path: Path) -> None:
    from airflow.dag_processing.dagbag import DagBag

    file = tmp_path / "dags.py"
    write_dags(file, Sandbox(url="http://127.0.0.1:9999/api/v2/graphql", token="t", demarche=12, groupes=[7, 8]))
    bag = DagBag(dag_folder=str(tmp_path), bundle_name="dags-folder")
    assert not bag.import_errors
    assert set(bag.dags) == {WAREHOUSE, WAITING}
    assert bag.dags[WAREHOUSE].get_task("groupes").demarche_number == 12


def test_pictures_are_small_and_those_that_are_taken() -> None:
    pictures = list(IMAGES.glob("*.png"))
    taken = (CHECKOUT / "scripts" / "screenshots" / "__main__.py").read_text()
    assert pictures
    assert [path.stem for path in pictures if f'taken.take("{path.stem}"' not in taken] == []
    assert [path.name for path in pictures if path.stat().st_size > MAX_BYTES] == []


def test_missing_browser_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="chromium"), camera("http://127.0.0.1:9", tmp_path):
        pass
