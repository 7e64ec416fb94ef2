"""HTTP and GraphQL: how the API is read. Nothing in here knows Airflow."""
