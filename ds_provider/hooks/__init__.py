"""Hooks: from Airflow connections to clients of the API and of the warehouse."""
