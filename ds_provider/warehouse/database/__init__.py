"""Access to one dataset of one database, by an isolated dlt."""
