{%- set integers = {
    'candidates_general': 'nb_candidats_g',
    'candidates_professional': 'nb_candidats_p',
    'mentions_fairly_good_general': 'nb_mentions_ab_g',
    'mentions_good_general': 'nb_mentions_b_g',
    'mentions_very_good_general': 'nb_mentions_tb_g',
    'mentions_general': 'nb_mentions_global_g',
} -%}
{%- set numbers = {
    'success_rate_general_pct': 'taux_de_reussite_g',
    'success_rate_value_added_general_points': 'va_du_taux_de_reussite_g',
    'success_rate_professional_pct': 'taux_de_reussite_p',
    'written_mark_value_added_general': 'va_de_la_note_g',
    'access_rate_6e_to_3e_pct': 'taux_d_acces_6eme_3eme',
    'present_share_total_pct': 'part_presents_3eme_ordinaire_total',
    'present_share_general_pct': 'part_presents_3eme_ordinaire_g',
    'present_share_professional_pct': 'part_presents_3eme_ordinaire_p',
    'present_share_segpa_pct': 'part_presents_3eme_segpa_total',
} -%}
{%- set marks = {
    'written_mark_general': 'note_a_l_ecrit_g',
    'written_mark_professional': 'note_a_l_ecrit_p',
} -%}
{%- set read = dict(
    dict(dict(integers, **numbers), **marks), session='session', is_public='secteur'
) -%}

with

source as (

    select *
    from {{ source_or_empty(
        'education_nationale', 'fr_en_indicateurs_valeur_ajoutee_colleges'
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
        upper({{ json_text('payload', 'uai') }}) as uai,
        {{ exam_session(json_text('payload', 'session'), 'extracted_at') }} as session,
        {{ json_text('payload', 'nom_de_l_etablissement') }} as establishment_name,
        {{ json_text('payload', 'commune') }} as commune_name,
        {{ json_text('payload', 'secteur') }} as sector_code,
        {{ sector_is_public(json_text('payload', 'secteur')) }} as is_public,
        {% for column, field in integers.items() -%}
        {{ json_integer('payload', field) }} as {{ column }},
        {% endfor -%}
        {% for column, field in numbers.items() -%}
        {{ json_number('payload', field) }} as {{ column }},
        {% endfor -%}
        {% for column, field in marks.items() -%}
        {{ json_number('payload', field, out_of=20) }} as {{ column }},
        {% endfor -%}
        is_now_withdrawn as is_withdrawn,
        extracted_at,
        withdrawn_at
    from latest

),

final as (

    select
        record_key,
        run_sequence,
        uai,
        session,
        establishment_name,
        commune_name,
        -- `PARIS 03` is the third arrondissement, 75103
        case
            when upper(commune_name) like 'PARIS %'
                then '751' || lpad({{ first_match('commune_name', '[0-9]+') }}, 2, '0')
        end as insee_code,
        sector_code,
        is_public,
        candidates_general,
        success_rate_general_pct,
        success_rate_value_added_general_points,
        candidates_professional,
        success_rate_professional_pct,
        written_mark_general,
        written_mark_value_added_general,
        written_mark_professional,
        access_rate_6e_to_3e_pct,
        present_share_total_pct,
        present_share_general_pct,
        present_share_professional_pct,
        present_share_segpa_pct,
        mentions_fairly_good_general,
        mentions_good_general,
        mentions_very_good_general,
        mentions_general,
        {{ unread_values('payload', read) | indent(8) }} as unread_values,
        is_withdrawn,
        extracted_at,
        withdrawn_at
    from typed

)

select * from final
