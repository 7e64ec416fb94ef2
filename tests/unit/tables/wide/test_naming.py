"""A champ's column is named once, after its label, and keeps its name whatever becomes of the form."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from ds_provider.tables.descriptors import describe
from ds_provider.tables.schemas import ANNOTATIONS, CHAMP_COLUMNS
from ds_provider.tables.wide.grouping import ChampValue
from ds_provider.tables.wide.identifiers import FIXED
from ds_provider.tables.wide.naming import MAX_NAME, ColumnRegistry
from tests.support.forms import READ_AT, champ, demarche, descriptor, revision


def names(registry: ColumnRegistry, *champs: ChampValue) -> list[str]:
    registry.register(champs)
    return [registry.column(champ).column_name for champ in champs]


def test_champ_is_named_after_its_label():
    registry = ColumnRegistry()
    rows = registry.register([champ("C1", "Objet de la demande"), champ("C2", "Né le", "date")])
    assert rows.schema == CHAMP_COLUMNS.schema
    assert rows.drop_columns("_erased").to_pylist()[1] == {
        "relation": "demarche_123",
        "column_name": "ne_le",
        "demarche_number": 123,
        "part": "champs",
        "repetition_descriptor_id": None,
        "champ_descriptor_id": "C2",
        "path": None,
        "kind": "date",
        "label": "Né le",
    }


def test_known_champ_adds_no_row():
    registry = ColumnRegistry()
    registry.register([champ("C1", "Objet")])
    assert registry.register([champ("C1", "Objet"), champ("C1", "Autre")]).num_rows == 0


def test_name_stays_when_the_label_changes():
    registry = ColumnRegistry()
    assert names(registry, champ("C1", "Objet")) == ["objet"]
    assert names(registry, champ("C1", "Titre"), champ("C2", "Titre")) == ["objet", "titre"]


def test_two_champs_of_one_label_have_two_columns():
    assert names(ColumnRegistry(), champ("C1", "Nom"), champ("C2", "nom"), champ("C3", "Nom ")) == [
        "nom",
        "nom_2",
        "nom_3",
    ]


def test_number_in_a_label_does_not_clash_with_a_suffix():
    labels = ("A", "A 2", "A")
    assert names(ColumnRegistry(), *(champ(f"C{i}", label) for i, label in enumerate(labels))) == ["a", "a_2", "a_3"]


def test_values_of_a_new_kind_get_a_column_beside_the_old():
    registry = ColumnRegistry()
    kinds = ("text", "integer", "text", "decimal", "integer")
    found = [names(registry, champ("C1", label, kind))[0] for label, kind in zip("NOPQR", kinds, strict=True)]
    assert found == ["n", "n_integer", "n", "n_decimal", "n_integer"]


def test_each_demarche_part_and_block_has_its_table():
    registry = ColumnRegistry()
    registry.register(
        [
            champ("C1", "A"),
            champ("C1", "A", part=ANNOTATIONS),
            champ("C1", "A", block="Enfants à charge"),
            champ("C1", "A", block="Enfants à charge", part=ANNOTATIONS),
            champ("C1", "A", of=7),
        ]
    )
    assert {name: [column.column_name for column in found] for name, found in registry.relations.items()} == {
        "demarche_123": ["a"],
        "demarche_123_annotations": ["a"],
        "demarche_123_enfants_a_charge": ["a"],
        "demarche_123_annotations_enfants_a_charge": ["a"],
        "demarche_7": ["a"],
    }


def test_block_keeps_its_table_when_its_label_changes():
    registry = ColumnRegistry()
    before = champ("C1", "A", block="R1")._replace(repetition_label="Parcelles")
    after = champ("C2", "B", block="R1")._replace(repetition_label="Terrains")
    registry.register([before, after])
    assert registry.blocks(123, "champs") == {"R1": "demarche_123_parcelles"}


def test_blocks_never_share_a_table():
    registry = ColumnRegistry()
    labels = ("Annotations", "Parcelles", "Parcelles", "", "", "Annotations x")
    for i, label in enumerate(labels):
        registry.register([champ("C", "A", block=f"R{i}")._replace(repetition_label=label)])
    registry.register([champ("C", "A", block="RA", part=ANNOTATIONS)._replace(repetition_label="x")])
    registry.register([champ("C", "A", part=ANNOTATIONS)])
    assert list(registry.relations) == [
        "demarche_123_annotations_2",
        "demarche_123_parcelles",
        "demarche_123_parcelles_2",
        "demarche_123_bloc",
        "demarche_123_bloc_2",
        "demarche_123_annotations_x",
        "demarche_123_annotations_x_2",
        "demarche_123_annotations",
    ]


def test_table_names_of_large_numbers_and_long_labels_are_short_enough():
    registry = ColumnRegistry()
    for i in range(12):
        long = champ("C", "A", block=f"R{i}", of=2**31 - 1, part=ANNOTATIONS)._replace(repetition_label="x" * 90)
        registry.register([long])
    assert len(registry.relations) == 12
    assert max(map(len, registry.relations)) <= MAX_NAME


# a few champs and labels, so that they often meet
champs = st.builds(
    ChampValue,
    demarche_number=st.sampled_from([1, 2]),
    part=st.sampled_from(["champs", "annotations"]),
    repetition_descriptor_id=st.sampled_from([None, "R1", "R2"]),
    repetition_label=st.sampled_from(["", "Annotations", "Enfants"]),
    champ_descriptor_id=st.sampled_from(["C1", "C2", "C3"]),
    label=st.sampled_from(
        [
            "",
            "Nom",
            "nom 2",
            "Nom text",
            "x" * 60,
            "x" * 48,
            "Dossier number",
            "select",
            "Number",
            "Row",
            "Groupe instructeur",
        ]
    )
    | st.text(),
    kind=st.sampled_from(["text", "integer", "decimal"]),
    path=st.sampled_from([None, None, "commune.code", "commune.name"]),
    suffix=st.just("code"),
)
forms = st.lists(st.lists(champs, max_size=6), max_size=6)


@dataclass
class Kept:
    """A warehouse that keeps the rows that it is given, in an order of its own."""

    rows: list[dict[str, object]]

    def registry(self) -> ColumnRegistry:
        return ColumnRegistry(sorted(self.rows, key=lambda row: str(row["column_name"])[::-1]))


@given(forms)
def test_column_names_never_change_over_any_sequence_of_forms(forms):
    kept, given_names = Kept([]), {}
    for form in forms:
        registry = kept.registry()
        kept.rows += registry.register(form).to_pylist()
        for shown in form:
            column = registry.column(shown)
            key = (*shown[:3], shown.champ_descriptor_id, shown.kind, shown.path)
            assert given_names.setdefault(key, (column.relation, column.column_name)) == column[:2]
    assert len(set(given_names.values())) == len(given_names) == len(kept.rows), "each has a column of its own"
    registry = kept.registry()
    for (number, part, block, *_), (relation, name) in given_names.items():
        assert len(relation) <= MAX_NAME
        assert len(name) <= MAX_NAME
        assert name not in FIXED
        owners = {(column.demarche_number, column.part, column.repetition_descriptor_id)
                  for column in registry.relations[relation]}  # fmt: skip
        assert owners == {(number, part, block)}


def test_published_form_has_columns_before_any_dossier_shows_them():
    described = describe(
        demarche(
            revision("V1", [descriptor("C1", "Ancien")], published="2026-01-01"),
            revision(
                "V2",
                [
                    descriptor("C0", "Titre", "HeaderSection"),
                    descriptor("C2", "Montant", "IntegerNumber"),
                    descriptor(
                        "R1", "Lots", "Repetition", champDescriptors=[descriptor("C3", "Prix", "DecimalNumber")]
                    ),
                ],
                [descriptor("C4", "Suivi", "Email")],
                published="2026-02-01",
            ),
            revision("V3", [descriptor("C5", "À venir")], published=None),
        ),
        READ_AT,
    )
    rows = ColumnRegistry().register_form(described).to_pylist()
    assert [(row["relation"], row["column_name"], row["kind"]) for row in rows] == [
        ("demarche_123", "montant", "integer"),
        ("demarche_123_lots", "prix", "decimal"),
        ("demarche_123_annotations", "suivi", "text"),
    ]
