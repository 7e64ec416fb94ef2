"""Words for how far a wait is."""

from __future__ import annotations

from collections.abc import Mapping

NOT_READ = "nothing could be read yet"


def so_far(counts: Mapping[int, int], min_count: int) -> str:
    """Return how much of what is waited for is there: "7 of 10 so far"; of several groups, in the one with the most.

    :param counts: of the new rows of each group that could be read.
    :param min_count: how many one group must have.
    """
    if not counts:
        return NOT_READ
    group = max(counts, key=lambda one: counts[one])
    where = f" in group {group}" if len(counts) > 1 and counts[group] else ""
    return f"{counts[group]} of {min_count} so far{where}"
