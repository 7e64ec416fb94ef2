"""Runs the provider's pipeline in a real Airflow, on a sandbox, and takes the pictures that the documentation shows."""
