"""Synthetic values of champs, by one function per type of champ.

Each function returns the fields of its GraphQL type and `stringValue`. The type that a client receives depends on
its document, so a value carries the fields of every type it may be sent as.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from ds_provider.sandbox.world import files, french
from ds_provider.sandbox.world.clock import DAY, iso_second, paris_day
from ds_provider.sandbox.world.form import LINKED, Field
from ds_provider.sandbox.world.french import JSON
from ds_provider.sandbox.world.ids import seeded_rng

MOIS = (
    "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre",
    "décembre",
)  # fmt: skip


class FieldContext(NamedTuple):
    """Everything that a value depends on.

    :ivar at: when the value was written, in microseconds since the epoch
    :ivar key: key of its files
    :ivar links: numbers of dossiers that it may link to
    """

    rng: Random
    field: Field
    at: int
    key: str
    links: tuple[int, ...]

    def draw_blank(self) -> bool:
        """Draw whether the user left the champ empty."""
        return not self.field.required and self.rng.random() < 0.15


def _plain(context: FieldContext, text: str) -> JSON:
    value = "" if context.draw_blank() else text
    return {"value": value or None, "stringValue": value}


def _text(context: FieldContext) -> JSON:
    return _plain(context, french.text(context.rng))


def _textarea(context: FieldContext) -> JSON:
    return _plain(context, french.text(context.rng, context.rng.randint(1, 4)))


def _without_value(context: FieldContext) -> JSON:
    return {"value": None, "stringValue": "", "level": context.field.level}


def _email(context: FieldContext) -> JSON:
    return _plain(context, f"contact{context.rng.randint(1, 999)}@exemple.invalid")


def _phone(context: FieldContext) -> JSON:
    return _plain(context, french.phone(context.rng))


def _iban(context: FieldContext) -> JSON:
    return _plain(context, french.iban(context.rng))


def _code(context: FieldContext) -> JSON:
    return _plain(context, f"{context.field.kind[:3].upper()}-{context.rng.randint(0, 999_999):06d}")


def _civilite(context: FieldContext) -> JSON:
    value = context.rng.choice(("M", "Mme"))
    return {"value": value, "stringValue": value}


def _checkbox(context: FieldContext) -> JSON:
    value = context.field.required or context.rng.random() < 0.5
    return {"value": value, "stringValue": str(value).lower()}


def _yes_no(context: FieldContext) -> JSON:
    value = None if context.draw_blank() else context.rng.random() < 0.5
    return {"value": value, "stringValue": "" if value is None else str(value).lower()}


def _date(context: FieldContext) -> JSON:
    if context.draw_blank():
        return {"date": None, "stringValue": ""}
    day = paris_day(context.at + context.rng.randint(-400, 400) * DAY)
    return {"date": day.isoformat(), "stringValue": f"{day.day:02d} {MOIS[day.month - 1]} {day.year}"}


def _datetime(context: FieldContext) -> JSON:
    if context.draw_blank():
        return {"datetime": None, "date": None, "stringValue": ""}
    at = context.at + context.rng.randint(1, 90) * DAY
    written = iso_second(at)
    day = paris_day(at)
    words = f"{day.day:02d} {MOIS[day.month - 1]} {day.year} {written[11:16].replace(':', 'h')}"
    return {"datetime": at, "date": written[:10], "stringValue": words}


def _integer(context: FieldContext) -> JSON:
    value = (
        ""
        if context.draw_blank()
        else str(context.rng.choice((0, -1, context.rng.randint(1, 10**6), 9_223_372_036_854_775_807)))
    )
    return {"value": value or None, "stringValue": value}


def _decimal(context: FieldContext) -> JSON:
    value = None if context.draw_blank() else round(context.rng.uniform(-10, 10_000), context.rng.randint(0, 6))
    return {"value": value, "stringValue": "" if value is None else str(value)}


def _address(context: FieldContext) -> JSON:
    if context.draw_blank():
        return {"address": None, "commune": None, "departement": None, "value": None, "stringValue": ""}
    found = french.address(context.rng)
    place = next(place for place in french.PLACES if place.code == found["cityCode"])
    where = {"commune": french.commune(place), "departement": french.departement(place)}
    return {"address": found, **where, "value": found["label"], "stringValue": found["label"]}


def _commune(context: FieldContext) -> JSON:
    if context.draw_blank():
        return {"commune": None, "departement": None, "value": None, "stringValue": ""}
    place = context.rng.choice(french.PLACES)
    shown = f"{place.commune} ({place.postal_code})"
    where = {"commune": french.commune(place), "departement": french.departement(place)}
    return {**where, "value": shown, "stringValue": shown}


def _coded(context: FieldContext, name: str, options: tuple[tuple[str, str], ...], form: str = "{name}") -> JSON:
    if context.draw_blank():
        return {name: None, "value": None, "stringValue": ""}
    number, label = context.rng.choice(options)
    shown = form.format(code=number, name=label)
    return {name: {"code": number, "name": label}, "value": shown, "stringValue": shown}


def _departement(context: FieldContext) -> JSON:
    return _coded(context, "departement", french.DEPARTEMENTS, "{code} - {name}")


def _region(context: FieldContext) -> JSON:
    return _coded(context, "region", french.REGIONS)


def _pays(context: FieldContext) -> JSON:
    return _coded(context, "pays", french.PAYS)


def _epci(context: FieldContext) -> JSON:
    if context.draw_blank():
        return {"epci": None, "departement": None, "stringValue": ""}
    place = context.rng.choice(french.PLACES)
    found = {"code": place.epci_code, "name": place.epci}
    return {"epci": found, "departement": french.departement(place), "stringValue": place.epci}


def _drop_down(context: FieldContext) -> JSON:
    return _plain(context, context.rng.choice((*context.field.options, "Précision libre : apiculture 🐝")))


def _multiple(context: FieldContext) -> JSON:
    rng, options = context.rng, context.field.options
    values = [] if context.draw_blank() else sorted(rng.sample(options, rng.randint(1, 3)))
    return {"values": values, "stringValue": ", ".join(values)}


def _linked(context: FieldContext) -> JSON:
    if context.draw_blank():
        return {"primaryValue": None, "secondaryValue": None, "stringValue": ""}
    first = context.rng.choice(context.field.options)
    second = context.rng.choice(LINKED[first])
    return {"primaryValue": first, "secondaryValue": second, "stringValue": f"{first} / {second}"}


def _dossier_link(context: FieldContext) -> JSON:
    number = None if context.draw_blank() else context.rng.choice(context.links)
    return {"linked": number, "stringValue": "" if number is None else str(number)}


def _carte(context: FieldContext) -> JSON:
    place = context.rng.choice(french.PLACES)
    areas = [_area(context, place, i) for i in range(0 if context.draw_blank() else context.rng.randint(1, 3))]
    return {"geoAreas": areas, "stringValue": None}


def _area(context: FieldContext, place: french.Place, i: int) -> JSON:
    rng, key = context.rng, f"{context.key}/{i}"
    described = None if rng.random() < 0.3 else french.text(rng)
    area = {"key": key, "description": described, "geometry": french.polygon(rng, place)}
    if rng.random() < 0.5:
        return {**area, "__typename": "SelectionUtilisateur", "source": "selection_utilisateur"}
    parcel = {"prefixe": "000", "section": rng.choice(("A", "ZB")), "numero": str(rng.randint(1, 999))}
    surface = str(rng.randint(100, 90_000))
    return {**area, **parcel, "__typename": "ParcelleCadastrale", "source": "cadastre", "commune": place.code,
            "surface": surface}  # fmt: skip


def _piece_justificative(context: FieldContext) -> JSON:
    count = 0 if context.draw_blank() else context.rng.randint(1, 3)
    attached = [files.make_attachment(f"{context.key}/{i}", context.at) for i in range(count)]
    return {"files": attached, "stringValue": None}


def _titre_identite(context: FieldContext) -> JSON:
    filled = not context.draw_blank()
    return {"filled": filled, "grantType": "piece_justificative", "files": [], "stringValue": None}


def _siret(context: FieldContext) -> JSON:
    number = "" if context.draw_blank() else french.siret(context.rng)
    return {"etablissement": number or None, "stringValue": number}


def _registered(context: FieldContext, name: str, number: str) -> JSON:
    if context.draw_blank():
        return {name: None, "commune": None, "departement": None, "stringValue": ""}
    where = _address(context._replace(field=Field(0, "address", "", required=True)))
    found = {"id": number, "title": context.rng.choice(french.SOCIETES), "address": where["address"]}
    return {name: found, "commune": where["commune"], "departement": where["departement"],
            "stringValue": f"{found['title']} ({number})"}  # fmt: skip


def _rna(context: FieldContext) -> JSON:
    return _registered(context, "rna", f"W{context.rng.randint(10**8, 10**9 - 1)}")


def _rnf(context: FieldContext) -> JSON:
    return _registered(context, "rnf", f"075-FDD-{context.rng.randint(0, 99_999):05d}-01")


def _engagement_juridique(context: FieldContext) -> JSON:
    """Draw an engagement: the API has its number as text alone, and placeholders for its amounts."""
    found = {"montantEngage": "NotYetImplemented", "montantPaye": "NotYetImplemented"}
    value = "" if context.draw_blank() else f"21{context.rng.randint(0, 10**8 - 1):08d}"
    return {"engagementJuridique": found if value else None, "stringValue": value}


VALUES: dict[str, Callable[[FieldContext], JSON]] = {
    "address": _address, "annuaire_education": _code, "carte": _carte, "checkbox": _checkbox, "civilite": _civilite,
    "cnaf": _code, "cojo": _code, "communes": _commune, "date": _date, "datetime": _datetime,
    "decimal_number": _decimal, "departements": _departement, "dgfip": _code, "dossier_link": _dossier_link,
    "drop_down_list": _drop_down, "email": _email, "engagement_juridique": _engagement_juridique, "epci": _epci,
    "explication": _without_value, "formatted": _code, "header_section": _without_value, "iban": _iban,
    "integer_number": _integer, "linked_drop_down_list": _linked, "mesri": _code,
    "multiple_drop_down_list": _multiple, "number": _integer, "pays": _pays, "phone": _phone,
    "piece_justificative": _piece_justificative, "pole_emploi": _code, "referentiel": _code, "regions": _region,
    "rna": _rna, "rnf": _rnf, "siret": _siret, "text": _text, "textarea": _textarea,
    "titre_identite": _titre_identite, "yes_no": _yes_no,
}  # fmt: skip

# fields that come from a registry: what the user wrote may not be in it, or be older than it
FROM_REGISTRIES = {
    "address": ("address", "commune", "departement"), "communes": ("commune", "departement"),
    "departements": ("departement",), "epci": ("epci", "departement"), "pays": ("pays",), "regions": ("region",),
    "rna": ("rna", "commune", "departement"), "rnf": ("rnf", "commune", "departement"), "siret": ("etablissement",),
}  # fmt: skip
NOT_FOUND = 0.1


def draw(context: FieldContext) -> JSON:
    """Draw a champ's value; for a tenth of those that come from a registry, the API has the text alone."""
    kind = context.field.kind
    value = VALUES[kind](context)
    looked_up = FROM_REGISTRIES.get(kind, ())
    # drawn apart, so that all other values are the same with and without it
    if not looked_up or not value["stringValue"] or seeded_rng("registry", context.key).random() >= NOT_FOUND:
        return value
    # the name of an association or a foundation comes from the registry, the user wrote its number
    written = value[kind]["id"] if kind in ("rna", "rnf") else value["stringValue"]
    return {**value, **dict.fromkeys(looked_up), "stringValue": written}
