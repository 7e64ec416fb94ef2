"""Connections of Airflow become clients of the API."""
