"""The summaries that tasks hand on, as the manifests that they name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from ds_provider.api.query.parameters import is_absent
from ds_provider.exceptions import DSConfigurationError


def manifests_in(value: Any) -> Iterator[str]:
    """The URLs of the manifests in what a task is given: a summary, a URL, or any nesting of lists of these.

    What is null is passed over: a mapped task that was skipped hands on nothing.

    :raises DSConfigurationError: if something else is in it.
    """
    if isinstance(value, str):
        yield from _in_text(value)
    elif isinstance(value, Mapping):
        yield from _in_summary(value)
    elif isinstance(value, Iterable):
        for item in value:
            yield from manifests_in(item)
    elif value is not None:
        raise _no_manifests(value)


def _in_text(text: str) -> Iterator[str]:
    if is_absent(text):
        return
    if not text.lstrip().startswith(("[", "{")):
        yield text.strip()
        return
    try:
        yield from manifests_in(msgspec.json.decode(text))
    except msgspec.DecodeError:
        raise _no_manifests(text) from None


def _in_summary(summary: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(summary.get("manifest"), str):
        raise _no_manifests(summary)
    yield summary["manifest"]
    # deletions: those that may still be taken back are in a reading of their own
    if summary.get("manifest_pending"):
        yield summary["manifest_pending"]


def _no_manifests(value: Any) -> DSConfigurationError:
    return DSConfigurationError(
        "manifests must be what the extract operators return, as [dossiers.output, deletions.output], or URLs of "
        f"manifests: got {value!r:.120}"
    )
