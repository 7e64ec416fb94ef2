"""Landing zone: pages become parts and a manifest, and parts become rows again.

A reader trusts only what a manifest lists. Users read extracts back with :func:`iter_rows` and :func:`read_quarantine`.
"""

from __future__ import annotations

from ds_provider.landing.rows import iter_rows, read_quarantine

__all__ = ["iter_rows", "read_quarantine"]
