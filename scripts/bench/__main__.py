"""Run the benchmark and print its tables."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


# how each is measured and shown, and how many dossiers it has unless another number is given
SCENARIOS: dict[str, tuple[Callable[..., Any], Callable[[Any], str], int]] = {
    "latency": (scenarios.latency, tables.latency, 3_000),
    "processor": (scenarios.processor, tables.processor, 10_000),
    "rate": (scenarios.rate, tables.rate, 250),
    "faults": (scenarios.faults, tables.faults, 1_000),
}


def main() -> None:
    arguments = parse()
    variants = [each for name in arguments.contenders for each in CONTENDERS[name]]
    first_variants = [CONTENDERS[name][0] for name in arguments.contenders]
    chosen = {"latency": variants, "processor": [*variants, FLOOR], "rate": first_variants, "faults": first_variants}
    with tempfile.TemporaryDirectory(prefix="ds-bench-") as folder:
        print(tables.machine(), flush=True)
        for name in arguments.scenarios:
            measure, show, _ = SCENARIOS[name]
            results = measure(chosen[name], getattr(arguments, f"{name}_dossiers"), Path(folder))
            print(f"\n{show(results)}", flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    add = parser.add_argument
    add("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS), help="ratios are to the first one")
    add("--scenarios", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    for name, (_, _, dossiers) in SCENARIOS.items():
        add(f"--{name}-dossiers", type=int, default=dossiers, metavar="N", help="default: %(default)s")
    return parser.parse_args()


if __name__ == "__main__":
    main()
