from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ds_provider.api.query.parameters import flatten_batches, parse_groupes
from ds_provider.exceptions import DSConfigurationError
from ds_provider.parameter_checks import is_nothing
from ds_provider.sync.manifests import count_nulls, manifests_in

DOSSIERS = {"manifest": "file:///a/manifest.json", "rows": 1}
DELETIONS = {"manifest": "file:///b/manifest.json", "manifest_pending": "file:///c/manifest.json"}
URLS = ["file:///a/manifest.json", "file:///b/manifest.json", "file:///c/manifest.json"]


@pytest.mark.parametrize(
    "given",
    [
        [DOSSIERS, DELETIONS],
        [[DOSSIERS], [[DELETIONS]], None],
        URLS,
        (DOSSIERS, URLS[1], URLS[2]),
        '["file:///a/manifest.json", "file:///b/manifest.json", "file:///c/manifest.json"]',
        iter([DOSSIERS, DELETIONS]),
    ],
)
def test_manifests_are_found_in_any_nesting_of_summaries_and_urls(given: Any) -> None:
    assert list(manifests_in(given)) == URLS


@pytest.mark.parametrize("nothing", [None, [], [[], None]])
def test_empty_values_hold_no_manifest(nothing: Any) -> None:
    assert list(manifests_in(nothing)) == []


@pytest.mark.parametrize(
    "given", [7, {"rows": 1}, [DOSSIERS, 3.5], "{'manifest': 'x'}", "", "None", [DOSSIERS, "None"], {"manifest": None}]
)
def test_other_values_are_refused_in_one_line(given: Any) -> None:
    with pytest.raises(DSConfigurationError, match="manifests must be what the extract operators return") as raised:
        list(manifests_in(given))
    assert "\n" not in str(raised.value)


class MappedResults(Sequence[Any]):
    """Results of mapped tasks as Airflow gives them, and a line in the log for each item that is not there."""

    def __init__(self, *results: Any) -> None:
        self._results = results
        self.logged: list[str] = []

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, int) and key >= len(self._results):
            self.logged.append("XCom not found")
        return list(self._results)[key]

    def __len__(self) -> int:
        return len(self._results)


def test_results_of_mapped_tasks_are_read_without_an_error_in_the_log() -> None:
    summaries, numbers = MappedResults([DOSSIERS], [DELETIONS], None), MappedResults(1, 2)
    assert list(manifests_in([summaries])) == URLS
    assert count_nulls([summaries]) == 1
    assert flatten_batches(MappedResults([1], [2])) == [1, 2]
    assert not is_nothing([summaries])
    assert parse_groupes(numbers) == ([1, 2], True)
    assert [*summaries.logged, *numbers.logged] == []
