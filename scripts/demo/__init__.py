"""Days of a démarche in a warehouse: a sandbox stands in for the service, and a real Airflow runs night after night.

The first night loads everything, each later one what changed. The sandbox's clock moves from midnight to midnight, so
each day is read as it was at its end. After each run the tables are compared with the sandbox's own lists.
"""
