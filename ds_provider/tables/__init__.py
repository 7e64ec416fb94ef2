"""A dossier's JSON, as typed rows."""
