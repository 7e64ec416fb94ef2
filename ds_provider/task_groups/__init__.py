"""Whole pipelines in one call: a démarche's dossiers in the tables of a warehouse, night by night."""

from ds_provider.task_groups.dag import DSWarehouseDag
from ds_provider.task_groups.defaults import ds_default_args
from ds_provider.task_groups.warehouse import DSWarehouseTaskGroup

__all__ = ["DSWarehouseDag", "DSWarehouseTaskGroup", "ds_default_args"]
