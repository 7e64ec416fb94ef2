"""Operators: they translate what a DAG says to the engine and the landing zone, and no more."""
