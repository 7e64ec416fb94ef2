"""One dataset of one database, and dlt kept to itself."""
