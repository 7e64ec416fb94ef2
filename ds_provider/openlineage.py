"""What a task read and wrote, for OpenLineage, where its provider is installed (the extra ``[openlineage]``).

=============================  ======================================  ====================================
what                           namespace                               name
=============================  ======================================  ====================================
a group's dossiers             ``https://<host of the service>``       ``groupes-instructeurs/7/dossiers``
its deletions, of both kinds   the same                                ``…/7/deleted_dossiers``
what landed of them            ``file``, ``s3://<bucket>``, …          ``<destination>/groupe-7/dossiers``
a table in Postgres            ``postgres://<host>:<port>``            ``<database>.<dataset>.<table>``
a table in DuckDB              ``duckdb://<path of the file>``         ``<stem of the file>.<dataset>.<table>``
=============================  ======================================  ====================================

A folder stands for all windows of a group: what is extracted is then what is loaded, run after run. Tables of other
databases are not told.

All is known when the task ends. Nothing is asked of the service, a storage or a database: OpenLineage calls in a
process that was forked from the task's, in which connections of the latter cannot be used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Asset
    from openlineage.client.event_v2 import Dataset as OpenLineageDataset

    from ds_provider.tables.schemas import Table
    from ds_provider.warehouse.database.destinations import Destination
    from ds_provider.warehouse.database.store import Warehouse
    from ds_provider.warehouse.extracts import LandedExtracts
    from ds_provider.warehouse.load.report import Report

# an event is one message to whoever collects them, and few take more than a megabyte
MAX_DATASETS = 500

_STREAMS = {"pending_deleted_dossiers": "deleted_dossiers"}
_SCHEMES = {"gcs": "gs", "s3a": "s3"}


@dataclass(frozen=True)
class Dataset:
    """Something that was read or written.

    :param rows: how many were; null where nobody counted.
    :param size: in bytes, as stored.
    :param files: in how many files.
    :param columns: name and type of each.
    """

    namespace: str
    name: str
    rows: int | None = None
    size: int | None = None
    files: int | None = None
    columns: Mapping[str, str] = field(default_factory=dict)

    def and_more(self, other: Dataset) -> Dataset:
        """The same, after more of it was read or written."""
        return replace(
            self,
            rows=_sum(self.rows, other.rows),
            size=_sum(self.size, other.size),
            files=_sum(self.files, other.files),
        )


@dataclass
class Flow:
    """What a task read and wrote."""

    inputs: list[Dataset] = field(default_factory=list)
    outputs: list[Dataset] = field(default_factory=list)

    def __add__(self, other: Flow) -> Flow:
        return Flow([*self.inputs, *other.inputs], [*self.outputs, *other.outputs])


def planned(destination: str, groupes: Iterable[int], streams: Iterable[str]) -> Flow:
    """What will be landed, before anything is."""
    folders = (f"{destination.rstrip('/')}/groupe-{groupe}/{stream}" for groupe in groupes for stream in streams)
    return Flow(outputs=[_stored(folder) for folder in folders])


def landed(endpoint: str, summaries: Iterable[Mapping[str, Any]]) -> Flow:
    """What was read into the landing zone, by what the extract operators return.

    :param endpoint: the URL of the API.
    """
    flow = Flow()
    for url, rows in _manifests(summaries):
        folder = _folder(url)
        groupe, stream = PurePosixPath(folder).parts[-2:]
        flow.inputs.append(_shown(endpoint, groupe.removeprefix("groupe-"), stream, rows))
        flow.outputs.append(_stored(folder, rows))
    return flow


def awaited(manifests: Iterable[str]) -> Flow:
    """What will be loaded, before anything is."""
    return Flow(inputs=[_stored(_folder(url)) for url in manifests])


def loaded(warehouse: Warehouse, readings: LandedExtracts, report: Report) -> Flow:
    """What was loaded, and the tables that it changed."""
    from ds_provider.tables.schemas import TABLES

    of_tables = {table.name: table for table in TABLES}
    flow = Flow()
    for reading in readings:
        manifest = reading.manifest
        flow.inputs.append(_stored(_folder(reading.url), manifest.rows, manifest.bytes, len(manifest.parts)))
    if place := place_of(warehouse.destination):
        namespace, database = place
        changed = {name: rows for name, rows in report.rows.items() if rows or report.erased}
        for name, rows in changed.items():
            columns = _columns(of_tables[name]) if name in of_tables else {}
            flow.outputs.append(Dataset(namespace, f"{database}.{warehouse.dataset}.{name}", rows, columns=columns))
    return flow


def place_of(destination: Destination) -> tuple[str, str] | None:
    """Namespace and database of the tables in a destination; none where OpenLineage has no name for it that we know."""
    if destination.kind == "duckdb":
        path = PurePosixPath(destination.credentials)
        return f"duckdb://{path}", path.stem
    if destination.kind == "postgres":
        url = urlsplit(destination.credentials)
        host = f"[{url.hostname}]" if ":" in str(url.hostname) else url.hostname
        return f"postgres://{host}:{url.port}", unquote(url.path.lstrip("/"))
    return None


def facets(flow: Flow) -> OperatorLineage[Any, Any]:
    """The same, as OpenLineage's provider wants it."""
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import input_statistics_input_dataset, output_statistics_output_dataset

    read = input_statistics_input_dataset.InputStatisticsInputDatasetFacet
    written = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet
    return OperatorLineage(
        inputs=[
            InputDataset(one.namespace, one.name, _counted("inputStatistics", read, one), facets=_schema(one))
            for one in _each_once(flow.inputs)
        ],
        outputs=[
            OutputDataset(one.namespace, one.name, _counted("outputStatistics", written, one), facets=_schema(one))
            for one in _each_once(flow.outputs)
        ],
    )


def groupe_dataset(asset: Asset, _: Any) -> OpenLineageDataset:
    """What an asset of a group is to OpenLineage, which calls this for whoever has one among its inlets or outlets.

    An asset does not say whether its host is reached by HTTPS: that is what is taken.
    """
    from openlineage.client.event_v2 import Dataset as OpenLineageDataset

    uri = urlsplit(asset.uri)
    return OpenLineageDataset(namespace=f"https://{uri.netloc}", name=uri.path.lstrip("/"))


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _columns(table: Table) -> dict[str, str]:
    return {name: "json" if name in table.json else str(kind) for name, kind in table.columns.items()}


def _manifests(summaries: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, int]]:
    for summary in summaries:
        yield summary["manifest"], summary["rows"]
        if "manifest_pending" in summary:
            yield summary["manifest_pending"], summary["rows_pending"]


def _folder(manifest_url: str) -> str:
    """That of a group's stream, which holds a folder for each window."""
    return manifest_url.rsplit("/", 2)[0]


def _shown(endpoint: str, groupe: str, stream: str, rows: int) -> Dataset:
    url = urlsplit(endpoint)
    return Dataset(
        f"{url.scheme}://{url.netloc}", f"groupes-instructeurs/{groupe}/{_STREAMS.get(stream, stream)}", rows
    )


def _stored(url: str, rows: int | None = None, size: int | None = None, files: int | None = None) -> Dataset:
    """A folder, as OpenLineage names what is in a storage. What stands before an ``@`` is Airflow's connection."""
    parts = urlsplit(url)
    if parts.scheme in ("", "file"):
        return Dataset("file", parts.path, rows, size, files)
    scheme, bucket = _SCHEMES.get(parts.scheme, parts.scheme), parts.netloc.rpartition("@")[2]
    return Dataset(f"{scheme}://{bucket}", parts.path.lstrip("/"), rows, size, files)


def _each_once(datasets: Iterable[Dataset]) -> list[Dataset]:
    once: dict[tuple[str, str], Dataset] = {}
    for one in datasets:
        known = once.get(key := (one.namespace, one.name))
        once[key] = known.and_more(one) if known else one
    return list(once.values())[:MAX_DATASETS]


def _schema(dataset: Dataset) -> dict[str, Any]:
    from openlineage.client.facet_v2 import schema_dataset

    fields = [schema_dataset.SchemaDatasetFacetFields(name, kind) for name, kind in dataset.columns.items()]
    return {"schema": schema_dataset.SchemaDatasetFacet(fields=fields)} if fields else {}


def _counted(name: str, facet: Any, dataset: Dataset) -> dict[str, Any]:
    if dataset.rows is None:
        return {}
    return {name: facet(rowCount=dataset.rows, size=dataset.size, fileCount=dataset.files)}
