"""A selection's rows, page by page."""
