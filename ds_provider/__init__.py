"""Apache Airflow provider for the GraphQL API of Démarches simplifiées."""

# imports nothing: Airflow loads it in each process, while its own configuration is still being imported
__version__ = "0.1.0"
