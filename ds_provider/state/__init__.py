"""Airflow's stores: watermarks, checkpoints, and the rows that sensors have seen."""
