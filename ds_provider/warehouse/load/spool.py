"""Rows put aside on disk: what is to be loaded last is read together with what is to be loaded first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from ds_provider.tables.schemas import Table


class Spool:
    """One table's rows in a file, for the length of a ``with``.

    :param folder: where the file is made; it exists.
    """

    def __init__(self, table: Table, folder: Path) -> None:
        self.table = table
        self._path = folder / f"{table.name}.arrow"

    def __enter__(self) -> Spool:
        self._file = pa.OSFile(str(self._path), "wb")
        self._writer = pa.ipc.new_stream(self._file, self.table.schema)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        self._path.unlink()

    def add(self, rows: pa.Table) -> None:
        self._writer.write_table(rows)

    def read(self) -> Iterator[pa.Table]:
        """All rows, in batches; none can be added any more."""
        self._close()
        with pa.OSFile(str(self._path), "rb") as file, pa.ipc.open_stream(file) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch])

    def _close(self) -> None:
        if not self._file.closed:
            self._writer.close()
            self._file.close()
