"""Warehouse: loads of typed rows into its tables, and reports on their contents."""
