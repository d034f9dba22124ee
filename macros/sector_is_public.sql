{#
    Whether the ministry's word for a sector is public (`Public`, `public`, `PU`) or private
    (`Privé`, `privé sous contrat`, `PR`); null for any other.
#}
{% macro sector_is_public(word) -%}
    case
        when lower({{ word }}) in ('public', 'pu') then true
        when lower({{ word }}) like 'priv%' or lower({{ word }}) = 'pr' then false
    end
{%- endmacro %}
