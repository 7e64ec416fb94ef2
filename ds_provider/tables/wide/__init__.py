"""The wide tables: a column for each champ, whose name stays."""
