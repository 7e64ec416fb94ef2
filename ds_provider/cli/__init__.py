"""Commands of ``airflow ds``, a module for each."""
