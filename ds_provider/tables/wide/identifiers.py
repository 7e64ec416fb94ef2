"""SQL identifiers made of labels, such as need no quotes: lower case, plain ASCII, no reserved word."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from itertools import count

from ds_provider.tables.schemas import BLOCK_COLUMNS, DOSSIER_COLUMNS

# columns of wide tables besides those of champs, and the one by which other tables name a dossier
FIXED = frozenset({*DOSSIER_COLUMNS, *BLOCK_COLUMNS, "dossier_number"})
# the words that Postgres or DuckDB do not take for a name everywhere unless they are quoted
_WORDS = """
all analyse analyze and anti any array as asc asof asymmetric at authorization between bigint binary bit boolean both
by case cast char character check coalesce collate collation column columns concurrently constraint create cross
current_catalog current_date current_role current_schema current_time current_timestamp current_user dec decimal
default deferrable desc describe distinct do else end except exists extract false fetch float for foreign freeze from
full generated glob grant greatest group grouping grouping_id having ilike in initially inner inout int integer
intersect interval into is isnull join json json_array json_arrayagg json_exists json_object json_objectagg json_query
json_scalar json_serialize json_table json_value lambda lateral leading least left like limit localtime localtimestamp
map merge_action national natural nchar none normalize not notnull null nullif numeric offset on only or order out
outer overlaps overlay pivot pivot_longer pivot_wider placing position positional precision primary qualify real
references returning right row select semi session_user setof show similar smallint some struct substring summarize
symmetric system_user table tablesample then time timestamp to trailing treat trim true try_cast tuple union unique
unpack unpivot user using values varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement
xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable
"""
RESERVED = frozenset(_WORDS.split())
_LIGATURES = str.maketrans({"œ": "oe", "Œ": "oe", "æ": "ae", "Æ": "ae", "ß": "ss", "ø": "o", "Ø": "o", "€": " euros "})


def slug(label: str, fallback: str, max_length: int) -> str:
    """Return a name after a label: ``Nombre d'enfants à charge`` → ``nombre_d_enfants_a_charge``.

    :param fallback: the name where nothing of the label is left, and the prefix of a name that SQL would not take.
    """
    decomposed = unicodedata.normalize("NFKD", label.translate(_LIGATURES))
    letters = "".join(letter for letter in decomposed if not unicodedata.combining(letter)).lower()
    name = re.sub(r"[^a-z0-9]+", "_", letters).strip("_")
    if not name:
        return fallback
    if name[0].isdigit() or name in FIXED or name in RESERVED:
        name = f"{fallback}_{name}"
    return name[:max_length].rstrip("_")


def free_name(name: str, taken: Container[str], max_length: int) -> str:
    """Return the name, or the first of ``name_2``, ``name_3``… that is not taken."""
    if name not in taken:
        return name
    names = (suffixed(name, str(number), max_length) for number in count(2))
    return next(free for free in names if free not in taken)


def suffixed(name: str, suffix: str, max_length: int) -> str:
    """Return ``name_suffix``, with the name cut where that would be too long."""
    return f"{name[: max_length - len(suffix) - 1].rstrip('_')}_{suffix}"
