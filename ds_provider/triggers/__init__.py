"""The same waits without a worker, and what starts a DAG when something happens in a group."""
