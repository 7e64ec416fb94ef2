"""Asset in which a task keeps values for later runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Asset

from ds_provider.exceptions import DSConfigurationError


def only_asset(outlets: Sequence[Any], kept: str, remedy: str) -> Asset | None:
    """Return the one asset among a task's outlets; None if there is none.

    :param kept: begins the error, "… keeps its watermark in the task's asset" for instance.
    :param remedy: ends the error.
    :raises DSConfigurationError: if there are several.
    """
    assets = [outlet for outlet in outlets if isinstance(outlet, Asset)]
    if len(assets) > 1:
        names = ", ".join(asset.name for asset in assets)
        raise DSConfigurationError(f"{kept}, and this task has several ({names}): {remedy}")
    return assets[0] if assets else None
