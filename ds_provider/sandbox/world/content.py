"""What a dossier holds, drawn when it is asked for: champs, annotations, demandeur, files."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from ds_provider.sandbox.world import champs, french
from ds_provider.sandbox.world.dossier import Dossier
from ds_provider.sandbox.world.form import Field, fields
from ds_provider.sandbox.world.french import JSON
from ds_provider.sandbox.world.ids import dice, typed_id

if TYPE_CHECKING:
    from ds_provider.sandbox.world.world import World

KEPT = 2_000
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ulid(millis: int, tail: int) -> str:
    """26 characters that sort by time."""
    value = millis << 80 | tail
    return "".join(CROCKFORD[value >> shift & 31] for shift in range(125, -1, -5))


class Content:
    """Draws and remembers what dossiers hold; what was edited since is drawn again."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._kept: OrderedDict[tuple[int, bool], tuple[int, list[JSON]]] = OrderedDict()

    def champs(self, dossier: Dossier, *, private: bool = False, every: bool = False) -> list[JSON]:
        """The champs that the form shows, or the annotations where `private`.

        :param every: those too that a condition hides
        """
        key = (dossier.number, private)
        version, drawn = self._kept.get(key, (-1, []))
        if version != dossier.content:
            drawn = self._draw_all(dossier, private)
            self._kept[key] = dossier.content, drawn
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return drawn if every else [champ for champ in drawn if champ["shown"]]

    def demandeur(self, dossier: Dossier) -> JSON:
        """Who asks: a third are companies, of which some are not looked up yet."""
        rng = dice(self._world.seed, "demandeur", dossier.number)
        if rng.random() < 0.65:
            return self._person(dossier)
        number = french.siret(rng)
        if dossier.siret_known:
            return company(number)
        return {"__typename": "PersonneMoraleIncomplete", "id": typed_id("Etablissement", number), "siret": number}

    def mandataire(self, dossier: Dossier) -> tuple[str, str] | None:
        """Family name and first name of who deposited in the demandeur's place."""
        rng = dice(self._world.seed, "mandataire", dossier.number)
        return (french.nom(rng), french.prenom(rng)) if rng.random() < 0.1 else None

    def _person(self, dossier: Dossier) -> JSON:
        rng = dice(self._world.seed, "personne", dossier.number)
        return {
            "__typename": "PersonnePhysique",
            "id": typed_id("Individual", dossier.number),
            "nom": french.nom(rng),
            "prenom": french.prenom(rng),
            "civilite": rng.choice(("M", "Mme")),
            "dateDeNaissance": french.day(rng, 1940, 2005) if rng.random() < 0.7 else None,
            "email": self._world.usager_email(dossier) if dossier.usager is not None else None,
        }

    def _draw_all(self, dossier: Dossier, private: bool) -> list[JSON]:
        drawn: list[JSON] = []
        truths: dict[int, bool] = {}
        for field in fields(dossier.revision, private=private):
            champ = self._draw(dossier, field)
            champ["shown"] = field.condition is None or truths.get(field.condition, False)
            if field.kind == "yes_no":
                truths[field.stable_id] = bool(champ["value"])
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
        }
        if field.kind == "repetition":
            return {**champ, "stringValue": "", "rows": self._rows(dossier, field, version)}
        key = f"{self._world.seed}/{dossier.number}/{field.stable_id}/{row}/{version}"
        draw = champs.Draw(dice(key), field, edited_at, key, self._links(dossier))
        return {**champ, "prefilled": draw.rng.random() < 0.02, **champs.MAKERS[field.kind](draw)}

    def _rows(self, dossier: Dossier, field: Field, version: int) -> list[JSON]:
        rng = dice(self._world.seed, "rows", dossier.number, field.stable_id)
        rows = []
        for i in range(rng.choice((0, 1, 2, 2, 3)) + version % 2):
            name = ulid(dossier.created_at // 1_000 + i, rng.getrandbits(80))
            children = [child for child in field.children if child.on(dossier.revision)]
            drawn = [self._draw(dossier, child, name) for child in children]
            rows.append({"id": typed_id("Row", name), "champs": drawn})
        return rows

    def _links(self, dossier: Dossier) -> tuple[int, ...]:
        """Dossiers of the démarche, one of another démarche, and one that never was."""
        first = self._world.first_number
        own = dossier.number - first
        near = (first + own // 2, first + own // 3, max(first, dossier.number - 1))
        stranger = next(iter(self._world.other.groupes[0].dossiers), first)
        return (*near * 6, stranger, first - 5_000)


def company(number: str) -> JSON:
    """A company, drawn from its SIRET."""
    rng = dice("company", number)
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
    rng = dice("firm", number)
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
    rng = dice("association", number)
    founded = french.day(rng, 1980, 2024)
    return {
        "rna": f"W{rng.randint(10**8, 10**9 - 1)}",
        "titre": rng.choice(french.SOCIETES),
        "objet": french.text(rng),
        "dateCreation": founded,
        "dateDeclaration": founded,
        "datePublication": None,
    }
