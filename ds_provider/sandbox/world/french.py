"""Synthetic French words, places and names. No person, firm or association in here exists."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

JSON = dict[str, Any]


class Place(NamedTuple):
    """A commune with its département, region and intercommunalité."""

    commune: str
    code: str
    postal_code: str
    departement: str
    departement_code: str
    region: str
    region_code: str
    epci: str
    epci_code: str
    longitude: float
    latitude: float


PLACES = (
    Place("Bourg-en-Bresse", "01053", "01000", "Ain", "01", "Auvergne-Rhône-Alpes", "84",
          "CA du Bassin de Bourg-en-Bresse", "200071751", 5.2258, 46.2051),
    Place("L'Haÿ-les-Roses", "94038", "94240", "Val-de-Marne", "94", "Île-de-France", "11",
          "Métropole du Grand Paris", "200054781", 2.3374, 48.7800),
    Place("Ajaccio", "2A004", "20000", "Corse-du-Sud", "2A", "Corse", "94",
          "CA du Pays Ajaccien", "242010056", 8.7369, 41.9267),
    Place("Saint-Denis", "97411", "97400", "La Réunion", "974", "La Réunion", "04",
          "CA Intercommunale du Nord de La Réunion", "249740119", 55.4504, -20.8789),
    Place("Œuilly", "51410", "51480", "Marne", "51", "Grand Est", "44",
          "CC des Paysages de la Champagne", "200067254", 3.7930, 49.0722),
    Place("Brest", "29019", "29200", "Finistère", "29", "Bretagne", "53",
          "Brest Métropole", "242900314", -4.4861, 48.3904),
    Place("Châteauroux", "36044", "36000", "Indre", "36", "Centre-Val de Loire", "24",
          "CA Châteauroux Métropole", "243600327", 1.6910, 46.8103),
    Place("Nîmes", "30189", "30000", "Gard", "30", "Occitanie", "76",
          "CA de Nîmes Métropole", "243000643", 4.3601, 43.8367),
)  # fmt: skip

PRENOMS = ("Zoé", "Maël", "Inès", "Théo", "Chloé", "Noël", "Anaïs", "Gaëtan", "Łucja", "Jean-Baptiste", "Agnès")
NOMS = ("Lefèvre", "N'Guyen", "D'Œuvry", "Müller", "Ben Saïd", "Le Goff", "Garcia-Peña", "Martin", "Dupré", "Çelik")
VOIES = ("rue de l'Église", "avenue du Général-Leclerc", "impasse des Mûriers", "place du 8-Mai-1945", "chemin du Çay")
SOCIETES = ("Les Moulins d'Œuvre", "Atelier Ça & Là", "Boulangerie «Au Blé d'Or»", "Énergies de l'Ouest", "Bois & Cie")
NAF = (("1071C", "Boulangerie et boulangerie-pâtisserie"), ("6201Z", "Programmation informatique"),
       ("0113Z", "Culture de légumes, de melons, de racines et de tubercules"))  # fmt: skip
FORMES = (
    ("5710", "SAS, société par actions simplifiée"),
    ("9220", "Association déclarée"),
    ("1000", "Entrepreneur individuel"),
)
PAYS = (("FR", "France"), ("CI", "Côte d'Ivoire"), ("DE", "Allemagne"), ("TR", "Türkiye"), ("AX", "Îles Åland"))
REGIONS = tuple(sorted({(place.region_code, place.region) for place in PLACES}))
DEPARTEMENTS = tuple(sorted({(place.departement_code, place.departement) for place in PLACES}))

PHRASES = (
    "Merci de votre retour rapide.",
    "Le projet concerne une parcelle agricole d'un demi-hectare.",
    "Pièce jointe illisible : merci de la déposer à nouveau 🙏",
    "Travaux prévus au printemps, sous réserve des autorisations.",
    "L'association accueille 120 enfants ; « aucun » n'est laissé de côté.",
    "Budget : 12 500 € HT, dont 20 % d'autofinancement.",
    "Voir le dossier précédent — même demandeur, même adresse.",
    'Mention "urgent" portée par le service, chemin C:\\dossiers\\2026.',
    "Équipe 👩🏽‍🌾👨‍🔬 au complet ✅",
)
MOTIVATIONS = (
    "Dossier complet et conforme.",
    "Les pièces attendues n'ont pas été fournies\nmalgré deux relances.",
    "Le projet n'entre pas dans le champ de la démarche.",
)


def text(rng: Random, lines: int = 1) -> str:
    """Draw lines of text."""
    return "\n".join(rng.choice(PHRASES) for _ in range(lines))


def prenom(rng: Random) -> str:
    """Draw a first name."""
    return rng.choice(PRENOMS)


def nom(rng: Random) -> str:
    """Draw a family name."""
    return rng.choice(NOMS)


def phone(rng: Random) -> str:
    """Draw a phone number."""
    return f"0{rng.randint(1, 7)} {rng.randint(10, 99)} 55 {rng.randint(10, 99)} {rng.randint(10, 99)}"


def _luhn(digits: str) -> str:
    total = sum(sum(divmod(int(digit) * (2 if i % 2 == 0 else 1), 10)) for i, digit in enumerate(digits[::-1]))
    return digits + str(-total % 10)


def siret(rng: Random) -> str:
    """Draw a number that passes the check of a SIRET, in a range that is not assigned."""
    siren = _luhn(f"000{rng.randint(10_000, 99_999)}")
    return _luhn(f"{siren}{rng.randint(1, 9):04d}")


def iban(rng: Random) -> str:
    """Draw a French IBAN with valid check digits, of a bank that does not exist."""
    account = f"99999{rng.randint(0, 99_999):05d}{rng.randint(0, 10**11 - 1):011d}{rng.randint(0, 96):02d}"
    check = 98 - int(f"{account}152700") % 97  # FR, as IBAN arithmetic writes letters
    return f"FR{check:02d}{account}"


def day(rng: Random, first: int = 1940, last: int = 2026) -> str:
    """Draw a date, ISO 8601."""
    return f"{rng.randint(first, last)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"


def address(rng: Random) -> JSON:
    """Draw an address as the API shows one."""
    place = rng.choice(PLACES)
    number, street = str(rng.randint(1, 200)), rng.choice(VOIES)
    full = f"{number} {street}"
    return {
        "label": f"{full} {place.postal_code} {place.commune}",
        "type": "housenumber",
        "streetAddress": full,
        "streetNumber": number,
        "streetName": street,
        "postalCode": place.postal_code,
        "cityName": place.commune,
        "cityCode": place.code,
        "departmentName": place.departement,
        "departmentCode": place.departement_code,
        "regionName": place.region,
        "regionCode": place.region_code,
        "countryName": "France",
        "countryCode": "FR",
        "geometry": point(rng, place),
    }


def point(rng: Random, place: Place) -> JSON:
    """Draw a point near a place, in GeoJSON."""
    shift = rng.uniform(-0.02, 0.02)
    coordinates = [round(place.longitude + shift, 6), round(place.latitude - shift, 6)]
    return {"type": "Point", "coordinates": coordinates}


def polygon(rng: Random, place: Place) -> JSON:
    """Draw a rectangle near a place, in GeoJSON."""
    west, south = point(rng, place)["coordinates"]
    east, north = round(west + rng.uniform(0.001, 0.01), 6), round(south + rng.uniform(0.001, 0.01), 6)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def commune(place: Place) -> JSON:
    """Return the commune of a place as the API shows it."""
    return {"name": place.commune, "code": place.code, "postalCode": place.postal_code}


def departement(place: Place) -> JSON:
    """Return the département of a place as the API shows it."""
    return {"name": place.departement, "code": place.departement_code}
