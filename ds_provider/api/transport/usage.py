"""Count of what a client asked of the service."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Usage:
    """Requests of a client.

    :param requests: how many were sent.
    :param refusals: how many of them the service refused with HTTP 429.
    :param budget_wait: seconds of waiting for the token's budget; those of parallel requests add up.
    """

    requests: int = 0
    refusals: int = 0
    budget_wait: float = 0.0
