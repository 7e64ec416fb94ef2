"""Lists of groups: a group that fails does not stop the others, and all summaries go through XCom."""

from __future__ import annotations

import pytest

from ds_provider.api.transport.messages import TransportFailure
from ds_provider.exceptions import (
    DSAccessError,
    DSConfigurationError,
    DSDestinationError,
    DSEndpointError,
    DSGroupesFailedError,
    DSGroupesRefusedError,
    DSNetworkForbiddenError,
    DSNotFoundError,
    DSTokenExpiredError,
    DSTokenUnknownError,
    DSTransportError,
)
from ds_provider.landing.rows import iter_rows
from ds_provider.operators.extract import DSExtractDeletedDossiersOperator, DSExtractDossiersOperator
from tests.support.flows import response
from tests.support.operator_service import Ti, dossiers, unauthorized


@pytest.fixture
def three(service):
    for groupe in (1, 2, 3):
        service.holds(groupe, *dossiers(groupe * 10, groupe * 10 + 1))
    return service


def operator(destination, groupes, **asked):
    return DSExtractDossiersOperator(task_id="t", groupe_instructeur_number=groupes, destination=destination, **asked)


def landed(destination: str, groupe: int) -> list[int]:
    url = f"{destination}/groupe-{groupe}/dossiers/full/manifest.json"
    return [node["number"] for node in iter_rows(url)]


@pytest.mark.parametrize("given", [[3, 1, 2], "[3, 1, 2]", (3, "1", 2), [3, 1, 2, 1]], ids=repr)
def test_list_of_groups_returns_a_list_of_summaries(given, three, destination):
    summaries = operator(destination, given).execute({"ti": Ti()})
    assert [summary["groupe_instructeur_number"] for summary in summaries] == [3, 1, 2]
    assert [landed(destination, groupe) for groupe in (1, 2, 3)] == [[10, 11], [20, 21], [30, 31]]
    assert len(three.conn_ids) == 1, "over one connection"


def test_list_of_one_group_returns_a_list(three, destination):
    assert len(operator(destination, [2]).execute({"ti": Ti()})) == 1


@pytest.mark.parametrize("groups", [2, [2], [3, 1, 2]], ids=repr)
@pytest.mark.parametrize("kind", [DSExtractDossiersOperator, DSExtractDeletedDossiersOperator])
def test_summaries_of_a_success_are_a_list_in_the_xcom_landed(kind, groups, three, destination):
    made = kind(task_id="t", groupe_instructeur_number=groups, destination=destination)
    for _ in range(2):
        ti = Ti()
        result = made.execute({"ti": ti})
        assert ti.pushed == {"landed": result if isinstance(groups, list) else [result]}


def test_groups_that_fail_are_named_and_the_others_land(three, destination):
    three.fails(1, lambda request: unauthorized("not_found", "GroupeInstructeurWithNumber not found"))
    three.fails(3, lambda request: TransportFailure("connection lost", sent=True))
    with pytest.raises(DSGroupesFailedError) as caught:
        operator(destination, [1, 2, 3]).execute({"ti": Ti()})
    assert {groupe: type(error) for groupe, error in caught.value.failures.items()} == {
        1: DSNotFoundError,
        3: DSTransportError,
    }
    assert "2 of 3" in str(caught.value)
    assert "1: " in str(caught.value)
    assert "3: " in str(caught.value)
    assert "\n" not in str(caught.value)
    assert landed(destination, 2) == [20, 21]
    for groupe in (1, 3):
        with pytest.raises(DSDestinationError):
            landed(destination, groupe)


def refusal(status: int, message: str):
    return response({"errors": [{"message": message, "extensions": {"code": "forbidden"}}]}, status=status)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(403, "Without a token, only persisted queries are allowed"), DSTokenUnknownError),
        (refusal(401, "Token has expired"), DSTokenExpiredError),
        (refusal(403, "Request issued from a forbidden network. Add 1.2.3.4/32 to it"), DSNetworkForbiddenError),
        (response(status=404, body=b"<html>"), DSEndpointError),
        (unauthorized("deprecated_token", "the token is of an old kind"), DSAccessError),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_error_that_all_groups_share_ends_the_task_at_once(answer, error, three, destination):
    three.fails(2, lambda request: answer)
    ti = Ti()
    with pytest.raises(error):
        operator(destination, [1, 2, 3]).execute({"ti": ti})
    assert [asked["number"] for asked in three.variables] == [1, 2]
    assert landed(destination, 1) == [10, 11]
    assert [summary["groupe_instructeur_number"] for summary in ti.pushed["landed"]] == [1]


def test_summaries_of_the_other_groups_are_pushed_to_xcom(three, destination):
    three.fails(2, lambda request: unauthorized("not_found", "not found"))
    ti = Ti()
    with pytest.raises(DSGroupesRefusedError):
        operator(destination, [1, 2, 3]).execute({"ti": ti})
    assert [summary["groupe_instructeur_number"] for summary in ti.pushed["landed"]] == [1, 3]


def test_cursor_is_refused_for_several_groups(three, destination):
    with pytest.raises(DSConfigurationError, match="after"):
        operator(destination, [1, 2], after="abc").execute({})
    assert three.requests == []


def test_error_of_a_single_group_is_not_wrapped(three, destination):
    three.fails(1, lambda request: unauthorized("not_found", "not found"))
    ti = Ti()
    with pytest.raises(DSNotFoundError):
        operator(destination, 1).execute({"ti": ti})
    assert ti.pushed == {"landed": []}


def test_invalid_number_in_a_list_is_refused_before_any_request(three, destination):
    with pytest.raises(DSConfigurationError, match="groupe_instructeur_number"):
        operator(destination, [1, "x", 3]).execute({"ti": Ti()})
    assert three.requests == []


def test_folder_that_fails_fails_its_group_alone(three, destination, tmp_path):
    (tmp_path / "zone").mkdir()
    (tmp_path / "zone/groupe-2").write_text("a file where the group's folder should be")
    with pytest.raises(DSGroupesFailedError) as caught:
        operator(destination, [1, 2, 3]).execute({"ti": Ti()})
    assert isinstance(caught.value.failures[2], DSDestinationError)
    assert landed(destination, 3)


def test_deletions_of_a_group_fail_alone(three, destination):
    three.fails(1, lambda request: unauthorized("not_found", "not found"))
    made = DSExtractDeletedDossiersOperator(task_id="t", groupe_instructeur_number=[1, 2], destination=destination)
    with pytest.raises(DSGroupesFailedError) as caught:
        made.execute({"ti": Ti()})
    assert list(caught.value.failures) == [1]


class DeadTi(Ti):
    """A task instance whose API server does not answer."""

    def xcom_push(self, key, value):
        raise RuntimeError("API server: 503")


def test_error_of_a_task_is_shown_though_no_summary_can_be_pushed(three, destination, caplog):
    three.fails(2, lambda request: unauthorized())
    with pytest.raises(DSGroupesRefusedError, match="1 of 3"), caplog.at_level("WARNING"):
        operator(destination, [1, 2, 3]).execute({"ti": DeadTi()})
    assert landed(destination, 3) == [30, 31]


def test_task_without_its_summaries_in_xcom_is_not_green(three, destination):
    with pytest.raises(RuntimeError, match="503"):
        operator(destination, [1, 3]).execute({"ti": DeadTi()})
