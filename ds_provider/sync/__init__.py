"""The jobs that operators run, without any of Airflow's classes."""
