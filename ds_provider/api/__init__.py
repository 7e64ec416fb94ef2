"""HTTP and GraphQL: requests to the API, and the reading of its pages. Nothing here imports Airflow."""
