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

final as (

    select
        record_key,
        run_sequence,
        {{ json_text('payload', 'uai') }} as uai,
        -- written `2023`, or as a date in other years
        try_cast(
            {{ first_match(json_text('payload', 'session'), '^[0-9]{4}') }} as integer
        ) as session,
        {{ json_text('payload', 'nom_de_l_etablissement') }} as establishment_name,
        {{ json_text('payload', 'commune') }} as commune_name,
        {{ json_text('payload', 'secteur') }} as sector_code,
        {{ sector_is_public(json_text('payload', 'secteur')) }} as is_public,
        {{ json_integer('payload', 'nb_candidats_g') }} as candidates_general,
        {{ json_number('payload', 'taux_de_reussite_g') }} as success_rate_general_pct,
        {{ json_number('payload', 'va_du_taux_de_reussite_g') }}
            as success_rate_value_added_general_points,
        {{ json_integer('payload', 'nb_candidats_p') }} as candidates_professional,
        {{ json_number('payload', 'taux_de_reussite_p') }} as success_rate_professional_pct,
        {{ json_number('payload', 'note_a_l_ecrit_g') }} as written_mark_general,
        {{ json_number('payload', 'va_de_la_note_g') }} as written_mark_value_added_general,
        {{ json_number('payload', 'note_a_l_ecrit_p') }} as written_mark_professional,
        {{ json_number('payload', 'taux_d_acces_6eme_3eme') }} as access_rate_6e_to_3e_pct,
        {{ json_number('payload', 'part_presents_3eme_ordinaire_total') }}
            as present_share_total_pct,
        {{ json_number('payload', 'part_presents_3eme_ordinaire_g') }}
            as present_share_general_pct,
        {{ json_number('payload', 'part_presents_3eme_ordinaire_p') }}
            as present_share_professional_pct,
        {{ json_number('payload', 'part_presents_3eme_segpa_total') }} as present_share_segpa_pct,
        {{ json_integer('payload', 'nb_mentions_ab_g') }} as mentions_fairly_good_general,
        {{ json_integer('payload', 'nb_mentions_b_g') }} as mentions_good_general,
        {{ json_integer('payload', 'nb_mentions_tb_g') }} as mentions_very_good_general,
        {{ json_integer('payload', 'nb_mentions_global_g') }} as mentions_general,
        is_now_withdrawn as is_withdrawn,
        extracted_at,
        withdrawn_at
    from latest

)

select * from final
