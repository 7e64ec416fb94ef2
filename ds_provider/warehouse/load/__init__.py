"""One load: the latest version of each dossier, in writes that can be killed anywhere."""
