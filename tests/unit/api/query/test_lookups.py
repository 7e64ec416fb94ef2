"""The questions with one answer give it, or say that there is none."""

from __future__ import annotations

import json

import pytest

from ds_provider.api.query import lookups
from ds_provider.api.query.selection import Includes
from ds_provider.api.transport.messages import Request
from ds_provider.exceptions import DSError, DSMalformedAnswerError, DSNotFoundError
from tests.support.flows import Drive, reply

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

QUESTIONS = {
    "groupes": (lambda: lookups.groupes(123), {"demarche": {"groupeInstructeurs": GROUPES}}, GROUPES),
    "dossier": (lambda: lookups.dossier(123, Includes()), {"dossier": {"number": 123}}, {"number": 123}),
    "descriptor": (lambda: lookups.demarche_descriptor(123), {"demarcheDescriptor": {"number": 123}}, {"number": 123}),
    "revisions": (lambda: lookups.revisions(123), {"demarche": FORMS}, FORMS),
    "run": (lambda: lookups.run(Request("{ a }")), {"a": 1}, {"a": 1}),
}
NUMBERED = {name: make for name, (make, *_) in QUESTIONS.items() if name != "run"}


@pytest.mark.parametrize(("make", "data", "given"), QUESTIONS.values(), ids=QUESTIONS)
def test_a_question_gives_its_answer_once(make, data, given):
    driven = Drive(make(), lambda request: reply({"data": data}))
    assert driven.error is None
    assert driven.given == [given]
    assert len(driven.requests) == 1


@pytest.mark.parametrize("make", NUMBERED.values(), ids=NUMBERED)
def test_a_question_is_about_the_number_that_was_given(make):
    driven = Drive(make(), lambda request: reply({"data": {}}))
    assert json.loads(driven.requests[0].body)["variables"]["number"] == 123


@pytest.mark.parametrize("make", NUMBERED.values(), ids=NUMBERED)
@pytest.mark.parametrize("null", [False, True], ids=["absent", "null"])
def test_nothing_under_a_number_is_an_error_that_names_it(make, null):
    data = {"demarche": None, "dossier": None, "demarcheDescriptor": None} if null else {}
    driven = Drive(make(), lambda request: reply({"data": data}))
    assert isinstance(driven.error, DSNotFoundError)
    assert "123" in str(driven.error)


@pytest.mark.parametrize("demarche", [{}, {"groupeInstructeurs": None}, {"groupeInstructeurs": {"number": 1}}])
def test_a_demarche_without_its_groups_is_no_empty_list_of_groups(demarche):
    driven = Drive(lookups.groupes(123), lambda request: reply({"data": {"demarche": demarche}}))
    assert isinstance(driven.error, DSError)
    assert driven.given == []


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
def test_a_form_with_holes_is_no_form(damage):
    driven = Drive(lookups.revisions(123), lambda request: reply({"data": {"demarche": FORMS | damage}}))
    assert isinstance(driven.error, DSMalformedAnswerError)
    assert "démarche 123" in str(driven.error)
    assert driven.given == []


def test_what_the_api_may_come_to_say_of_a_champ_does_no_harm():
    more = [{**CHAMP, "__typename": "OfTheFutureChampDescriptor", "nature": {"a": 1}}]
    forms = FORMS | {"revisions": [{**REVISION, "champDescriptors": more}]}
    assert Drive(lookups.revisions(123), lambda request: reply({"data": {"demarche": forms}})).given == [forms]


def test_the_parts_of_a_dossier_are_asked_for():
    driven = Drive(lookups.dossier(123, Includes(champs=False, avis=True)), lambda request: reply({"data": {}}))
    variables = json.loads(driven.requests[0].body)["variables"]
    assert variables["includeChamps"] is False
    assert variables["includeAvis"] is True
    assert variables["includeTraitements"] is True
    assert variables["includeMessages"] is False


def test_an_answer_that_is_no_object_is_asked_for_again_and_told():
    driven = Drive(lookups.run(Request("{ a }")), lambda request: reply({"data": [1]}))
    assert isinstance(driven.error, DSMalformedAnswerError)
    assert len(driven.requests) > 1
