with

source as (

    select * from {{ source_or_empty(
        'education_nationale', 'fr_en_carte_scolaire_colleges_publics'
    ) }}

),

latest as (

    select * from {{ latest_records('source') }}

),

typed as (

    select
        payload,
        record_key,
        run_sequence,
        {{ json_code('payload', 'code_departement') }} as department_code,
        {{ json_code('payload', 'code_insee') }} as insee_code,
        {{ json_text('payload', 'libelle_commune') }} as commune_name,
        {{ json_code('payload', 'code_postal') }} as postcode,
        {{ json_text('payload', 'lieu_dit') }} as locality_name,
        {{ json_text('payload', 'type_et_libelle') }} as street_name,
        {{ json_integer('payload', 'n_de_voie_debut') }} as number_from,
        {{ json_text('payload', 'indice_de_repetition_debut') }} as repetition_from,
        {{ json_integer('payload', 'n_de_voie_fin') }} as number_to,
        {{ json_text('payload', 'indice_de_repetition_fin') }} as repetition_to,
        case upper({{ json_text('payload', 'parite') }})
            when 'P' then 'even'
            when 'PAIR' then 'even'
            when 'I' then 'odd'
            when 'IMPAIR' then 'odd'
            when 'PI' then 'both'
        end as parity,
        upper({{ json_text('payload', 'code_rne') }}) as uai,
        case upper({{ json_text('payload', 'secteur_unique') }})
            when 'O' then true
            when 'N' then false
        end as is_single_college_commune,
        is_now_withdrawn as is_withdrawn,
        extracted_at,
        withdrawn_at
    from latest

),

final as (

    select
        record_key,
        run_sequence,
        department_code,
        insee_code,
        commune_name,
        postcode,
        locality_name,
        street_name,
        number_from,
        repetition_from,
        number_to,
        repetition_to,
        parity,
        uai,
        is_single_college_commune,
        {{ unread_values('payload', {
            'number_from': 'n_de_voie_debut',
            'number_to': 'n_de_voie_fin',
            'parity': 'parite',
            'is_single_college_commune': 'secteur_unique',
        }) | indent(8) }} as unread_values,
        is_withdrawn,
        extracted_at,
        withdrawn_at
    from typed

)

select * from final
