"""A document that selects all fields of a dossier."""

from __future__ import annotations

FILE = "{ url filename contentType checksum byteSizeBigInt createdAt virusScanResult }"
ADDRESS = """{
  label type streetAddress streetNumber streetName postalCode cityName cityCode departmentName departmentCode
  regionName regionCode countryName countryCode geometry { type coordinates }
}"""
COMPANY = """
siret siegeSocial naf libelleNaf address %(address)s
entreprise {
  siren capitalSocial numeroTvaIntracommunautaire formeJuridique formeJuridiqueCode nomCommercial raisonSociale
  siretSiegeSocial codeEffectifEntreprise dateCreation nom prenom inlineAdresse enseigne etatAdministratif
  effectifMensuel { periode nb } effectifAnnuel { periode nb }
  attestationFiscaleAttachment { url filename } attestationSocialeAttachment { url filename }
}
association { rna titre objet dateCreation dateDeclaration datePublication }
""" % {"address": ADDRESS}  # noqa: UP031

CHAMP = """
fragment ChampFields on Champ {
  __typename id champDescriptorId label stringValue updatedAt prefilled
  ... on AddressChamp { address %(address)s commune { name code } departement { name code } }
  ... on CarteChamp { geoAreas {
    __typename id source description geometry { type coordinates }
    ... on ParcelleCadastrale { commune prefixe section numero surface }
  } }
  ... on CheckboxChamp { checkbox: value }
  ... on CiviliteChamp { civilite: value }
  ... on CommuneChamp { commune { name code postalCode } departement { name code } }
  ... on DateChamp { date }
  ... on DatetimeChamp { datetime }
  ... on DecimalNumberChamp { decimal: value }
  ... on DepartementChamp { departement { name code } }
  ... on DropDownListChamp { value }
  ... on EngagementJuridiqueChamp { engagementJuridique { montantEngage montantPaye } }
  ... on EpciChamp { epci { name code } departement { name code } }
  ... on ExplicationChamp { id }
  ... on HeaderSectionChamp { level }
  ... on IntegerNumberChamp { integer: value }
  ... on LinkedDropDownListChamp { primaryValue secondaryValue }
  ... on MultipleDropDownListChamp { values }
  ... on PaysChamp { pays { name code } }
  ... on PieceJustificativeChamp { files %(file)s }
  ... on RNAChamp { rna { id title address %(address)s } commune { name } }
  ... on RNFChamp { rnf { id title address %(address)s } commune { name } }
  ... on RegionChamp { region { name code } }
  ... on SiretChamp { etablissement { %(company)s } }
  ... on TextChamp { value }
  ... on TitreIdentiteChamp { grantType filled }
  ... on YesNoChamp { yesNo: value }
}
fragment RootChampFields on Champ {
  ...ChampFields
  ... on RepetitionChamp { rows { id champs { ...ChampFields } } }
}
""" % {"address": ADDRESS, "file": FILE, "company": COMPANY}  # noqa: UP031

DOSSIER = """
fragment DossierFields on Dossier {
  __typename id number state archived prefilled connectionUsager motivation
  deposeParUnTiers nomMandataire prenomMandataire
  dateDepot datePassageEnConstruction datePassageEnInstruction dateTraitement dateExpiration
  dateDerniereModification dateDerniereModificationChamps dateDerniereModificationAnnotations
  dateSuppressionParUsager dateSuppressionParAdministration dateDerniereCorrectionEnAttente
  datePrevisionnelleDecisionSVASVR dateTraitementSVASVR
  demarche { id number title revision { id } }
  groupeInstructeur { id number label closed instructeurs { email } }
  usager { id email }
  demandeur {
    __typename id
    ... on PersonnePhysique { nom prenom civilite dateDeNaissance email }
    ... on PersonneMorale { %(company)s }
    ... on PersonneMoraleIncomplete { siret }
  }
  attestation %(file)s motivationAttachment %(file)s pdf %(file)s geojson %(file)s
  instructeurs { id email }
  labels { id name color }
  traitements { id event dateTraitement emailAgentTraitant motivation revision { id } }
  avis { id question questionLabel questionAnswer reponse dateQuestion dateReponse
         claimant { email } expert { email } attachments %(file)s }
  messages { id email body createdAt discardedAt correction { reason dateResolution } attachments %(file)s }
  champs { ...RootChampFields }
  annotations { ...RootChampFields }
}
""" % {"file": FILE, "company": COMPANY}  # noqa: UP031

FULL_PAGE = (
    """
query full($number: Int!, $first: Int, $after: String) {
  groupeInstructeur(number: $number) {
    dossiers(first: $first, after: $after) {
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      nodes { ...DossierFields }
    }
  }
}
"""
    + DOSSIER
    + CHAMP
)
