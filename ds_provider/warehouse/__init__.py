"""Typed rows, into the tables of a warehouse, and what these hold."""
