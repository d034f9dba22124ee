{# Columns of every raw table of record versions (docs/architecture.md, hop 2). #}
{% macro version_columns() -%}

    {{ return([
        {'name': 'record_key', 'data_type': 'varchar'},
        {'name': 'run_sequence', 'data_type': 'bigint'},
        {'name': 'run_id', 'data_type': 'varchar'},
        {'name': 'content_hash', 'data_type': 'varchar'},
        {'name': 'payload', 'data_type': 'varchar'},
        {'name': 'is_withdrawn', 'data_type': 'boolean'},
        {'name': 'extracted_at', 'data_type': 'timestamp'},
    ]) }}

{%- endmacro %}
