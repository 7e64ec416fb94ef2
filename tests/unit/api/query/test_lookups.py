"""Lookups yield one result, or raise an error that names the number."""

from __future__ import annotations

import json

import pytest

from ds_provider.api.query import lookups
from ds_provider.api.query.selection import Includes
from ds_provider.api.transport.messages import Request
from ds_provider.exceptions import DSError, DSMalformedResponseError, DSNotFoundError
from tests.support.flows import Drive, response

GROUPES = [{"id": "R3=", "number": 12, "label": "défaut", "closed": False}]
CHAMP = {"__typename": "TextChampDescriptor", "id": "Q2=", "label": "Nom", "description": None, "required": True}
BLOCK = {**CHAMP, "__typename": "RepetitionChampDescriptor", "champDescriptors": [{**CHAMP, "options": ["a"]}]}
REVISION = {
    "id": "UH=",
    "dateCreation": "2026-11-20T12:00:00+01:00",
    "datePublication": None,
    "champDescriptors": [CHAMP, BLOCK],
    "annotationDescriptors": [],
}
FORMS = {"number": 123, "revisions": [REVISION], "groupeInstructeurs": GROUPES}

LOOKUPS = {
    "groupes": (lambda: lookups.get_groupes(123), {"demarche": {"groupeInstructeurs": GROUPES}}, GROUPES),
    "dossier": (lambda: lookups.get_dossier(123, Includes()), {"dossier": {"number": 123}}, {"number": 123}),
    "descriptor": (
        lambda: lookups.get_demarche_descriptor(123),
        {"demarcheDescriptor": {"number": 123}},
        {"number": 123},
    ),
    "revisions": (lambda: lookups.get_revisions(123), {"demarche": FORMS}, FORMS),
    "run": (lambda: lookups.run(Request("{ a }")), {"a": 1}, {"a": 1}),
}
NUMBERED = {name: make for name, (make, *_) in LOOKUPS.items() if name != "run"}


@pytest.mark.parametrize(("make", "data", "result"), LOOKUPS.values(), ids=LOOKUPS)
def test_lookup_yields_one_result(make, data, result):
    driven = Drive(make(), lambda request: response({"data": data}))
    assert driven.error is None
    assert driven.results == [result]
    assert len(driven.requests) == 1


@pytest.mark.parametrize("make", NUMBERED.values(), ids=NUMBERED)
def test_lookup_asks_for_the_given_number(make):
    driven = Drive(make(), lambda request: response({"data": {}}))
    assert json.loads(driven.requests[0].body)["variables"]["number"] == 123


@pytest.mark.parametrize("make", NUMBERED.values(), ids=NUMBERED)
@pytest.mark.parametrize("null", [False, True], ids=["absent", "null"])
def test_lookup_that_finds_nothing_raises_an_error_with_the_number(make, null):
    data = {"demarche": None, "dossier": None, "demarcheDescriptor": None} if null else {}
    driven = Drive(make(), lambda request: response({"data": data}))
    assert isinstance(driven.error, DSNotFoundError)
    assert "123" in str(driven.error)


@pytest.mark.parametrize("demarche", [{}, {"groupeInstructeurs": None}, {"groupeInstructeurs": {"number": 1}}])
def test_demarche_without_groups_raises(demarche):
    driven = Drive(lookups.get_groupes(123), lambda request: response({"data": {"demarche": demarche}}))
    assert isinstance(driven.error, DSError)
    assert driven.results == []


DAMAGES = {
    "no number": {"number": None},
    "no revisions": {"revisions": None},
    "a revision that is null": {"revisions": [None]},
    "no groups": {"groupeInstructeurs": None},
    "no champs": {"revisions": [{**REVISION, "champDescriptors": None}]},
    "no annotations": {"revisions": [{**REVISION, "annotationDescriptors": None}]},
    "a date that is none": {"revisions": [{**REVISION, "dateCreation": "hier"}]},
    "a champ without type": {"revisions": [{**REVISION, "champDescriptors": [{**CHAMP, "__typename": None}]}]},
    "a row's champ without id": {
        "revisions": [{**REVISION, "champDescriptors": [{**BLOCK, "champDescriptors": [{}]}]}]
    },
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_revisions_with_holes_raise(damage):
    driven = Drive(lookups.get_revisions(123), lambda request: response({"data": {"demarche": FORMS | damage}}))
    assert isinstance(driven.error, DSMalformedResponseError)
    assert "démarche 123" in str(driven.error)
    assert driven.results == []


def test_revisions_accept_unknown_fields_of_a_champ():
    more = [{**CHAMP, "__typename": "OfTheFutureChampDescriptor", "nature": {"a": 1}}]
    forms = FORMS | {"revisions": [{**REVISION, "champDescriptors": more}]}
    assert Drive(lookups.get_revisions(123), lambda request: response({"data": {"demarche": forms}})).results == [forms]


def test_dossier_lookup_asks_for_the_included_parts():
    driven = Drive(lookups.get_dossier(123, Includes(champs=False, avis=True)), lambda request: response({"data": {}}))
    variables = json.loads(driven.requests[0].body)["variables"]
    assert variables["includeChamps"] is False
    assert variables["includeAvis"] is True
    assert variables["includeTraitements"] is True
    assert variables["includeMessages"] is False


def test_response_that_is_no_object_is_retried_and_raised():
    driven = Drive(lookups.run(Request("{ a }")), lambda request: response({"data": [1]}))
    assert isinstance(driven.error, DSMalformedResponseError)
    assert len(driven.requests) > 1
