"""A dossier's JSON, decoded leniently."""
