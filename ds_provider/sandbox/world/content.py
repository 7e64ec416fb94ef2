"""Content of dossiers, drawn when it is requested: champs, annotations, demandeur."""

from __future__ import annotations

from collections import OrderedDict

from ds_provider.sandbox.world import champs, french
from ds_provider.sandbox.world.database import Database
from ds_provider.sandbox.world.dossier import Dossier
from ds_provider.sandbox.world.form import Field, fields
from ds_provider.sandbox.world.french import JSON
from ds_provider.sandbox.world.ids import seeded_rng, typed_id

MAX_CACHED = 2_000
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ulid(millis: int, tail: int) -> str:
    """Return an identifier of 26 characters that sorts by time."""
    value = millis << 80 | tail
    return "".join(CROCKFORD[value >> shift & 31] for shift in range(125, -1, -5))


class Content:
    """Draws the content of dossiers and caches it until it is edited."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cache: OrderedDict[tuple[int, bool], tuple[int, list[JSON]]] = OrderedDict()

    def champs(self, dossier: Dossier, *, private: bool = False, include_hidden: bool = False) -> list[JSON]:
        """Return a dossier's champs, or its annotations if `private`.

        :param include_hidden: include champs that a condition hides
        """
        key = (dossier.number, private)
        version, drawn = self._cache.get(key, (-1, []))
        if version != dossier.content:
            drawn = self._draw_all(dossier, private)
            self._cache[key] = dossier.content, drawn
            if len(self._cache) > MAX_CACHED:
                self._cache.popitem(last=False)
        return drawn if include_hidden else [champ for champ in drawn if champ["visible"]]

    def demandeur(self, dossier: Dossier) -> JSON:
        """Return a dossier's demandeur. A third are companies; some of these are incomplete, not yet looked up."""
        rng = seeded_rng(self._database.seed, "demandeur", dossier.number)
        if rng.random() < 0.65:
            return self._person(dossier)
        number = french.siret(rng)
        if dossier.siret_known:
            return company(number)
        return {"__typename": "PersonneMoraleIncomplete", "id": typed_id("Etablissement", number), "siret": number}

    def mandataire(self, dossier: Dossier) -> tuple[str, str] | None:
        """Return family name and first name of a person who deposited on the demandeur's behalf, None if nobody did."""
        rng = seeded_rng(self._database.seed, "mandataire", dossier.number)
        return (french.nom(rng), french.prenom(rng)) if rng.random() < 0.1 else None

    def _person(self, dossier: Dossier) -> JSON:
        rng = seeded_rng(self._database.seed, "personne", dossier.number)
        return {
            "__typename": "PersonnePhysique",
            "id": typed_id("Individual", dossier.number),
            "nom": french.nom(rng),
            "prenom": french.prenom(rng),
            "civilite": rng.choice(("M", "Mme")),
            "dateDeNaissance": french.day(rng, 1940, 2005) if rng.random() < 0.7 else None,
            "email": self._database.usager_email(dossier) if dossier.usager is not None else None,
        }

    def _draw_all(self, dossier: Dossier, private: bool) -> list[JSON]:
        drawn: list[JSON] = []
        answers: dict[int, bool] = {}
        for field in fields(dossier.revision, private=private):
            champ = self._draw(dossier, field)
            champ["visible"] = field.condition is None or answers.get(field.condition, False)
            if field.kind == "yes_no":
                answers[field.stable_id] = bool(champ["value"])
            drawn.append(champ)
        return drawn

    def _draw(self, dossier: Dossier, field: Field, row: str = "") -> JSON:
        version, edited_at = dossier.edits.get(field.stable_id, (0, dossier.depose_at))
        champ: JSON = {
            "kind": field.kind,
            "id": typed_id("Champ", f"{field.stable_id}|{row}" if row else field.stable_id),
            "champDescriptorId": typed_id("Champ", field.stable_id),
            "label": field.label,
            "updatedAt": edited_at,
            "prefilled": False,
            "prefilledValueModified": False,
        }
        if field.kind == "repetition":
            return {**champ, "stringValue": "", "rows": self._rows(dossier, field, version)}
        key = f"{self._database.seed}/{dossier.number}/{field.stable_id}/{row}/{version}"
        context = champs.FieldContext(seeded_rng(key), field, edited_at, key, self._links(dossier))
        prefilled = context.rng.random() < 0.02
        filled = {"prefilled": prefilled, "prefilledValueModified": prefilled and version > 0}
        return {**champ, **filled, **champs.draw(context)}

    def _rows(self, dossier: Dossier, field: Field, version: int) -> list[JSON]:
        rng = seeded_rng(self._database.seed, "rows", dossier.number, field.stable_id)
        rows = []
        for i in range(rng.choice((0, 1, 2, 2, 3)) + version % 2):
            name = ulid(dossier.created_at // 1_000 + i, rng.getrandbits(80))
            children = [child for child in field.children if child.is_on(dossier.revision)]
            drawn = [self._draw(dossier, child, name) for child in children]
            rows.append({"id": typed_id("Row", name), "champs": drawn})
        return rows

    def _links(self, dossier: Dossier) -> tuple[int, ...]:
        """Return numbers of dossiers of the démarche, one of the other démarche, and one that does not exist."""
        first = self._database.first_number
        own = dossier.number - first
        near = (first + own // 2, first + own // 3, max(first, dossier.number - 1))
        foreign = next(iter(self._database.other.groupes[0].dossiers), first)
        return (*near * 6, foreign, first - 5_000)


def company(number: str) -> JSON:
    """Return the company with a SIRET."""
    rng = seeded_rng("company", number)
    naf, naf_label = rng.choice(french.NAF)
    return {
        "__typename": "PersonneMorale",
        "id": typed_id("Etablissement", number),
        "siret": number,
        "siegeSocial": rng.random() < 0.8,
        "naf": naf,
        "libelleNaf": naf_label,
        "address": french.address(rng),
        "entreprise": _firm(number),
        "association": _association(number) if rng.random() < 0.3 else None,
    }


def _firm(number: str) -> JSON:
    rng = seeded_rng("firm", number)
    form, form_label = rng.choice(french.FORMES)
    alone = form == "1000"
    return {
        "siren": number[:9],
        "capitalSocial": rng.choice(("-1", "1000", "99999999999999")),
        "numeroTvaIntracommunautaire": f"FR{rng.randint(10, 99)}{number[:9]}",
        "formeJuridique": form_label,
        "formeJuridiqueCode": form,
        "nomCommercial": rng.choice(("", "L'Épi 🌾")),
        "raisonSociale": rng.choice(french.SOCIETES),
        "siretSiegeSocial": number,
        "codeEffectifEntreprise": rng.choice((None, "03", "21")),
        "effectifMensuel": {"periode": "03/2026", "nb": round(rng.uniform(1, 90), 1)},
        "effectifAnnuel": None if alone else {"periode": "2025", "nb": round(rng.uniform(1, 90), 2)},
        "dateCreation": french.day(rng, 1980, 2024),
        "nom": french.nom(rng) if alone else None,
        "prenom": french.prenom(rng) if alone else None,
        "inlineAdresse": french.address(rng)["label"],
        "enseigne": None,
        "etatAdministratif": "Actif",
        "attestationFiscaleAttachment": None,
        "attestationSocialeAttachment": None,
    }


def _association(number: str) -> JSON:
    rng = seeded_rng("association", number)
    founded = french.day(rng, 1980, 2024)
    return {
        "rna": f"W{rng.randint(10**8, 10**9 - 1)}",
        "titre": rng.choice(french.SOCIETES),
        "objet": french.text(rng),
        "dateCreation": founded,
        "dateDeclaration": founded,
        "datePublication": None,
    }
