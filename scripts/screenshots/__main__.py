from __future__ import annotations

import argparse
import shutil
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path

import scripts.screenshots
from scripts.processes import CHECKOUT, Sandbox, free_port, sandbox
from scripts.screenshots.airflow import RUN, TASK, Airflow
from scripts.screenshots.pictures import Camera, camera

HOME = CHECKOUT / ".airflow" / "screenshots"
IMAGES = CHECKOUT / "docs" / "images"
WAREHOUSE, WAITING = "my_warehouse", "my_inbox"
DAGS = """\
# Airflow DAGs
from airflow.sdk import DAG
from ds_provider.sensors.dossiers import DSDossierSensor
from ds_provider.task_groups import DSWarehouseDag

DSWarehouseDag(
    "{warehouse}", demarche_number={demarche}, destination="{landing}", groupes_per_task=2, schedule=None
)
with DAG("{waiting}", schedule=None):
    DSDossierSensor(
        task_id="new_dossier", groupe_instructeur_number={groupe}, created_since="{now}", poke_interval=30,
        deferrable=True,
    )
"""


def main() -> None:
    argparse.ArgumentParser(prog="make screenshots", description=scripts.screenshots.__doc__).parse_args()
    shutil.rmtree(HOME, ignore_errors=True)
    (HOME / "dags").mkdir(parents=True)
    IMAGES.mkdir(exist_ok=True)
    with sandbox(HOME / "sandbox.log", seed=7, groupes=5, dossiers=60, rate_limit=0) as service, ExitStack() as stack:
        write_dags(HOME / "dags" / "dags.py", service)
        airflow = Airflow(HOME, service, free_port())
        airflow.start(stack)
        waiting, warehouse = airflow.run(WAITING), airflow.run(WAREHOUSE)
        airflow.wait_for_state(RUN, WAREHOUSE, "success")
        airflow.wait_for_state(TASK, WAITING, "deferred")
        with camera(airflow.url, IMAGES) as taken:
            take_runs(taken, f"/dags/{WAREHOUSE}/runs/{warehouse}")
            taken.open(f"/dags/{WAITING}/runs/{waiting}/tasks/new_dossier")
            # the triggerer's log takes its time
            taken.page.get_by_text("INFO").first.wait_for(timeout=60_000)
            taken.take("sensor")
            taken.take("assets", "/assets")
            take_connection(taken)


def write_dags(file: Path, service: Sandbox) -> None:
    words = {
        "warehouse": WAREHOUSE,
        "waiting": WAITING,
        "demarche": service.demarche,
        "groupe": service.groupes[0],
        "landing": (HOME / "landing").as_uri(),
        "now": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    file.write_text(DAGS.format(**words))


def take_runs(taken: Camera, run: str) -> None:
    taken.open(run)
    # the button that opens all task groups
    taken.page.get_by_label("Expand all task groups").first.click()
    taken.take("grid")
    taken.page.get_by_label("Graph", exact=False).first.click()
    taken.page.wait_for_timeout(3000)
    taken.take("graph")
    taken.page.get_by_label("Grid", exact=False).first.click()
    taken.take("mapped", f"{run}/tasks/read.dossiers/mapped")
    taken.take("links", f"{run}/tasks/read.deletions/mapped/1/details")


def take_connection(taken: Camera) -> None:
    taken.open("/connections")
    taken.page.get_by_role("button", name="Add Connection").first.click()
    form = taken.page.get_by_role("dialog")
    form.get_by_role("textbox").first.fill("ds_default")
    form.get_by_text("Select Connection Type").click(force=True)
    taken.page.keyboard.type("Démarches simplifiées")
    taken.page.keyboard.press("Enter")
    taken.page.wait_for_timeout(1000)
    taken.take("connection")


if __name__ == "__main__":
    main()
