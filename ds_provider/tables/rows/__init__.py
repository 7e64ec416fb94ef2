"""A dossier as typed rows, a table for each kind."""
