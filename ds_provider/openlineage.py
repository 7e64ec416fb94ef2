"""Lineage: the datasets that a task read and wrote, for OpenLineage, if its provider is installed.

=============================  ======================================  ====================================
what                           namespace                               name
=============================  ======================================  ====================================
a group's dossiers             ``https://<host of the service>``       ``groupes-instructeurs/7/dossiers``
its deletions, of both kinds   the same                                ``…/7/deleted_dossiers``
what landed of them            ``file``, ``s3://<bucket>``, …          ``<destination>/groupe-7/dossiers``
a table in Postgres            ``postgres://<host>:<port>``            ``<database>.<dataset>.<table>``
a table in DuckDB              ``duckdb://<path of the file>``         ``<stem of the file>.<dataset>.<table>``
=============================  ======================================  ====================================

A folder stands for all windows of a group: the output of an extraction is then the input of a load, run after run.
Tables of other databases are left out. The provider comes with the extra ``[openlineage]``.

All is known when the task ends. Nothing is asked of the service, a storage or a database: OpenLineage calls in a
process that was forked from the task's, in which connections of the latter cannot be used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from ds_provider.landing.layout import group_and_stream_of, stream_folder_url

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Asset
    from openlineage.client.event_v2 import Dataset as OpenLineageDataset

    from ds_provider.tables.schemas import Table
    from ds_provider.warehouse.database.destinations import Destination
    from ds_provider.warehouse.database.store import Warehouse
    from ds_provider.warehouse.extracts import LandedExtracts
    from ds_provider.warehouse.load.report import LoadReport

# an event is one message to whoever collects them, and few take more than a megabyte
MAX_DATASETS = 500

_STREAMS = {"pending_deleted_dossiers": "deleted_dossiers"}
_SCHEMES = {"gcs": "gs", "s3a": "s3"}


@dataclass(frozen=True)
class Dataset:
    """Data that was read or written.

    :param rows: how many were; None if they were not counted.
    :param size: in bytes, as stored.
    :param files: in how many files.
    :param columns: by the name of each, its type and description.
    """

    namespace: str
    name: str
    rows: int | None = None
    size: int | None = None
    files: int | None = None
    columns: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def merge(self, other: Dataset) -> Dataset:
        """Return the dataset after more of it was read or written."""
        return replace(
            self,
            rows=_sum(self.rows, other.rows),
            size=_sum(self.size, other.size),
            files=_sum(self.files, other.files),
        )


@dataclass
class Lineage:
    """Datasets that a task read and wrote."""

    inputs: list[Dataset] = field(default_factory=list)
    outputs: list[Dataset] = field(default_factory=list)

    def __add__(self, other: Lineage) -> Lineage:
        return Lineage([*self.inputs, *other.inputs], [*self.outputs, *other.outputs])


def planned(destination: str, groups: Iterable[int], streams: Iterable[str]) -> Lineage:
    """Return what will be landed."""
    folders = [stream_folder_url(destination, group, stream) for group in groups for stream in streams]
    return Lineage(outputs=[_stored(folder) for folder in folders])


def landed(endpoint: str, summaries: Iterable[Mapping[str, Any]]) -> Lineage:
    """Return what was extracted into the landing zone, by the summaries of the extract operators.

    :param endpoint: the URL of the API.
    """
    lineage = Lineage()
    for summary in summaries:
        # the pending deletions are an extract of their own
        for suffix in ("", "_pending"):
            if url := summary.get(f"manifest{suffix}"):
                rows = summary[f"rows{suffix}"]
                lineage.inputs.append(_shown(endpoint, *group_and_stream_of(url), rows))
                lineage.outputs.append(_stored(_folder(url), rows))
    return lineage


def to_be_loaded(manifests: Iterable[str]) -> Lineage:
    """Return what will be loaded."""
    return Lineage(inputs=[_stored(_folder(url)) for url in manifests])


def loaded(warehouse: Warehouse, extracts: LandedExtracts, report: LoadReport) -> Lineage:
    """Return what was loaded, and the tables that it changed."""
    from ds_provider.tables.schemas import TABLES

    known_tables = {table.name: table for table in TABLES}
    lineage = Lineage()
    for extract in extracts:
        manifest = extract.manifest
        lineage.inputs.append(_stored(_folder(extract.url), manifest.rows, manifest.bytes, len(manifest.parts)))
    if names := database_names(warehouse.destination):
        namespace, database = names
        changed = {name: rows for name, rows in report.rows.items() if rows or report.erased}
        for name, rows in changed.items():
            columns = _columns(known_tables[name]) if name in known_tables else {}
            lineage.outputs.append(Dataset(namespace, f"{database}.{warehouse.dataset}.{name}", rows, columns=columns))
    return lineage


def database_names(destination: Destination) -> tuple[str, str] | None:
    """Return namespace and database of the tables in a destination, or None if OpenLineage has no name for it."""
    if destination.kind == "duckdb":
        path = PurePosixPath(destination.credentials)
        return f"duckdb://{path}", path.stem
    if destination.kind == "postgres":
        url = urlsplit(destination.credentials)
        host = f"[{url.hostname}]" if ":" in str(url.hostname) else url.hostname
        return f"postgres://{host}:{url.port}", unquote(url.path.lstrip("/"))
    return None


def facets(lineage: Lineage) -> OperatorLineage[Any, Any]:
    """Return the lineage as OpenLineage's provider wants it."""
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import input_statistics_input_dataset, output_statistics_output_dataset

    read = input_statistics_input_dataset.InputStatisticsInputDatasetFacet
    written = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet
    return OperatorLineage(
        inputs=[_convert(one, InputDataset, "inputStatistics", read) for one in _merged(lineage.inputs)],
        outputs=[_convert(one, OutputDataset, "outputStatistics", written) for one in _merged(lineage.outputs)],
    )


def groupe_dataset(asset: Asset, _: Any) -> OpenLineageDataset:
    """Return the dataset of a group's asset. OpenLineage calls this for tasks with one among their inlets or outlets.

    An asset does not say whether its host is reached by HTTPS: that is what is taken.
    """
    from openlineage.client.event_v2 import Dataset as OpenLineageDataset

    uri = urlsplit(asset.uri)
    return OpenLineageDataset(namespace=f"https://{uri.netloc}", name=uri.path.lstrip("/"))


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _columns(table: Table) -> dict[str, tuple[str, str]]:
    from ds_provider.tables.descriptions import column_description

    kinds = {name: "json" if name in table.json else str(kind) for name, kind in table.columns.items()}
    return {name: (kind, column_description(table.name, name)) for name, kind in kinds.items()}


def _folder(manifest_url: str) -> str:
    # of the stream, which holds a folder for each window
    return manifest_url.rsplit("/", 2)[0]


def _shown(endpoint: str, group: int, stream: str, rows: int) -> Dataset:
    url = urlsplit(endpoint)
    return Dataset(f"{url.scheme}://{url.netloc}", f"groupes-instructeurs/{group}/{_STREAMS.get(stream, stream)}", rows)


def _stored(url: str, rows: int | None = None, size: int | None = None, files: int | None = None) -> Dataset:
    """Return a folder's dataset, by OpenLineage's naming. Before an ``@`` stands Airflow's connection."""
    parts = urlsplit(url)
    if parts.scheme in ("", "file"):
        return Dataset("file", parts.path, rows, size, files)
    scheme, bucket = _SCHEMES.get(parts.scheme, parts.scheme), parts.netloc.rpartition("@")[2]
    return Dataset(f"{scheme}://{bucket}", parts.path.lstrip("/"), rows, size, files)


def _merged(datasets: Iterable[Dataset]) -> list[Dataset]:
    merged: dict[tuple[str, str], Dataset] = {}
    for one in datasets:
        known = merged.get(key := (one.namespace, one.name))
        merged[key] = known.merge(one) if known else one
    return list(merged.values())[:MAX_DATASETS]


def _convert(dataset: Dataset, kind: Any, statistics: str, facet: Any) -> Any:
    """Return a dataset as OpenLineage's client has it.

    :param statistics: the name of the facet that holds counts.
    """
    from openlineage.client.facet_v2 import schema_dataset

    counts = {"rowCount": dataset.rows, "size": dataset.size, "fileCount": dataset.files}
    columns = [schema_dataset.SchemaDatasetFacetFields(name, *column) for name, column in dataset.columns.items()]
    return kind(
        dataset.namespace,
        dataset.name,
        {} if dataset.rows is None else {statistics: facet(**counts)},
        facets={"schema": schema_dataset.SchemaDatasetFacet(fields=columns)} if columns else {},
    )
