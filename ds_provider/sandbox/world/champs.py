"""Synthetic values, one function per type of champ.

Each returns the fields of its GraphQL type and `stringValue`. The type that a client receives depends on
its document, so a value carries the fields of every type it may be read as.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from ds_provider.sandbox.world import files, french
from ds_provider.sandbox.world.clock import DAY, iso_second, paris_day
from ds_provider.sandbox.world.form import LINKED, Field
from ds_provider.sandbox.world.french import JSON

MOIS = (
    "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre",
    "décembre",
)  # fmt: skip


class Draw(NamedTuple):
    """What a value is drawn from: `at` is when it was written, in microseconds; `key` names its files."""

    rng: Random
    field: Field
    at: int
    key: str
    links: tuple[int, ...]

    @property
    def blank(self) -> bool:
        """Whether its user left it empty."""
        return not self.field.required and self.rng.random() < 0.15


def plain(draw: Draw, text: str) -> JSON:
    value = "" if draw.blank else text
    return {"value": value or None, "stringValue": value}


def text(draw: Draw) -> JSON:
    return plain(draw, french.text(draw.rng))


def textarea(draw: Draw) -> JSON:
    return plain(draw, french.text(draw.rng, draw.rng.randint(1, 4)))


def silent(draw: Draw) -> JSON:
    return {"value": None, "stringValue": "", "level": draw.field.level}


def email(draw: Draw) -> JSON:
    return plain(draw, f"contact{draw.rng.randint(1, 999)}@exemple.invalid")


def phone(draw: Draw) -> JSON:
    return plain(draw, french.phone(draw.rng))


def iban(draw: Draw) -> JSON:
    return plain(draw, french.iban(draw.rng))


def code(draw: Draw) -> JSON:
    return plain(draw, f"{draw.field.kind[:3].upper()}-{draw.rng.randint(0, 999_999):06d}")


def civilite(draw: Draw) -> JSON:
    value = draw.rng.choice(("M", "Mme"))
    return {"value": value, "stringValue": value}


def checkbox(draw: Draw) -> JSON:
    value = draw.field.required or draw.rng.random() < 0.5
    return {"value": value, "stringValue": str(value).lower()}


def yes_no(draw: Draw) -> JSON:
    value = None if draw.blank else draw.rng.random() < 0.5
    return {"value": value, "stringValue": "" if value is None else str(value).lower()}


def date(draw: Draw) -> JSON:
    if draw.blank:
        return {"date": None, "stringValue": ""}
    day = paris_day(draw.at + draw.rng.randint(-400, 400) * DAY)
    return {"date": day.isoformat(), "stringValue": f"{day.day:02d} {MOIS[day.month - 1]} {day.year}"}


def datetime(draw: Draw) -> JSON:
    if draw.blank:
        return {"datetime": None, "date": None, "stringValue": ""}
    at = draw.at + draw.rng.randint(1, 90) * DAY
    written = iso_second(at)
    day = paris_day(at)
    words = f"{day.day:02d} {MOIS[day.month - 1]} {day.year} {written[11:16].replace(':', 'h')}"
    return {"datetime": at, "date": written[:10], "stringValue": words}


def integer(draw: Draw) -> JSON:
    value = "" if draw.blank else str(draw.rng.choice((0, -1, draw.rng.randint(1, 10**6), 9_223_372_036_854_775_807)))
    return {"value": value or None, "stringValue": value}


def decimal(draw: Draw) -> JSON:
    value = None if draw.blank else round(draw.rng.uniform(-10, 10_000), draw.rng.randint(0, 6))
    return {"value": value, "stringValue": "" if value is None else str(value)}


def address(draw: Draw) -> JSON:
    if draw.blank:
        return {"address": None, "commune": None, "departement": None, "value": None, "stringValue": ""}
    found = french.address(draw.rng)
    place = next(place for place in french.PLACES if place.code == found["cityCode"])
    where = {"commune": french.commune(place), "departement": french.departement(place)}
    return {"address": found, **where, "value": found["label"], "stringValue": found["label"]}


def commune(draw: Draw) -> JSON:
    if draw.blank:
        return {"commune": None, "departement": None, "value": None, "stringValue": ""}
    place = draw.rng.choice(french.PLACES)
    shown = f"{place.commune} ({place.postal_code})"
    where = {"commune": french.commune(place), "departement": french.departement(place)}
    return {**where, "value": shown, "stringValue": shown}


def _coded(draw: Draw, name: str, options: tuple[tuple[str, str], ...], form: str = "{name}") -> JSON:
    if draw.blank:
        return {name: None, "value": None, "stringValue": ""}
    number, label = draw.rng.choice(options)
    shown = form.format(code=number, name=label)
    return {name: {"code": number, "name": label}, "value": shown, "stringValue": shown}


def departement(draw: Draw) -> JSON:
    return _coded(draw, "departement", french.DEPARTEMENTS, "{code} - {name}")


def region(draw: Draw) -> JSON:
    return _coded(draw, "region", french.REGIONS)


def pays(draw: Draw) -> JSON:
    return _coded(draw, "pays", french.PAYS)


def epci(draw: Draw) -> JSON:
    if draw.blank:
        return {"epci": None, "departement": None, "stringValue": ""}
    place = draw.rng.choice(french.PLACES)
    found = {"code": place.epci_code, "name": place.epci}
    return {"epci": found, "departement": french.departement(place), "stringValue": place.epci}


def drop_down(draw: Draw) -> JSON:
    return plain(draw, draw.rng.choice((*draw.field.options, "Précision libre : apiculture 🐝")))


def multiple(draw: Draw) -> JSON:
    values = [] if draw.blank else sorted(draw.rng.sample(draw.field.options, draw.rng.randint(1, 3)))
    return {"values": values, "stringValue": ", ".join(values)}


def linked(draw: Draw) -> JSON:
    if draw.blank:
        return {"primaryValue": None, "secondaryValue": None, "stringValue": ""}
    first = draw.rng.choice(draw.field.options)
    second = draw.rng.choice(LINKED[first])
    return {"primaryValue": first, "secondaryValue": second, "stringValue": f"{first} / {second}"}


def dossier_link(draw: Draw) -> JSON:
    number = None if draw.blank else draw.rng.choice(draw.links)
    return {"linked": number, "stringValue": "" if number is None else str(number)}


def carte(draw: Draw) -> JSON:
    place = draw.rng.choice(french.PLACES)
    areas = [_area(draw, place, i) for i in range(0 if draw.blank else draw.rng.randint(1, 3))]
    return {"geoAreas": areas, "stringValue": None}


def _area(draw: Draw, place: french.Place, i: int) -> JSON:
    rng, key = draw.rng, f"{draw.key}/{i}"
    described = None if rng.random() < 0.3 else french.text(rng)
    area = {"key": key, "description": described, "geometry": french.polygon(rng, place)}
    if rng.random() < 0.5:
        return {**area, "__typename": "SelectionUtilisateur", "source": "selection_utilisateur"}
    parcel = {"prefixe": "000", "section": rng.choice(("A", "ZB")), "numero": str(rng.randint(1, 999))}
    surface = str(rng.randint(100, 90_000))
    return {**area, **parcel, "__typename": "ParcelleCadastrale", "source": "cadastre", "commune": place.code,
            "surface": surface}  # fmt: skip


def piece_justificative(draw: Draw) -> JSON:
    count = 0 if draw.blank else draw.rng.randint(1, 3)
    return {"files": [files.draw(f"{draw.key}/{i}", draw.at) for i in range(count)], "stringValue": None}


def titre_identite(draw: Draw) -> JSON:
    filled = not draw.blank
    return {"filled": filled, "grantType": "piece_justificative", "files": [], "stringValue": None}


def siret(draw: Draw) -> JSON:
    number = "" if draw.blank else french.siret(draw.rng)
    known = bool(number) and draw.rng.random() < 0.9
    return {"etablissement": number if known else None, "stringValue": number}


def _registered(draw: Draw, name: str, number: str) -> JSON:
    if draw.blank:
        return {name: None, "commune": None, "departement": None, "stringValue": ""}
    where = address(draw._replace(field=Field(0, "address", "", required=True)))
    found = {"id": number, "title": draw.rng.choice(french.SOCIETES), "address": where["address"]}
    return {name: found, "commune": where["commune"], "departement": where["departement"],
            "stringValue": f"{found['title']} ({number})"}  # fmt: skip


def rna(draw: Draw) -> JSON:
    return _registered(draw, "rna", f"W{draw.rng.randint(10**8, 10**9 - 1)}")


def rnf(draw: Draw) -> JSON:
    return _registered(draw, "rnf", f"075-FDD-{draw.rng.randint(0, 99_999):05d}-01")


def engagement_juridique(draw: Draw) -> JSON:
    found = {"montantEngage": "NotYetImplemented", "montantPaye": "NotYetImplemented"}
    value = "" if draw.blank else f"21{draw.rng.randint(0, 10**8 - 1):08d}"
    return {"engagementJuridique": found if value else None, "stringValue": value}


MAKERS: dict[str, Callable[[Draw], JSON]] = {
    "address": address, "annuaire_education": code, "carte": carte, "checkbox": checkbox, "civilite": civilite,
    "cnaf": code, "cojo": code, "communes": commune, "date": date, "datetime": datetime,
    "decimal_number": decimal, "departements": departement, "dgfip": code, "dossier_link": dossier_link,
    "drop_down_list": drop_down, "email": email, "engagement_juridique": engagement_juridique, "epci": epci,
    "explication": silent, "formatted": code, "header_section": silent, "iban": iban, "integer_number": integer,
    "linked_drop_down_list": linked, "mesri": code, "multiple_drop_down_list": multiple, "number": integer,
    "pays": pays, "phone": phone, "piece_justificative": piece_justificative, "pole_emploi": code,
    "referentiel": code, "regions": region, "rna": rna, "rnf": rnf, "siret": siret, "text": text,
    "textarea": textarea, "titre_identite": titre_identite, "yes_no": yes_no,
}  # fmt: skip
