"""``make ui``: Airflow's web interface on the runs of the demo, with its sandbox, until Ctrl-C."""

from __future__ import annotations

import time
from contextlib import ExitStack

from scripts.demo.airflow import USER, Airflow
from scripts.demo.dags import DAG
from scripts.demo.home import HOME, Played, alone
from scripts.processes import free_port, interruptible, sandbox

PREFERRED_PORT = 8080

READY = """\
Airflow is at {url}
  user       {user}
  password   {password}
  the runs   {url}/dags/{dag}
Only this machine can open it. The DAG has no schedule here: its button "Trigger" runs it. The sandbox stands at
{time:%A %Y-%m-%d, %H:%M} in Paris, so there is nothing new to read until you move its clock, by a day for example:
  curl -s {control}/clock -d '{{"advance_seconds": 86400}}'
Ctrl-C ends it all."""


def main() -> None:
    with interruptible("make ui: ended", 0), alone("make ui"):
        played = Played.recorded()
        if not played:
            raise SystemExit("make ui: there are no runs to show yet: make demo makes them")
        print("Starting Airflow on the runs of the demo, about half a minute.", flush=True)
        with sandbox(HOME / "sandbox.log", **played.world) as service, ExitStack() as stack:
            service.move_clock(played.nights[-1])
            airflow = Airflow(HOME, free_port(PREFERRED_PORT))
            airflow.start(DAG, stack)
            airflow.connect(service)
            words = {"url": airflow.url, "user": USER, "password": airflow.password, "control": service.control}
            print(READY.format(**words, dag=DAG, time=played.nights[-1]), flush=True)
            while True:
                airflow.check()
                time.sleep(1)


if __name__ == "__main__":
    main()
