{% snapshot college_ids_published %}

select
    *,
    -- The register only grows: this tells the older id from the younger, whatever the clock said.
    -- Typed, since Snowflake would make a column for one digit of a bare 0.
    cast(
        {% if load_relation(this) -%}
            (select count(*) from {{ this }})
        {%- else -%}
            0
        {%- endif %} as bigint
    ) as ids_published_before
from {{ ref('dim_college') }}

{% endsnapshot %}
