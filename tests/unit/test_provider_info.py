from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distribution, entry_points, version
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from packaging.utils import canonicalize_name

import ds_provider
from ds_provider.get_provider_info import get_provider_info

DISTRIBUTION = "airflow-provider-demarches-simplifiees"
MODULE_SECTIONS = ("hooks", "operators", "sensors", "triggers", "bundles")


def schema(name: str) -> dict[str, Any]:
    return json.loads(files("airflow").joinpath(name).read_text())  # type: ignore[no-any-return]


def published_schema() -> dict[str, Any]:
    """Return the stricter schema, without the keys that only Apache's own release tools need."""
    strict = schema("provider.yaml.schema.json")
    strict["required"] = ["name", "package-name", "description", "versions"]
    return strict


def named_modules() -> Iterator[str]:
    info = get_provider_info()
    for section in MODULE_SECTIONS:
        for entry in info.get(section, []):
            yield from entry["python-modules"]


def named_objects() -> Iterator[str]:
    info = get_provider_info()
    for entry in info["connection-types"]:
        yield entry["hook-class-name"]
    for section in ("cli", "extra-links", "notifications"):
        yield from info.get(section, [])
    for entry in info["asset-uris"]:
        yield from (entry[key] for key in ("factory", "to_openlineage_converter") if key in entry)


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "rules", [schema("provider_info.schema.json"), published_schema()], ids=["runtime", "published"]
)
def test_provider_info_is_valid_against_airflow_s_schemas(rules: dict[str, Any]) -> None:
    jsonschema.validate(get_provider_info(), rules)


def test_provider_info_has_no_key_that_airflow_would_ignore() -> None:
    known = schema("provider.yaml.schema.json")["properties"]
    info = get_provider_info()
    assert set(info) <= set(known)
    for entry in info["connection-types"]:
        assert set(entry) <= set(known["connection-types"]["items"]["properties"])


def test_provider_info_is_found_by_its_entry_point() -> None:
    (entry_point,) = (
        found
        for found in entry_points(group="apache_airflow_provider")
        if found.dist is not None and found.dist.name == DISTRIBUTION
    )
    info = entry_point.load()()
    assert info["package-name"] == canonicalize_name(distribution(DISTRIBUTION).name)


def test_provider_info_lists_the_installed_version() -> None:
    assert get_provider_info()["versions"][0] == version(DISTRIBUTION) == ds_provider.__version__


def test_distribution_links_to_the_documentation() -> None:
    urls = distribution(DISTRIBUTION).metadata.get_all("Project-URL")
    assert urls is not None
    assert any(url.startswith("Documentation, https://") for url in urls)


def test_provider_info_imports_nothing_but_the_package() -> None:
    loaded = loaded_by("from ds_provider.get_provider_info import get_provider_info; get_provider_info()")
    assert {name for name in loaded if name.startswith("ds_provider")} == {
        "ds_provider",
        "ds_provider.get_provider_info",
    }
    packages = {name.partition(".")[0] for name in loaded}
    assert not packages & {"airflow", "httpx", "msgspec", "pendulum"}


@pytest.mark.parametrize("module", named_modules())
def test_provider_info_names_modules_that_exist(module: str) -> None:
    importlib.import_module(module)


@pytest.mark.parametrize("path", named_objects())
def test_provider_info_names_objects_that_exist(path: str) -> None:
    module, _, name = path.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


def test_asset_uris_name_no_factory_that_is_null() -> None:
    # a null there is taken for a name, and Airflow no longer starts
    assert all(
        None not in (entry.get("factory", ""), entry.get("to_openlineage_converter", ""))
        for entry in get_provider_info()["asset-uris"]
    )


def test_hook_is_of_the_connection_type_that_names_it() -> None:
    for entry in get_provider_info()["connection-types"]:
        module, _, name = entry["hook-class-name"].rpartition(".")
        hook = getattr(importlib.import_module(module), name)
        assert hook.conn_type == entry["connection-type"]
        assert hook.hook_name == entry["hook-name"]


def test_token_goes_into_the_field_that_airflow_masks() -> None:
    connection, _ = get_provider_info()["connection-types"]
    assert "password" not in connection["ui-field-behaviour"]["hidden-fields"]
    assert "token" in connection["ui-field-behaviour"]["relabeling"]["password"]


def sandbox_of(*argv: str) -> argparse.Namespace:
    from airflow.cli.cli_parser import get_parser

    return get_parser().parse_args(["ds", "sandbox", *argv])


def test_command_line_passes_on_only_given_options() -> None:
    from ds_provider.cli.sandbox import sandbox_argv

    assert sandbox_argv(sandbox_of()) == []
    given = sandbox_of("--port", "9999", "--rate-limit", "5")
    assert sandbox_argv(given) == ["--port=9999", "--rate-limit=5"]


def test_command_line_shows_each_option_of_the_sandbox_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    from ds_provider.sandbox.options import OPTIONS

    with pytest.raises(SystemExit):
        sandbox_of("--help")
    shown = " ".join(capsys.readouterr().out.split())
    for option in OPTIONS:
        assert f"--{option.name} " in shown
        assert f"{option.meaning} (default: " in shown
        assert option.help in shown


def test_command_line_names_the_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from ds_provider.cli.sandbox import sandbox

    for module in [name for name in sys.modules if name.startswith("ds_provider.sandbox")]:
        monkeypatch.delitem(sys.modules, module)
    for module in [name for name in sys.modules if name.partition(".")[0] == "graphql"]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, "graphql", None)
    with pytest.raises(SystemExit, match=r"\[sandbox\]"):
        sandbox(sandbox_of())
