"""Load of extracts into the tables, in writes that can be killed anywhere."""
