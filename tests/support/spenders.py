"""A process whose threads spend a budget as fast as they may. It prints the time of each request.

Its one argument: ``{"store": URL, "key": "a", "requests": 50, "period": 3, "threads": 4, "each": 10}``;
with ``api``, ``token`` and ``demarche`` it sends each request to a service.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ds_provider.api.budget.limiter import Budget
from ds_provider.api.budget.stores import open_store
from ds_provider.api.query import lookups
from ds_provider.api.transport.client import DSClient


def spend(budget: Budget, count: int, threads: int) -> list[float]:
    def one(_: int) -> float:
        budget.spend()
        return time.time()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, range(count)))


def send(budget: Budget, job: dict[str, Any], count: int, threads: int) -> list[float]:
    with (
        DSClient(job["api"], job["token"], user_agent="tests", budget=budget) as client,
        ThreadPoolExecutor(threads) as pool,
    ):

        def one(_: int) -> float:
            client.result(lookups.get_groupes(job["demarche"]))
            return time.time()

        return list(pool.map(one, range(count)))


def main() -> None:
    job = json.loads(sys.argv[1])
    budget = Budget(open_store(job["store"]), job["key"], job["requests"], period=job["period"])
    count, threads = job["each"] * job["threads"], job["threads"]
    times = send(budget, job, count, threads) if "api" in job else spend(budget, count, threads)
    budget.close()
    print(json.dumps(times))


if __name__ == "__main__":
    main()
