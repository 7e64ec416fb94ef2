"""Run the benchmark and print its tables."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from ds_provider.sandbox.http.faults import NAMES
from scripts.bench import scenarios, tables
from scripts.bench.scenarios import Contender

CONTENDERS = {
    "provider": [
        Contender("this provider", "provider", 4),
        Contender("… one page at a time", "provider", 1),
        Contender("… 8 pages at a time", "provider", 8),
    ],
    "httpx": [Contender("httpx loop", "httpx_loop")],
    "http_operator": [Contender("HttpOperator", "http_operator")],
    "dlt": [Contender("dlt RESTClient", "dlt_client")],
}
FLOOR = Contender("(floor)", "floor")


def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory(prefix="ds-bench-") as folder:
        print(tables.machine(), flush=True)
        for name in arguments.scenarios:
            print(f"\n{SCENARIOS[name](arguments, Path(folder))}", flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    add = parser.add_argument
    add("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS), help="the first one is the measure")
    add("--scenarios", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    add("--latency-dossiers", type=int, default=3_000, metavar="N", help="default: %(default)s")
    add("--processor-dossiers", type=int, default=10_000, metavar="N", help="default: %(default)s")
    add("--rate-dossiers", type=int, default=250, metavar="N", help="default: %(default)s")
    add("--faults-dossiers", type=int, default=1_000, metavar="N", help="default: %(default)s")
    return parser.parse_args()


def latency(arguments: argparse.Namespace, folder: Path) -> str:
    return tables.latency(scenarios.latency(variants(arguments), arguments.latency_dossiers, folder))


def processor(arguments: argparse.Namespace, folder: Path) -> str:
    contenders = [*variants(arguments), FLOOR]
    return tables.processor(scenarios.processor(contenders, arguments.processor_dossiers, folder))


def rate(arguments: argparse.Namespace, folder: Path) -> str:
    return tables.rate(scenarios.rate(first_variants(arguments), arguments.rate_dossiers, folder))


def faults(arguments: argparse.Namespace, folder: Path) -> str:
    return tables.faults(scenarios.faults(first_variants(arguments), NAMES, arguments.faults_dossiers, folder))


SCENARIOS: dict[str, Callable[[argparse.Namespace, Path], str]] = {
    "latency": latency,
    "processor": processor,
    "rate": rate,
    "faults": faults,
}


def variants(arguments: argparse.Namespace) -> list[Contender]:
    return [each for name in arguments.contenders for each in CONTENDERS[name]]


def first_variants(arguments: argparse.Namespace) -> list[Contender]:
    return [CONTENDERS[name][0] for name in arguments.contenders]


if __name__ == "__main__":
    main()
