"""Manifests that the summaries of tasks name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from ds_provider.api.query.parameters import is_absent, items_of
from ds_provider.exceptions import DSConfigurationError


def manifests_in(value: Any) -> Iterator[str]:
    """Yield the URLs of the manifests in a summary, a URL, or any nesting of lists of these.

    Null is passed over: it is the result of a task that was skipped.

    :raises DSConfigurationError: if something else is in it.
    """
    value = _decoded(value)
    if value is None:
        return
    # what is missing renders to a text in a list: the manifests that it stands for would be passed over
    if is_absent(value):
        raise _no_manifests(value)
    if isinstance(value, str):
        yield value.strip()
    elif isinstance(value, Mapping):
        if not isinstance(value.get("manifest"), str):
            raise _no_manifests(value)
        yield value["manifest"]
        # the pending deletions are an extract of their own
        if pending := value.get("manifest_pending"):
            yield pending
    elif isinstance(value, Iterable):
        for item in items_of(value):
            yield from manifests_in(item)
    else:
        raise _no_manifests(value)


def count_nulls(value: Any) -> int:
    """Return how many nulls stand in any nesting of lists."""
    value = _decoded(value)
    if isinstance(value, Iterable) and not isinstance(value, str | Mapping):
        return sum(map(count_nulls, items_of(value)))
    return int(value is None)


def _decoded(value: Any) -> Any:
    """Return the value of a JSON text, as templates render lists and summaries."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        raise _no_manifests(value) from None


def _no_manifests(value: Any) -> DSConfigurationError:
    return DSConfigurationError(
        "manifests must be what the extract operators return, as [dossiers.output, deletions.output], or URLs of "
        f"manifests: got {value!r:.120}"
    )
