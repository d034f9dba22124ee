"""The documentation site: ``python -m docs_site --out site`` after ``dbt build``.

Static pages, each of them open to relative links alone: they work from ``file://`` and under any
path of a web server, and ask nothing of another host.
"""
