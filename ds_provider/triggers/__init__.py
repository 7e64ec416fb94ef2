"""Triggers that wait without a worker, or start a DAG when something happens in a group."""
