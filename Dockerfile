# One image for every Airflow service: each of them loads the provider.
ARG AIRFLOW_VERSION=3.3.2
FROM apache/airflow:${AIRFLOW_VERSION}
ARG AIRFLOW_VERSION

# the group is root's, as for all that Airflow's image writes to
RUN install --directory --mode=2775 /opt/airflow/landing

COPY --chown=airflow:0 pyproject.toml README.md LICENSE /opt/airflow/provider/
COPY --chown=airflow:0 ds_provider /opt/airflow/provider/ds_provider

# naming Airflow's version keeps pip from changing it
RUN pip install --no-cache-dir "apache-airflow==${AIRFLOW_VERSION}" "/opt/airflow/provider[redis,sandbox,warehouse-postgres]"
