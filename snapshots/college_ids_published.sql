{% snapshot college_ids_published %}

select
    *,
    -- The register only grows, so this tells the older id from the younger, whatever the clock said.
    {% if load_relation(this) -%}
        (select count(*) from {{ this }})
    {%- else -%}
        0
    {%- endif %} as ids_published_before
from {{ ref('dim_college') }}

{% endsnapshot %}
