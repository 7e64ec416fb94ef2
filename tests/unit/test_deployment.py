from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from configparser import RawConfigParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet

CHECKOUT = Path(__file__).parents[2]
COMPOSE_FILE = CHECKOUT / "docker-compose.yaml"
ENV_EXAMPLE = CHECKOUT / ".env.example"

SETTING = re.compile(r"AIRFLOW__(?P<section>[A-Z0-9_]+?)__(?P<option>[A-Z0-9_]+)")
VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>\w+)(?P<rule>:?[-?+][^}]*)?\}")
SECRETS = {
    "ADMIN_PASSWORD",
    "AIRFLOW_CONN_DS_DEFAULT",
    "API_SECRET_KEY",
    "FERNET_KEY",
    "JWT_SECRET",
    "POSTGRES_PASSWORD",
}
WITH_TOKEN = {"airflow-triggerer", "airflow-worker"}
RUNS_ONCE = {"airflow-init"}

COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
LONG_RUNNING = sorted(set(SERVICES) - RUNS_ONCE)
AIRFLOW_SERVICES = sorted(name for name in SERVICES if name.startswith("airflow-"))


def environment_of(service: str) -> dict[str, str]:
    environment: dict[str, str] = SERVICES[service].get("environment", {})
    return environment


def settings() -> set[tuple[str, str]]:
    names = {name for service in SERVICES for name in environment_of(service)}
    found = (SETTING.fullmatch(name) for name in names)
    return {(match["section"].lower(), match["option"].lower()) for match in found if match}


def variables() -> Iterator[tuple[str, str]]:
    for match in VARIABLE.finditer(COMPOSE_FILE.read_text()):
        yield match["name"], match["rule"] or ""


def example_variables() -> dict[str, str]:
    lines = ENV_EXAMPLE.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def copied_into_the_image() -> list[str]:
    lines = (CHECKOUT / "Dockerfile").read_text().splitlines()
    copies = [line.split()[1:-1] for line in lines if line.startswith("COPY ")]
    return [word for words in copies for word in words if not word.startswith("--")]


def is_option(section: str, option: str) -> bool:
    from airflow.configuration import conf

    described = conf.configuration_description.get(section, {}).get("options", {})
    return option in described or defaults_of_bundled_providers().has_option(section, option)


def defaults_of_bundled_providers() -> RawConfigParser:
    """Return the defaults that Airflow carries for providers in its image, such as Celery."""
    defaults = RawConfigParser()
    defaults.read_string(
        files("airflow").joinpath("config_templates/provider_config_fallback_defaults.cfg").read_text()
    )
    return defaults


def test_compose_file_follows_the_specification() -> None:
    check = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE_FILE)]
    done = subprocess.run([sys.executable, *check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("section", "option"), sorted(settings()))
def test_compose_file_sets_only_options_of_airflow(section: str, option: str) -> None:
    assert is_option(section, option)


def test_check_of_options_refuses_unknown_ones() -> None:
    assert not is_option("core", "no_such_option")
    assert not is_option("no_such_section", "executor")


def test_secrets_are_required() -> None:
    required = {name for name, rule in variables() if rule.startswith(":?")}
    optional = {name for name, rule in variables() if not rule.startswith(":?")}
    assert required == SECRETS
    assert not optional & SECRETS


def test_settings_hold_no_secret_in_clear() -> None:
    for service in SERVICES:
        for name, value in environment_of(service).items():
            if re.search(r"PASSWORD|SECRET|FERNET|_CONN", name):
                assert VARIABLE.search(str(value)), name


def test_env_example_names_each_variable_and_no_other() -> None:
    assert set(example_variables()) == {name for name, _ in variables()}


def test_env_example_holds_no_secret() -> None:
    assert {name for name, value in example_variables().items() if not value} == SECRETS


def test_env_example_shows_how_to_make_a_fernet_key() -> None:
    (recipe,) = re.findall(r"python3 -c '(import base64.*)'", ENV_EXAMPLE.read_text())
    made = subprocess.run([sys.executable, "-c", recipe], capture_output=True, text=True, check=True)
    Fernet(made.stdout.strip())


def test_airflow_reads_the_example_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk import BaseHook

    values = re.findall(r"AIRFLOW_CONN_DS_DEFAULT='(.*)'", ENV_EXAMPLE.read_text())
    assert values
    for value in values:
        monkeypatch.setenv("AIRFLOW_CONN_DS_DEFAULT", value)
        connection = BaseHook.get_connection("ds_default")
        assert (connection.conn_type, connection.password) == ("ds", json.loads(value)["password"])


def test_token_goes_only_to_worker_and_triggerer() -> None:
    assert {name for name in SERVICES if "AIRFLOW_CONN_DS_DEFAULT" in environment_of(name)} == WITH_TOKEN


@pytest.mark.parametrize("service", LONG_RUNNING)
def test_each_service_has_a_healthcheck(service: str) -> None:
    assert SERVICES[service]["healthcheck"]["test"]


@pytest.mark.parametrize("service", [*AIRFLOW_SERVICES, "sandbox"])
def test_all_services_share_one_image(service: str) -> None:
    assert SERVICES[service]["image"] == SERVICES["airflow-init"]["image"]
    assert SERVICES[service]["build"] == SERVICES["airflow-init"]["build"]


@pytest.mark.parametrize("service", AIRFLOW_SERVICES)
def test_all_services_share_dags_and_landing_zone(service: str) -> None:
    volumes = SERVICES[service]["volumes"]
    assert {"./dags:/opt/airflow/dags:ro", "landing:/opt/airflow/landing"} <= set(volumes)


def test_workers_can_be_scaled() -> None:
    assert not {"container_name", "ports", "hostname"} & set(SERVICES["airflow-worker"])


def test_only_the_web_interface_is_published_on_this_machine_alone() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"airflow-apiserver": ["127.0.0.1:${AIRFLOW_PORT:-8080}:8080"]}


def test_image_has_the_tested_airflow() -> None:
    from airflow import __version__

    assert SERVICES["airflow-init"]["build"]["args"]["AIRFLOW_VERSION"] == __version__
    assert f"ARG AIRFLOW_VERSION={__version__}\n" in (CHECKOUT / "Dockerfile").read_text()


def test_image_copies_files_that_exist_and_are_not_ignored() -> None:
    let_through = (CHECKOUT / ".dockerignore").read_text().splitlines()
    assert copied_into_the_image()
    for name in copied_into_the_image():
        assert (CHECKOUT / name).exists()
        assert f"!{name}" in let_through
