"""Load thirty days of a démarche into a warehouse, by a real Airflow with its home in ``.airflow/demo``.

The sandbox stands in for the service. Airflow runs one night after another: the first loads everything, the others what
changed. The sandbox's clock moves along, so that each day is extracted as it was at its end. Finally the tables are
compared with the sandbox's own lists.
"""
