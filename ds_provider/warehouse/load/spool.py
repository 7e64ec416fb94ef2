"""Spool of rows on disk: dossiers are flattened together with their child rows, but loaded after them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from ds_provider.tables.schemas import Table


class Spool:
    """File of one table's rows, for the length of a ``with``.

    :param folder: an existing folder for the file.
    """

    def __init__(self, table: Table, folder: Path) -> None:
        self.table = table
        self._path = folder / f"{table.name}.arrow"

    def __enter__(self) -> Spool:
        self._file = pa.OSFile(str(self._path), "wb")
        self._writer = pa.ipc.new_stream(self._file, self.table.schema)
        return self

    def __exit__(self, *failure: object) -> None:
        self._close()
        self._path.unlink()

    def add(self, rows: pa.Table) -> None:
        """Append rows."""
        self._writer.write_table(rows)

    def read(self) -> Iterator[pa.Table]:
        """Yield all rows, in batches. None can be added afterwards."""
        self._close()
        with pa.OSFile(str(self._path), "rb") as file, pa.ipc.open_stream(file) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch])

    def _close(self) -> None:
        if not self._file.closed:
            self._writer.close()
            self._file.close()
