{# Columns of raw._source_load (docs/architecture.md, hop 2). #}
{% macro source_load_columns() -%}

    {{ return([
        {'name': 'run_sequence', 'data_type': 'bigint'},
        {'name': 'run_id', 'data_type': 'varchar'},
        {'name': 'portal', 'data_type': 'varchar'},
        {'name': 'dataset', 'data_type': 'varchar'},
        {'name': 'table_name', 'data_type': 'varchar'},
        {'name': 'status', 'data_type': 'varchar'},
        {'name': 'started_at', 'data_type': 'timestamp'},
        {'name': 'finished_at', 'data_type': 'timestamp'},
        {'name': 'extracted_at', 'data_type': 'timestamp'},
        {'name': 'duration_s', 'data_type': 'double'},
        {'name': 'rows_expected', 'data_type': 'bigint'},
        {'name': 'rows_received', 'data_type': 'bigint'},
        {'name': 'rows_new', 'data_type': 'bigint'},
        {'name': 'rows_changed', 'data_type': 'bigint'},
        {'name': 'rows_unchanged', 'data_type': 'bigint'},
        {'name': 'rows_restored', 'data_type': 'bigint'},
        {'name': 'rows_withdrawn', 'data_type': 'bigint'},
        {'name': 'rows_quarantined', 'data_type': 'bigint'},
        {'name': 'rows_present', 'data_type': 'bigint'},
        {'name': 'is_withdrawal_refused', 'data_type': 'boolean'},
        {'name': 'drift', 'data_type': 'varchar'},
        {'name': 'portal_data_processed_at', 'data_type': 'timestamp'},
        {'name': 'portal_modified_at', 'data_type': 'timestamp'},
        {'name': 'portal_records_count', 'data_type': 'bigint'},
        {'name': 'is_synthetic', 'data_type': 'boolean'},
        {'name': 'error', 'data_type': 'varchar'},
    ]) }}

{%- endmacro %}
