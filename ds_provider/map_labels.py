"""Labels of mapped tasks: the groups that each of them is about, as people know them.

Airflow shows a label in the place of a map index. It asks before the task runs, when only numbers are known, and again
once it has run.
"""

from __future__ import annotations

from collections.abc import Mapping

from ds_provider.api.query.parameters import flatten_batches, parse_groupes

# Airflow's column holds 250 characters, and a row of its grid shows about forty
MAX_LABEL = 120
MAX_LABELS = 3
MAX_LABEL_OF_SEVERAL = 30


def groups_label(given: object, labels: Mapping[int, str | None]) -> str:
    """Return the label of a task about groups, and never raise: an error would hide the task's own.

    :param given: the parameter with the groups' numbers, or batches of them.
    :param labels: the groups' labels in the service, as far as they are known, by number.
    """
    try:
        numbers, _ = parse_groupes(flatten_batches(given))
    except Exception:  # noqa: BLE001 - a lazy sequence asks Airflow's API, which has errors of its own
        return shortened(f"groups {given}", MAX_LABEL)
    if len(numbers) == 1:
        label, number = labels.get(numbers[0]), str(numbers[0])
        # never a number alone: where templates render to objects of Python, Airflow could not show it
        return f"{shortened(label, MAX_LABEL - len(number) - 3)} ({number})" if label else f"group {number}"
    first = [shortened(labels.get(number) or str(number), MAX_LABEL_OF_SEVERAL) for number in numbers[:MAX_LABELS]]
    more = ", …" if len(numbers) > MAX_LABELS else ""
    return f"{len(numbers)} groups: {', '.join(first)}{more}"


def demarches_label(given: object) -> str:
    """Return the label of a task about a démarche, or several."""
    numbers = given if isinstance(given, list | tuple) else [given]
    return shortened(f"démarche {', '.join(map(str, numbers))}", MAX_LABEL)


def shortened(text: str, length: int) -> str:
    """Return a text on one line, cut to that many characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"
