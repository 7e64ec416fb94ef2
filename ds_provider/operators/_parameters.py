"""Parameters that several operators have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from ds_provider.api.query.parameters import flatten_batches, includes_of, parse_conn_id, parse_flag, parse_groupes
from ds_provider.api.query.selection import Includes
from ds_provider.constants import DEFAULT_DATASET
from ds_provider.exceptions import DSConfigurationError
from ds_provider.hooks.warehouse import DSWarehouseHook, parse_dataset
from ds_provider.parameter_checks import Check, CheckedOperator, optional

if TYPE_CHECKING:
    from ds_provider.warehouse.database.store import Warehouse


class IncludesMixin(CheckedOperator):
    """Adds the ``include_…`` parameters, each of which may be a template, with the API's own defaults.

    A class of its own kind of operator: Airflow then finds these parameters in ``partial`` and ``expand``,
    and takes them from ``default_args``.
    """

    template_fields: Sequence[str] = tuple(f"include_{name}" for name in vars(Includes()))
    checks: ClassVar[Mapping[str, Check]] = dict.fromkeys(template_fields, parse_flag)

    def __init__(
        self,
        *,
        include_champs: bool | str = True,
        include_annotations: bool | str = True,
        include_traitements: bool | str = True,
        include_instructeurs: bool | str = True,
        include_avis: bool | str = False,
        include_messages: bool | str = False,
        include_geometry: bool | str = False,
        include_labels: bool | str = False,
        include_corrections: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.include_champs = include_champs
        self.include_annotations = include_annotations
        self.include_traitements = include_traitements
        self.include_instructeurs = include_instructeurs
        self.include_avis = include_avis
        self.include_messages = include_messages
        self.include_geometry = include_geometry
        self.include_labels = include_labels
        self.include_corrections = include_corrections
        self._check_given()

    @property
    def _includes(self) -> dict[str, object]:
        """Values of the ``include_…`` parameters, by part."""
        return includes_of({name: getattr(self, name) for name in IncludesMixin.template_fields})


class WarehouseMixin(CheckedOperator):
    """Adds the parameters ``warehouse_conn_id`` and ``dataset``, which may be templates.

    A class of its own kind of operator, for the same reason as :class:`IncludesMixin`.
    """

    ui_color = "#cacafb"
    ui_fgcolor = "#000091"
    template_fields: Sequence[str] = ("warehouse_conn_id", "dataset")
    checks: ClassVar[Mapping[str, Check]] = {"warehouse_conn_id": optional(parse_conn_id), "dataset": parse_dataset}

    def __init__(self, *, warehouse_conn_id: str | None = None, dataset: str = DEFAULT_DATASET, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.warehouse_conn_id = warehouse_conn_id
        self.dataset = dataset
        self._check_given()

    @cached_property
    def warehouse(self) -> Warehouse:
        """Warehouse that the parameters name.

        The modules of the optional extra ``[warehouse]`` are imported after it was asked for: the hook says if the
        extra is not installed.
        """
        return DSWarehouseHook(self.warehouse_conn_id, self.dataset).warehouse()


def parse_batches(value: object, parameter: str) -> list[int]:
    """Return group numbers of a list, or of the batches of a fan-out.

    :raises DSConfigurationError: as :func:`~ds_provider.api.query.parameters.parse_groupes` does.
    """
    return parse_groupes(flatten_batches(value), parameter)[0]


def check_duration(
    value: object, parameter: str, at_least: timedelta = timedelta(microseconds=1), requirement: str = "above zero"
) -> timedelta:
    """Return a parameter that is a duration.

    :param requirement: ``at_least`` in words.
    :raises DSConfigurationError: if it is none, or too short.
    """
    if not isinstance(value, timedelta) or value < at_least:
        raise DSConfigurationError(f"{parameter} must be a timedelta {requirement}: got {value!r}")
    return value
