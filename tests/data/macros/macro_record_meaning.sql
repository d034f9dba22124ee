-- record_meaning: rows are the pairs of keys that are wrongly told apart, or wrongly taken for one
with

examples as (

    select examples.*
    from (
        values
        ('["VALMY","2020-2021"]', '["VALMY","2020/2021"]', true),
        ('["VALMY","2020-2021"]', '["Valmy","2020"]', true),
        ('["D'' IVRY, A","2020-2021"]', '["D''IVRY A","2020 - 2021"]', true),
        ('["VALMY","2017/2018 - 2018/2019"]', '["VALMY","2017-2018 / 2018-2019"]', true),
        ('["COLLEGE VALMY","2020-2021"]', '["VALMY","2020-2021"]', true),
        ('["0750465U","2023"]', '["0750465U","2023-07-01"]', true),
        ('["0750465U","2023"]', '["0750465U",2023]', true),
        ('["0750465U","2023"]', '["0750465U","2023-07-01T00:00:00+00:00"]', true),
        ('[1]', '["1"]', true),
        ('["VALMY","2017/2018 - 2018/2019"]', '["VALMY","2017/2018"]', false),
        ('["VALMY","2020-2021"]', '["VALMY","2021-2022"]', false),
        ('["VALMY","2020-2021"]', '["VALMI","2020-2021"]', false),
        ('["0750465U","2023"]', '["0750465U","2022"]', false),
        ('["0750465U"]', '["0750465V"]', false),
        ('["ECOLE 2020","x"]', '["ECOLE 2021","x"]', false)
    ) as examples (key_a, key_b, is_one)

)

select
    key_a,
    key_b,
    {{ record_meaning('key_a') }} as meaning_a,
    {{ record_meaning('key_b') }} as meaning_b
from examples
where ({{ record_meaning('key_a') }} = {{ record_meaning('key_b') }}) <> is_one
