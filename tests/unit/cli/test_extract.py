"""Groups are extracted as the operators do it, and an interrupted extraction goes on where it ended."""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath

from ds_provider.api.transport.client import DSClient
from ds_provider.cli.extract import destination_of
from ds_provider.landing import iter_rows
from ds_provider.landing.manifest import read_manifest
from ds_provider.landing.storage import is_local
from ds_provider.sandbox import Sandbox
from tests.support.command_line import Run
from tests.support.dag_files import micros
from tests.unit.cli.conftest import NOW


def numbers_in(manifest: str) -> list[int]:
    return sorted(row["number"] for row in iter_rows(manifest))


def numbers_of(shown: list[dict[str, Any]], groupe: int, stream: str = "dossiers") -> list[int]:
    return sorted(row["number"] for row in next(one[stream] for one in shown if one["number"] == groupe))


@pytest.fixture
def zone(tmp_path: Path) -> Path:
    return tmp_path / "a zone"


def test_extract_lands_what_each_group_shows(ds: Run, sandbox: Sandbox, shown, zone: Path) -> None:
    ran = ds("extract", *sandbox.groupes, "--to", zone, "-o", "json")
    assert ran.code == 0
    assert [row["number"] for row in ran.rows] == sandbox.groupes
    for row in ran.rows:
        assert (row["stream"], row["quarantined"], row["since"], row["until"]) == ("dossiers", 0, None, None)
        assert numbers_in(row["manifest"]) == numbers_of(shown, row["number"])
        assert row["rows"] == len(numbers_of(shown, row["number"]))


def test_extract_says_on_the_standard_error_how_far_it_is(ds: Run, sandbox: Sandbox, zone: Path) -> None:
    groupe = sandbox.groupes[0]
    ran = ds("extract", groupe, "--to", zone)
    assert re.search(rf"group {groupe} \(.+\): page 2: \d+ dossiers, \d+ in all", ran.err)
    assert "page" not in ran.out
    assert logging.getLogger("ds_provider").level == logging.NOTSET


def test_extract_of_a_window_lands_what_is_in_it(ds: Run, sandbox: Sandbox, shown, zone: Path) -> None:
    groupe, start, end = sandbox.groupes[0], NOW - timedelta(days=30), NOW - timedelta(days=2)
    options = ("--created-since", start.isoformat(), "--created-until", end.isoformat())
    (row,) = ds("extract", groupe, "--to", zone, *options, "-o", "json").rows
    expected = [
        dossier["number"] for dossier in shown[0]["dossiers"] if micros(start) <= dossier["depose_at"] < micros(end)
    ]
    assert numbers_in(row["manifest"]) == sorted(expected)


def test_deletions_are_landed_beside_the_dossiers(ds: Run, sandbox: Sandbox, shown, zone: Path) -> None:
    groupe = sandbox.groupes[0]
    rows = {row["stream"]: row for row in ds("extract", groupe, "--to", zone, "--deletions", "-o", "json").rows}
    assert set(rows) == {"dossiers", "deleted_dossiers", "pending_deleted_dossiers"}
    assert numbers_in(rows["deleted_dossiers"]["manifest"]) == numbers_of(shown, groupe, "deleted")
    assert numbers_in(rows["pending_deleted_dossiers"]["manifest"]) == numbers_of(shown, groupe, "pending")


def test_parts_that_are_asked_for_are_landed(ds: Run, sandbox: Sandbox, zone: Path) -> None:
    options = ("--include-messages", "--no-include-champs")
    (row,) = ds("extract", sandbox.groupes[0], "--to", zone, *options, "-o", "json").rows
    dossier = next(iter(iter_rows(row["manifest"])))
    assert "messages" in dossier
    assert "champs" not in dossier


class Interrupted:
    """Client whose user presses Ctrl-C when the third request is to be sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.requests = 0
        exchange = DSClient._exchange

        def counted(client: DSClient, request: Any) -> Any:
            self.requests += 1
            if self.requests == 3:
                raise KeyboardInterrupt
            return exchange(client, request)

        monkeypatch.setattr(DSClient, "_exchange", counted)


def test_interrupted_extraction_is_resumed_by_the_same_command(
    ds: Run, sandbox: Sandbox, shown, zone: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = sandbox.groupes[:2]
    argv = ("extract", first, second, "--to", zone, "-o", "json")
    Interrupted(monkeypatch)
    ran = ds(*argv)
    assert ran.code == 130
    assert [row["number"] for row in ran.rows] == [first]
    assert "the same command resumes it" in ran.err
    before = sandbox.state.served

    ran = ds(*argv)

    assert ran.code == 0
    # the first group is landed already, and nothing of it is read again but its end
    assert sandbox.state.served - before < 4
    assert [numbers_in(row["manifest"]) for row in ran.rows] == [numbers_of(shown, one) for one in (first, second)]
    assert not [*home.glob("ds_extract_*/*/*.json")]


def test_second_extraction_reads_anew(ds: Run, sandbox: Sandbox, zone: Path) -> None:
    argv = ("extract", sandbox.groupes[0], "--to", zone, "-o", "json")
    generations = set()
    for _ in range(2):
        (row,) = ds(*argv).rows
        generations.add(read_manifest(row["manifest"]).generation)
    assert len(generations) == 2


def test_group_that_fails_does_not_stop_the_others(ds: Run, sandbox: Sandbox, zone: Path) -> None:
    ran = ds("extract", 9, sandbox.groupes[1], "--to", zone, "--deletions", "-o", "json")
    assert ran.code == 3
    assert [row["number"] for row in ran.rows] == [sandbox.groupes[1]] * 3
    assert "1 of 2 groups failed" in ran.error


def test_service_that_is_down_ends_an_extraction_of_several_groups_with_code_4(ds: Run, use, zone: Path) -> None:
    use(host="http://127.0.0.1:9/api/v2/graphql")
    assert ds("extract", 7, 8, "--to", zone).code == 4


def test_one_group_that_is_not_shown_ends_with_the_code_of_its_error(ds: Run, zone: Path) -> None:
    ran = ds("extract", 9, "--to", zone)
    assert (ran.code, ran.out) == (3, "")


def test_dossiers_that_cannot_be_read_end_with_code_1_and_are_counted(
    ds: Run, sandbox: Sandbox, shown, zone: Path
) -> None:
    groupe, number = sandbox.groupes[0], shown[0]["dossiers"][40]["number"]
    sandbox.faults.set({"poison": {"numbers": [number]}})
    ran = ds("extract", groupe, "--to", zone, "-o", "json")
    assert ran.code == 1
    assert str(number) in ran.error
    assert [row["quarantined"] for row in ran.rows] == [1]
    assert numbers_in(ran.rows[0]["manifest"]) == [one for one in numbers_of(shown, groupe) if one != number]


def test_landing_zone_that_cannot_be_written_ends_with_code_4(ds: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = ds("extract", sandbox.groupes[0], "--to", tmp_path / "file" / "zone")
    assert ran.code == 4
    assert "cannot be written" in ran.error


def test_landing_zone_is_a_folder_or_a_url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert destination_of("s3://conn@bucket/ds") == "s3://conn@bucket/ds"
    assert destination_of("zone") == str(tmp_path / "zone")
    assert is_local(ObjectStoragePath(destination_of("zone")))
