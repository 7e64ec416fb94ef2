"""The site's reference holds all that the code has: what is added and not described fails here."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
from airflow.sdk import BaseOperator

from ds_provider.exceptions import DSError
from ds_provider.get_provider_info import get_provider_info
from ds_provider.landing.manifest import Manifest, Part
from ds_provider.tables import schemas
from scripts.docs import class_pages, error_page, fact_pages, table_page
from scripts.docs.discovery import classes, modules_of
from scripts.docs.docstrings import docstring_of, paragraph
from scripts.docs.extension import GENERATED, expand
from scripts.docs.languages import set_language
from scripts.docs.signatures import defaults_of, emitted_assets, own_outlets, shown_default, xcom_keys
from tests.support.documents import DOCS

SECTIONS = ("operators", "sensors", "triggers", "hooks")
PAGES = {str(path.relative_to(DOCS)): path.read_text() for path in DOCS.rglob("*.md")}
ERRORS = [kind for kind, _ in error_page.tree(DSError)]

# modules in these folders that hold what several classes share
SHARED = {
    "triggers": {"events", "polling"},
    "hooks": {"connection", "fields", "extras", "lookup", "airflow_home"},
}


def of(*sections: str) -> list[type]:
    return [kind for section in sections for kind in classes(section)]


@pytest.mark.parametrize("section", SECTIONS)
def test_provider_info_names_each_module_that_has_public_classes(section: str) -> None:
    named = {name for entry in get_provider_info()[section] for name in entry["python-modules"]}
    shared = {f"ds_provider.{section}.{name}" for name in SHARED.get(section, ())}
    assert named == modules_of(f"ds_provider.{section}") - shared


@pytest.mark.parametrize("section", SECTIONS)
def test_page_has_a_section_for_each_class(section: str) -> None:
    headings = re.findall(r"^## (\w+)$", expand(PAGES[f"reference/{section}.md"]), re.MULTILINE)
    assert headings == [kind.__name__ for kind in classes(section)]


@pytest.mark.parametrize("kind", of("operators", "sensors", "triggers"))
def test_docstring_describes_each_argument_and_no_other(kind: type) -> None:
    arguments = set(defaults_of(kind))
    own = arguments - set(inspect.signature(inspect.unwrap(BaseOperator.__init__)).parameters)
    assert own <= set(docstring_of(kind).params) <= arguments


@pytest.mark.parametrize("kind", of("operators", "sensors"))
def test_docstring_says_which_arguments_are_templated(kind: Any) -> None:
    text = " ".join(kind.__doc__.split())
    params = dict(re.findall(r":param (\w+): (.*?)(?= :(?:param|returns|xcom|raises)\b|$)", text))
    said = {name for name, meaning in params.items() if "(templated" in meaning}
    following = {name for name in params if name.startswith("include_") and "like all that follow)" in text}
    assert said | following == set(kind.template_fields)


@pytest.mark.parametrize("operator", of("operators", "sensors"))
def test_docstring_lists_the_xcoms_that_the_operator_pushes(operator: type) -> None:
    docstring = docstring_of(operator)
    listed = {*docstring.xcoms, *(["return_value"] if docstring.returns else [])}
    assert listed == xcom_keys(operator)


def test_page_has_the_assets_that_a_load_and_an_extraction_update() -> None:
    load, extract = (next(one for one in classes("operators") if part in one.__name__) for part in ("Load", "Extract"))
    assert "ds-warehouse://~/demarches_simplifiees/dossiers" in own_outlets(load)
    assert emitted_assets(extract) == ["dossiers_asset"]
    assert "ds-warehouse://~/demarches_simplifiees/<table>" in class_pages.operators()


@pytest.mark.parametrize("kind", ERRORS)
def test_each_error_says_what_to_do(kind: type) -> None:
    docstring = docstring_of(kind)
    assert docstring.summary.endswith((".", "…"))
    assert paragraph(docstring.body, error_page.REMEDY).endswith(".")


def test_page_has_each_error() -> None:
    headings = re.findall(r"^#+ (\w+)$", error_page.errors(), re.MULTILINE)
    assert headings == [kind.__name__ for kind in ERRORS]
    assert len(headings) > 30


@pytest.mark.parametrize("kind", [Manifest, Part])
def test_manifest_s_fields_are_all_described(kind: type) -> None:
    assert list(docstring_of(kind).params) == list(kind.__annotations__)
    page = expand(PAGES["reference/landing_zone.md"])
    assert all(f"``{name}``" in page for name in kind.__annotations__)


def test_page_has_each_column_of_each_table() -> None:
    sections = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^\(|\Z)", table_page.tables(), re.MULTILINE | re.DOTALL))
    assert set(sections) == {table.name for table in schemas.TABLES}
    for table in schemas.TABLES:
        assert re.findall(r"^\| `(\w+)` \|", sections[table.name], re.MULTILINE) == list(table.columns)


def test_page_has_each_field_of_each_connection() -> None:
    page = fact_pages.connection_types()
    for entry in get_provider_info()["connection-types"]:
        assert f"type `{entry['connection-type']}`" in page
        assert all(f"| `{name}` |" in page for name in entry.get("conn-fields", {}))


def test_page_lists_each_example_dag() -> None:
    names = {path.stem for path in fact_pages.DAGS.glob("*.py")}
    assert set(re.findall(r"^\| `(\w+)` \|", PAGES["reference/example_dags.md"], re.MULTILINE)) == names
    assert set(re.findall(r"dags/(\w+)\.py\n:language", fact_pages.example_dags())) == names


def test_each_mark_of_a_page_stands_for_something_and_nothing_is_left_out() -> None:
    marks = [name for text in PAGES.values() for name in re.findall(r"<!-- generated: (\w+) -->", text)]
    assert sorted(marks) == sorted(GENERATED)


def test_mark_that_stands_for_nothing_is_an_error() -> None:
    with pytest.raises(KeyError, match="operatrs"):
        expand("<!-- generated: operatrs -->")


def test_default_is_shown_as_a_person_writes_it() -> None:
    lookback = defaults_of(next(one for one in classes("operators") if one.__name__ == "DSExtractDossiersOperator"))
    assert shown_default(lookback["lookback"]) == "5 minutes"
    assert shown_default(lookback["destination"]) == "**required**"
    assert shown_default(lookback["order"]) == '``"ASC"``'
    assert shown_default("a page\nof text") == shown_default(...) == ""


@pytest.mark.parametrize("name", PAGES)
def test_no_page_is_a_stub(name: str) -> None:
    assert len(PAGES[name]) > 300


@pytest.mark.parametrize(("page", "language"), [("fr/index", "fr"), ("index", "en"), ("reference/friends", "en")])
def test_french_pages_say_that_they_are_french(page: str, language: str) -> None:
    context = {"language": "en"}
    set_language(None, page, "page.html", context, None)  # type: ignore[arg-type]
    assert context["language"] == language
