"""Drift: changes of a form from one revision to the next."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ds_provider.tables.descriptors import describe
from ds_provider.tables.drift import Change, Drift, detect_drift
from ds_provider.tables.schemas import CHAMP_DESCRIPTORS
from tests.support.forms import DEMARCHE, READ_AT, demarche, descriptor, revision


def between(*revisions: dict[str, Any]) -> list[Drift]:
    described = describe(demarche(*revisions), READ_AT)
    return detect_drift(described["champ_descriptors"], described["revisions"])


def changes(before: list[Any], after: list[Any]) -> list[tuple[Any, ...]]:
    found = between(revision("V1", before, published="2026-01-01"), revision("V2", after, published="2026-02-01"))
    return [(change.change, change.champ_descriptor_id, change.before, change.after)
            for one in found for change in one.changes]  # fmt: skip


def block(*champs: Any) -> Any:
    return descriptor("R1", "Lots", "Repetition", champDescriptors=list(champs))


def test_drift_lists_each_change():
    before = [
        descriptor("C1", "Nom"),
        descriptor("C2", "Montant"),
        descriptor("C3", "Reste"),
        descriptor("C4", "Part"),
        block(),
    ]
    after = [
        descriptor("C5", "Né le", "Date"),
        descriptor("C1", "Nom de famille"),
        descriptor("C2", "Montant", "IntegerNumber"),
        block(descriptor("C4", "Part")),
    ]
    assert changes(before, after) == [
        ("added", "C5", None, "DateChampDescriptor"),
        ("renamed", "C1", "Nom", "Nom de famille"),
        ("retyped", "C2", "TextChampDescriptor", "IntegerNumberChampDescriptor"),
        ("moved", "C4", None, "R1"),
        ("removed", "C3", "TextChampDescriptor", None),
    ]


def test_champ_may_change_in_several_ways():
    found = changes([descriptor("C1", "A")], [descriptor("C1", "B", "Date")])
    assert [change for change, *_ in found] == ["renamed", "retyped"]


def test_drift_ignores_order_and_descriptions():
    before = [descriptor("C1", "A"), descriptor("C2", "B")]
    after = [descriptor("C2", "B", description="Aide"), descriptor("C1", "A")]
    assert changes(before, after) == []


def test_drift_covers_annotations():
    (found,) = between(
        revision("V1", [descriptor("C1", "A")], published="2026-01-01"),
        revision("V2", [descriptor("C1", "A")], [descriptor("A1", "Suivi")], published="2026-02-01"),
    )
    assert found.changes == (Change("added", "annotations", "A1", "Suivi", None, "TextChampDescriptor"),)


def test_revisions_follow_one_another_by_publication_and_drafts_come_last():
    def one(id: str, published: str | None) -> dict[str, Any]:
        return revision(id, [descriptor("C1", f"label of {id}")], published=published)

    found = between(one("VD", None), one("V3", "2026-03-01"), one("V1", "2026-01-01"), one("V2", "2026-02-01"))
    assert [(drift.revision_before, drift.revision_after) for drift in found] == [
        ("V1", "V2"),
        ("V2", "V3"),
        ("V3", "VD"),
    ]
    assert [drift.published_at is None for drift in found] == [False, False, True]


def test_equal_revisions_have_no_drift():
    form = [descriptor("C1", "A")]
    assert between(revision("V1", form), revision("V2", form, published=None)) == []


def test_drift_compares_revisions_of_one_demarche():
    described = [
        describe(
            demarche(
                revision(f"V1 of {number}", [descriptor("C1", f"A of {number}")], published="2026-01-01"),
                revision(f"V2 of {number}", [descriptor("C1", f"B of {number}")], published="2026-02-01"),
                number=number,
            ),
            READ_AT,
        )
        for number in (8, 7)
    ]
    tables = [pa.concat_tables([each[name] for each in described]) for name in ("champ_descriptors", "revisions")]
    assert [(found.demarche_number, found.changes[0].after) for found in detect_drift(*tables)] == [
        (7, "B of 7"),
        (8, "B of 8"),
    ]


def test_drift_ignores_revisions_that_only_a_dossier_names():
    described = describe(demarche(revision("V1", [descriptor("C1", "A")])), READ_AT)
    named = described["revisions"].to_pylist()[0] | {"id": "V0", "date_creation": None, "date_publication": None}
    revisions = pa.Table.from_pylist([named, *described["revisions"].to_pylist()], schema=described["revisions"].schema)
    assert detect_drift(described["champ_descriptors"], revisions) == []


def test_drift_as_dict_is_plain_json():
    (found,) = between(
        revision("V1", [descriptor("C1", "A")], published="2026-01-01"),
        revision("V2", [descriptor("C1", "B")], published="2026-02-01"),
    )
    assert json.loads(json.dumps(found.as_dict())) == {
        "demarche_number": DEMARCHE,
        "revision_before": "V1",
        "revision_after": "V2",
        "published_at": "2026-02-01T09:00:00+00:00",
        "changes": [
            {
                "change": "renamed",
                "part": "champs",
                "champ_descriptor_id": "C1",
                "label": "B",
                "before": "A",
                "after": "B",
            }
        ],
    }


labels, types = st.sampled_from("AB"), st.sampled_from(["Text", "Date"])
forms = st.dictionaries(st.sampled_from(["C1", "C2", "C3"]), st.tuples(labels, types))


@given(forms, forms)
def test_changes_lead_from_one_form_to_the_next(before, after):
    form = {id: (label, f"{type}ChampDescriptor") for id, (label, type) in before.items()}
    found = changes(*([descriptor(id, *of) for id, of in each.items()] for each in (before, after)))
    for change, id, old, new in found:
        if change == "added":
            assert id not in form
            form[id] = (after[id][0], new)
        elif change == "removed":
            assert form.pop(id)[1] == old
        else:
            label, type = form[id]
            assert (label if change == "renamed" else type) == old != new
            form[id] = (new, type) if change == "renamed" else (label, new)
    assert form == {id: (label, f"{type}ChampDescriptor") for id, (label, type) in after.items()}


@given(st.randoms(use_true_random=False))
def test_drift_does_not_depend_on_the_order_of_rows(random):
    described = describe(
        demarche(
            revision("V1", [descriptor("C1", "A"), descriptor("C2", "B")], [descriptor("A1", "S")]),
            revision("V2", [descriptor("C3", "C"), block(descriptor("C2", "B"))], published="2026-02-01"),
        ),
        READ_AT,
    )
    rows = described["champ_descriptors"].to_pylist()
    random.shuffle(rows)
    shuffled = pa.Table.from_pylist(rows, schema=CHAMP_DESCRIPTORS.schema)
    assert detect_drift(shuffled, described["revisions"]) == detect_drift(
        described["champ_descriptors"], described["revisions"]
    )
