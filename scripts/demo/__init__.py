"""Thirty days of a démarche, into a warehouse, in a real Airflow of its own below ``.airflow/demo``.

The sandbox stands in for the service. Airflow loads the past by date of deposit, then makes up for the days one by one,
and the sandbox's clock moves along: each day is read as it was at its end. At last the tables are held against the
sandbox's own truth.
"""
