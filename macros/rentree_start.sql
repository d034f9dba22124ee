{#
    Calendar year in which the school year of an IPS starts (rentrée), written as a school year, as
    that year alone or as a date. Null where the text holds no year, and where the school year would
    start after the year in which the portal said so.
#}
{% macro rentree_start(label, extracted_at) -%}
    {%- set year -%}
        try_cast({{ first_match(label, '(19|20)[0-9]{2}') }} as integer)
    {%- endset -%}
    case when {{ year }} <= extract(year from {{ extracted_at }}) then {{ year }} end
{%- endmacro %}
