"""Take away the rule that a case tests, and see the case turn red.

Run as ``python -m tests.mutations.red [--kind N] [--case NAME]``; all takes about ten minutes.

A case that is green says that the marts are right, not why. Here each rule is a small edit of the
compiled SQL of the models (or data tests) that hold it, and names the cases that hang on it: built
with the edit, every one of them must fail. Cases that no rule names are listed.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import duckdb
import pytest

from tests.mutations.compiled import Node, Project, load_project
from tests.mutations.harness import Case
from tests.mutations.mutants import all_cases


@dataclass(frozen=True)
class Edit:
    """What is replaced in the compiled SQL of a model, seed or data test."""

    node: str
    """Name of the model or data test."""
    pattern: str
    """Regular expression, over lines; it must match."""
    instead: str

    def applied(self, node: Node) -> Node:
        """The node with the edit.

        Raises:
            LookupError: nothing matches, so that the rule stands elsewhere by now.
        """
        sql, count = re.subn(self.pattern, self.instead, node.sql, flags=re.DOTALL)
        if not count:
            raise LookupError(f"{self.pattern!r} is not in the SQL of {self.node}")
        return replace(node, sql=sql, later_sql=sql)


@dataclass(frozen=True)
class Rule:
    """A rule, how it is taken away, and the cases that must see it."""

    kind: int
    """As in the issue that asked for the suite: 1 school years, 2 corrections, … 9 alarms."""
    says: str
    edits: tuple[Edit, ...]
    cases: tuple[str, ...]
    """Names of cases, `*` for any characters."""


def _rule(kind: int, says: str, node: str, pattern: str, instead: str, *cases: str) -> Rule:
    return Rule(kind, says, (Edit(node, pattern, instead),), cases)


_NOTHING = "select 1 where false"
_EVERYTHING = "select 1"
_LABELS = "stg_opendata_paris__college_versions"
_CANDIDATES = "int_college__identity_candidates"
_PLACES = "int_college__record_places"

RULES: tuple[Rule, ...] = (
    # 1. A school year is held only when it is whole.
    _rule(
        1,
        "a school year counts from a share of the fullest one before it",
        "int_school_year__colleges",
        r"\(\s+colleges >= 0\.9 .{0,500}? as is_whole",
        "true as is_whole",
        "three_early_records_of_the_next_year_close_nobody",
        "a_partial_year_has_no_count_of_colleges",
        "a_year_of_a_hundred_is_not_whole",
        "the_order_of_loading_does_not_matter",
        "mistyped_2003_2004",
        "mistyped_2022_2023",
        "mistyped_2024_2025",
    ),
    _rule(
        1,
        "nine in ten are enough",
        "int_school_year__colleges",
        r"\bcolleges >= 0\.9",
        "colleges >= 0.99",
        "a_year_of_110_is_whole",
    ),
    _rule(
        1,
        "a list that was longer for a day is not the measure of the year",
        "int_school_year__colleges",
        r"then colleges_now\s+else colleges_at_most",
        "then colleges_at_most else colleges_at_most",
        "sixty_more_for_a_day_change_nothing",
    ),
    _rule(
        1,
        "what was published early counts as soon as the year is whole",
        "int_school_year__colleges",
        r"max\(after_each_run\.colleges\) as(.*?)then colleges_now",
        r"min(after_each_run.colleges) as\1then colleges_at_most",
        "a_partial_year_counts_once_it_is_whole",
    ),
    _rule(
        1,
        "a year beyond the next one is a typing error",
        "int_school_year__bounds",
        r"\+ 1 as last_start",
        "+ 100 as last_start",
        "mistyped_2052_2053",
    ),
    _rule(
        1,
        "one sector is too few for a school year, and one of 2052 cannot be",
        "int_school_year__published",
        r"judged\.is_whole\s+and judged.*? as is_whole",
        "true as is_whole",
        "a_mistyped_sector_makes_no_school_year",
    ),
    _rule(
        1,
        "a label of another shape is not read",
        _LABELS,
        r"\{4\}\$'",
        "{4}'",
        "mistyped_2023_2024__maj_2027_",
    ),
    _rule(
        1,
        "the second year follows the first",
        _LABELS,
        r"(\^\[0-9\]\{4\} \?\[0-9\]\{4\}\$'\), ''\) is not null)\s+and .*?(\n\s+then)",
        r"\1\2",
        "mistyped_2020_2031",
    ),
    _rule(
        1,
        "a lone year is not read",
        _LABELS,
        r"\^RENTREE \(SCOLAIRE \)\?",
        "^(RENTREE )?(SCOLAIRE )?",
        "mistyped_2023",
    ),
    _rule(
        1,
        "a year has four digits where it stands first",
        _LABELS,
        r"\^\[0-9\]\{4\} (\[0-9\]\{2\}\$'\), ''\) is not null)\s+and .*?(\n\s+then)",
        r"^[0-9]{2} \1\2",
        "mistyped_23_24",
    ),
    _rule(
        1,
        "two school years in a row are two",
        _LABELS,
        r"( \[0-9\]\{4\}){3}\$",
        " -",
        "this_and_the_next_year_under_one_label",
    ),
    _rule(
        1,
        "a hyphen and a slash are one",
        _LABELS,
        r"'\^\[0-9\]\{4\} \?\[0-9\]\{4\}\$'",
        "'^[0-9]{8}$'",
        "other_ways_of_writing_a_year_change_nothing",
    ),
    _rule(
        1,
        "a school year that went as a whole is the erased past",
        "int_school_year__colleges",
        r"colleges_now >= [^\n]*? as is_on_portal",
        "true as is_on_portal",
        "an_erased_past_stays_held",
        "sectors_of_years_without_colleges_of_their_own_load",
        "the_newest_state_first",
    ),
    _rule(
        1,
        "while a record is in doubt, none of its collège's is taken for withdrawn",
        "int_college__record_school_years",
        r"and in_doubt\.identity_key is null",
        "",
        "a_year_typed_wrong_the_next_day_closes_nobody",
    ),
    _rule(
        1,
        "an exam session or a rentrée is whole from a floor on",
        "int_school_year__published",
        r"\(\s+members >= 0\.9 .{0,500}?\s+as is_whole",
        "true as is_whole",
        "three_early_results_are_no_session",
        "three_early_positions_are_no_rentree",
        "a_session_mistyped_as_2013_adds_no_school_years",
        "three_early_sectors_are_no_outlines",
    ),
    _rule(
        1,
        "sectors whose label cannot be read are listed",
        "rpt_record_without_college",
        r"then 'unknown_label'",
        "then 'not_found'",
        "sectors_under_a_label_that_cannot_be_read_are_listed",
    ),
    _rule(
        5,
        "a session is there by nine in ten of it, not by one",
        "int_result__exam_sessions",
        r">= 0\.9 \* published\.members",
        "> 0",
        "one_result_left_of_an_erased_session_is_not_the_session",
    ),
    _rule(
        5,
        "so is a rentrée",
        "int_result__social_positions",
        r">= 0\.9 \* published\.members",
        "> 0",
        "one_index_left_of_an_erased_rentree_is_not_the_rentree",
    ),
    _rule(
        7,
        "a range whose key is written otherwise is the same range",
        "fct_sector_change",
        r"where\s+removed\.record_key not in .*?from rewritten\)\s+and .*?from rewritten\)",
        "",
        "street_ranges_with_a_postal_code_more_are_no_sector_change",
    ),
    _rule(
        1,
        "what names no session is not looked for in the facts",
        "public_results_are_placed_or_reported",
        r" and school_year_start is not null",
        "",
        "a_session_mistyped_as_2203_stops_nobody",
    ),
    # 2. A correction is no event.
    _rule(
        2,
        "a record that goes while its school year stays is retracted",
        "int_college__record_school_years",
        r"then 'retracted'",
        "then judged.status",
        "a_test_entry_taken_back_never_was_open",
        "a_record_taken_back_without_another_is_not_open",
        "corrected_to_*",
        "a_typing_error_of_the_new_year_corrected_the_next_day",
        "replaced_a_day_after_it_was_taken_back",
        "a_partial_year_taken_back_is_gone",
        "both_spellings_for_a_day",
        "two_spellings_corrected_at_once",
    ),
    _rule(
        2,
        "one that is on the portal again is not",
        "stg_opendata_paris__colleges",
        r"is_now_withdrawn as is_withdrawn",
        "record_key in (select record_key from versions where is_withdrawn) as is_withdrawn",
        "a_test_entry_put_back_is_there_again",
        "a_record_lost_for_a_day_closes_nobody",
    ),
    _rule(
        2,
        "another name in the place of one taken back is the same collège",
        _CANDIDATES,
        r"one\.school_year_start = two\.school_year_start",
        "false",
        "a_new_college_under_another_name_for_a_day_opened_once",
    ),
    _rule(
        2,
        "where all of it differs from the record taken back, a person is told",
        "rpt_college_identity_conflict",
        r"taken_back\.reason = 'retracted'",
        "false",
        "a_name_and_a_place_corrected_together_are_told",
    ),
    _rule(
        2,
        "so is where a collège closed for it",
        "college_records_not_counted",
        r"or missing\.college_id is not null",
        "",
        "a_name_and_a_place_far_away_in_place_of_a_record_are_told",
        "a_record_taken_back_without_another_is_not_open",
    ),
    _rule(
        2,
        "or opened a year late",
        "college_records_not_counted",
        r"in \('closed', 'opened'\)",
        "= 'closed'",
        "a_record_of_the_first_year_taken_back_is_told_where_it_opens_a_college",
    ),
    _rule(
        2,
        "letters, signs and the word COLLEGE make no other name",
        "int_college__changes",
        r"then 'respelled'",
        "then 'renamed'",
        "names_in_other_letters_rename_nobody",
        "college_before_every_name_renames_nobody",
        "clg_before_every_name_renames_nobody",
        "college_in_brackets_behind_every_name_renames_nobody",
    ),
    Rule(
        2,
        "place, name or UAI: any of the three is enough",
        (
            Edit(_CANDIDATES, r"near\.is_same_address\s+and \(", "false and ("),
            Edit(_CANDIDATES, r"name_similarity >= 0\.8", "name_similarity >= 1.1"),
            Edit(_CANDIDATES, r"one\.uai = two\.uai", "false"),
        ),
        (
            "a_sign_of_html_in_a_name_is_the_same_college",
            "a_spelling_corrected_a_year_late_is_one_college",
            "a_new_college_typed_wrong_for_a_year_opened_once",
            "renamed_and_back_is_one_college",
            "one_closed_one_opened_one_renamed",
            "known_as_g_brassens",
            "known_as_j_b_poquelin",
            "known_as_lucie_aubrac",
            "known_as_p_bert",
            "known_as_curie_marie",
            "known_as_verne_jules",
        ),
    ),
    _rule(
        2,
        "a record is what it said last",
        "stg_opendata_paris__colleges",
        r"run_sequence desc",
        "run_sequence asc",
        "an_address_corrected_within_the_year_is_no_event",
    ),
    _rule(
        2,
        "a sector under another name is the same sector",
        "fct_sector_school_year",
        r"where not is_replaced",
        "",
        "a_sector_given_another_name_is_one_sector",
        "college_before_every_sector_is_no_withdrawal",
    ),
    _rule(
        2,
        "for it names the same collèges; what none succeeds stays",
        "int_sector__school_years",
        r"and \(not present\.is_withdrawn or gone\.withdrawn_at < present\.withdrawn_at\)",
        "",
        "a_sector_lost_for_a_day_is_still_there",
    ),
    # 3. A school is more than its name.
    _rule(
        3,
        "the same address and point in succession are one collège",
        _CANDIDATES,
        r"near\.is_same_address\s+and \(",
        "false and (",
        "known_as_simone_veil",
    ),
    _rule(
        3,
        "ST is SAINT, IV is 4, COLLEGE says nothing",
        "int_college__changes",
        r"' (ST|IV) '|'\^\(COLLEGE[^']*'",
        "' ~ '",
        "known_as_saint_exupery",
        "known_as_henri_4",
        "known_as_college_valmy",
    ),
    _rule(
        3,
        "a similar name close by is one collège",
        _CANDIDATES,
        r"name_similarity >= 0\.8",
        "name_similarity >= 1.1",
        "known_and_moved_as_*",
    ),
    _rule(
        3,
        "one UAI of the directory is one collège",
        _CANDIDATES,
        r"one\.uai = two\.uai",
        "false",
        "renamed_and_moved_under_one_uai",
    ),
    _rule(
        3,
        "where one rule speaks for two, it takes neither",
        "int_college__identity_verdicts",
        r"then 'contested'",
        "then 'joined'",
        "a_split_is_told",
    ),
    _rule(
        3,
        "what the names contradict is told",
        "int_college__name_conflicts",
        r"where conflict_type is not null",
        "where false",
        "swapped_names_are_told",
        "a_merger_under_a_joint_name_is_told",
        "one_name_in_another_arrondissement_is_told",
        "a_neighbour_in_a_closed_schools_building_is_told",
    ),
    _rule(
        3,
        "two names that are not alike are one only at one address",
        _CANDIDATES,
        r"distance_m <= 300\s+and name_similarity >= 0\.8",
        "distance_m <= 400",
        "another_school_far_away_is_another_school",
    ),
    _rule(
        3,
        "a person's decision goes before every rule",
        "int_college__records",
        r"first_versions\.name_key = decided_spellings\.name_key",
        "false",
        "a_person_decides_*",
    ),
    # 4. A number hangs on a school only if its own label agrees.
    _rule(
        4,
        "the name of the record must agree with the collège of its UAI",
        "int_result__college_candidates",
        r"case when labels\.label_key = linked_names\.spelling then 2 else 4 end(.*?)"
        r"where labels\.label_key = '' or ",
        r"2\1where true or ",
        "a_uai_that_moved_to_another_entry_takes_no_result_along",
        "a_result_under_an_unknown_name_hangs_on_nobody_and_warns",
        "the_ips_too_is_checked_against_its_name",
        "a_result_under_the_name_of_another_school_hangs_on_neither",
    ),
    _rule(
        4,
        "an abbreviation or a slip still agrees",
        "int_result__college_candidates",
        r"where labels\.label_key = '' or .*?(\n\),)",
        r"where labels.label_key = linked_names.spelling\1",
        "an_abbreviated_name_still_agrees",
        "a_misspelt_name_still_agrees",
        "records_without_a_name_hang_by_their_uai",
        "two_series_that_spell_a_name_differently_are_one_uai",
    ),
    _rule(
        4,
        "name and arrondissement find a collège whose UAI the directory does not have",
        "int_result__college_candidates",
        r"labels\.label_key = college_names\.spelling",
        "false",
        "a_renumbered_uai_keeps_its_earlier_sessions",
        "a_uai_the_directory_does_not_know_yet_is_found_by_its_name",
    ),
    _rule(
        4,
        "a UAI in small letters is the same",
        "stg_education_nationale__ivac",
        r"upper\((.{0,80}?'\$\.uai'.{0,20}?)\) as uai",
        r"\1 as uai",
        "uai_in_small_letters_are_the_same",
    ),
    _rule(
        4,
        "nor is an entry of the directory under one another",
        "stg_education_nationale__establishments",
        r"upper\((.{0,80}?'\$\.numero_uai'.{0,20}?)\) as uai",
        r"\1 as uai",
        "an_entry_with_its_uai_in_small_letters_is_the_same",
    ),
    _rule(
        4,
        "and it is one establishment",
        "int_establishment__directory",
        r"qualify\s+row_number.*?= 1",
        "",
        "an_entry_with_its_uai_in_small_letters_is_the_same",
    ),
    Rule(
        4,
        "a record that says private is no public collège's",
        (
            Edit("int_result__labels", r"and coalesce\(is_public, true\)", ""),
            Edit(
                "int_result__exam_sessions",
                r"and coalesce\(with_mentions\.is_public, true\)",
                "",
            ),
        ),
        ("a_private_namesake_takes_no_result",),
    ),
    _rule(
        4,
        "and is listed",
        "rpt_record_without_college",
        r"'says_private'",
        "'-'",
        "a_record_that_says_private_under_a_public_uai_is_listed",
    ),
    _rule(
        4,
        "a decision may hold for some school years",
        "int_result__college_candidates",
        r"where coalesce\(decided\.first_start, decided\.last_start\) is not null",
        "where false",
        "a_decision_for_past_school_years_gives_a_second_uai",
    ),
    _rule(
        4,
        "decisions that contradict each other are an error",
        "uai_decisions_conflict",
        r"\A.*\Z",
        _NOTHING,
        "decisions_about_one_school_year_conflict",
    ),
    _rule(
        4,
        "so is one that nothing carries out",
        "uai_decisions_no_longer_apply",
        r"\A.*\Z",
        _NOTHING,
        "a_decision_nothing_carries_out_is_named",
    ),
    _rule(
        4,
        "an entry that the directory no longer has still links",
        "int_establishment__entries",
        r"where\s+is_public",
        "where not is_withdrawn and is_public",
        "a_fifth_of_the_directory_gone_takes_no_link_away",
    ),
    # 5. Withdrawn is weaker than present.
    _rule(
        5,
        "a result that went while its session stayed is retracted",
        "int_result__exam_sessions",
        r"coalesce\(\s+\w+\.is_withdrawn.{0,500}?false\s+\)\s+as is_retracted",
        "false as is_retracted",
        "a_result_taken_back_leaves_the_aggregates",
    ),
    _rule(
        5,
        "one that went with its session is the erased past",
        "int_result__exam_sessions",
        r"coalesce\(\s+\w+\.is_withdrawn.{0,500}?false\s+\)\s+as is_retracted",
        "ivac.is_withdrawn as is_retracted",
        "a_session_that_went_whole_still_counts",
    ),
    _rule(
        5,
        "an index that went while its rentrée stayed is retracted",
        "int_result__social_positions",
        r"coalesce\(\s+\w+\.is_withdrawn.{0,500}?false\s+\)\s+as is_retracted",
        "false as is_retracted",
        "an_index_taken_back_leaves_the_mean",
    ),
    _rule(
        5,
        "a year that was away was withdrawn and restored, and no more",
        "int_portal_edit__versions",
        r"then 'restored'",
        "then null",
        "a_year_that_was_away_for_a_day_changes_nothing",
    ),
    _rule(
        5,
        "what is not pulled is not withdrawn",
        _LABELS,
        r"(record_key,\s+run_sequence,\s+content_hash,\s+)is_withdrawn,",
        r"\1is_withdrawn or run_sequence < (select max(run_sequence) from raw._source_load)"
        " as is_withdrawn,",
        "a_dataset_the_portal_no_longer_has_withdraws_nothing",
    ),
    # 6. Place is checked against place.
    _rule(
        6,
        "two of code, label and point win",
        _PLACES,
        r"when code = label_code or is_point_in_code then code\s+"
        r"when is_point_in_label then label_code",
        "when code is not null then code",
        "a_code_that_label_and_point_contradict",
    ),
    _rule(
        6,
        "a contradiction is told",
        _PLACES,
        r"\(arrondissement_code is not null and code is null\).*?as is_place_conflicting",
        "false as is_place_conflicting",
        "a_label_that_code_and_point_contradict",
        "a_code_of_no_arrondissement",
        "a_postal_code_for_a_code",
    ),
    _rule(
        6,
        "label and point stand for a code that is missing",
        _PLACES,
        r"when is_point_in_label then label_code\s+else coalesce\(code, label_code, point_code, "
        r"fallback_code\)",
        "else code",
        "no_code",
        "neither_code_nor_label",
        "a_code_of_no_arrondissement",
        "postal_codes_for_all_codes",
    ),
    Rule(
        6,
        "without outlines any code counts",
        (
            Edit(_PLACES, r"or not outlined\.has_outlines", ""),
            Edit(_PLACES, r", fallback_code\)", ")"),
        ),
        ("without_outlines_code_and_label_still_say_where",),
    ),
    Rule(
        6,
        "a number is a code, too",
        (
            Edit(_LABELS, r"(json_extract_string\(payload, '\$\.arr_insee'\))", r"\1 || 'x'"),
            Edit(
                _PLACES,
                r"when is_point_in_label then label_code\s+else coalesce\(code, label_code, "
                r"point_code, fallback_code\)",
                "else code",
            ),
        ),
        ("codes_written_as_numbers",),
    ),
    _rule(
        6,
        "the arrondissement of a school year is that of its record",
        "fct_college_school_year",
        r"\n\s+arrondissement_number,",
        "\nmin(arrondissement_number) over (partition by college_id) as arrondissement_number,",
        "the_arrondissement_of_a_year_is_that_years",
    ),
    _rule(
        6,
        "a point that code and label refuse counts for nothing",
        _PLACES,
        r"and not is_point_in_code as is_point_refused",
        "and false as is_point_refused",
        "a_point_a_tenth_of_a_degree_off_is_no_move",
        "longitude_and_latitude_exchanged_are_no_move",
    ),
    _rule(
        6,
        "a move begins at a hundred metres",
        "int_college__moves",
        r"moved_m > 100",
        "moved_m > 1000",
        "a_point_moved_within_the_arrondissement",
        "small_steps_add_up",
    ),
    _rule(
        6,
        "and not before",
        "int_college__moves",
        r"moved_m > 100",
        "moved_m > 10",
        "all_points_fifty_metres_off",
    ),
    _rule(
        6,
        "a point that is missing says nothing",
        "int_college__moves",
        r"moved_m > 100, false",
        "moved_m > 100, true",
        "all_points_missing",
    ),
    _rule(
        6,
        "abbreviations are written out",
        "int_college__moves",
        r", ' BOULEVARD '\)",
        ", ' BD ')",
        "all_streets_abbreviated",
    ),
    _rule(
        6,
        "another street is another address",
        "int_college__moves",
        r"then 'readdressed'",
        "then null",
        "another_street_without_a_move_is_readdressed",
    ),
    _rule(
        6,
        "postal code and town are no part of a street",
        "int_college__moves",
        r" 75\[0-9\]\{3\}",
        " 76000",
        "an_address_written_with_its_town_is_no_change",
    ),
    _rule(
        6,
        "nor is a town without a postal code",
        "int_college__moves",
        r"\[Pp\]",
        "[Zz]",
        "an_address_written_with_its_town_and_no_postal_code_is_no_change",
    ),
    _rule(
        6,
        "nor is the number, wherever it stands",
        "int_college__moves",
        r"\[0-9\]\{1,4\}\||\(\(N\|NO\|NUMERO\) \)\?",
        "",
        "an_address_written_behind_its_street_is_no_change",
        "an_address_written_with_a_sign_before_its_number_is_no_change",
    ),
    _rule(
        6,
        "words for no address are none",
        "int_college__moves",
        r"NON \(RENSEIGNE\|",
        "NON (",
        "an_address_written_as_not_known_is_no_change",
    ),
    _rule(
        6,
        "an entry of the directory keeps its place",
        "stg_education_nationale__establishments",
        r"typed\.run_sequence = last_positions\.run_sequence\s+or ",
        "typed.run_sequence = last_positions.run_sequence and ",
        "positions_missing_in_the_directory_take_no_link_away",
        "positions_exchanged_in_the_directory_take_no_link_away",
    ),
    _rule(
        6,
        "and no place outside France",
        "stg_education_nationale__establishments",
        r"between -6 and 10|between 41 and 52",
        "between -180 and 180",
        "positions_exchanged_in_the_directory_take_no_link_away",
    ),
    _rule(
        6,
        "an entry with results goes before one without",
        "int_college__uai_verdicts",
        r"when labels\.uai is not null then 0",
        "when labels.uai is not null then 1",
        "an_entry_made_twice_in_the_directory_takes_no_link_away",
    ),
    _rule(
        6,
        "nor has an arrondissement one",
        "int_arrondissement__edges",
        r"qualify\s+min\(latitude_a\).*?<= 52",
        "",
        "outlines_exchanged_move_nobody",
    ),
    _rule(
        6,
        "a respelled street is the same street",
        "int_college__moves",
        r"< 0\.8",
        "< 1.0",
        "a_street_respelled_is_no_change",
    ),
    _rule(
        6,
        "a number, or an address, that is missing says nothing",
        "int_college__moves",
        r"when by_address\.is_other_street then 'readdressed'",
        "else 'readdressed'",
        "another_number_lost_or_found_is_no_change",
        "an_address_left_out_is_no_change",
    ),
    # 7. A spelling of the key is no withdrawal.
    _rule(
        7,
        "keys are compared by what they mean",
        "int_portal_edit__versions",
        r"as record_meaning",
        "|| record_key as record_meaning",
        "years_written_with_a_slash_are_no_withdrawal",
        "sessions_written_as_dates_build",
        "another_spelling_and_back_is_nothing",
        "a_value_edited_together_with_the_key_is_seen",
    ),
    _rule(
        7,
        "a record that goes under every spelling is withdrawn",
        "int_portal_edit__versions",
        r"then 'withdrawn'",
        "then null",
        "a_withdrawn_record_is_still_withdrawn",
    ),
    _rule(
        7,
        "two spellings of a session are one result",
        "int_result__exam_sessions",
        r"partition by uai, session\s+order by",
        "partition by record_key order by",
        "one_session_in_two_spellings_is_one_result",
    ),
    # 8. What casting loses is counted.
    _rule(
        8,
        "spaces, signs and footnotes around a number are read",
        "stg_education_nationale__ivac",
        r"translate\(upper\(",
        "concat('#', upper(",
        "a_space_between_thousands",
        "a_no_break_space",
        "a_per_cent_sign",
        "a_footnote",
        "a_typographic_minus",
        "a_mark_out_of_twenty",
    ),
    _rule(
        8,
        "what could not be read is listed",
        "rpt_value_left_out",
        r"\Z",
        "\nlimit 0",
        "a_bound_is_no_number",
        "a_word_is_no_number",
        "half_a_candidate",
        "candidates_below_zero_are_left_out",
        "a_rate_of_860_is_left_out",
        "an_index_above_150_is_counted",
    ),
    _rule(
        8,
        "a word for no value is not",
        "stg_education_nationale__ivac",
        r"'NS', ",
        "",
        "a_word_for_no_value",
    ),
    _rule(
        8,
        "the same of the index",
        "stg_education_nationale__ips_ap2023",
        r"\[ %\*\]\+\$",
        "[ ]+$",
        "an_index_with_a_footnote",
    ),
    _rule(
        8,
        "a side of the street is read in words too",
        "stg_education_nationale__street_ranges",
        r"when '(IM)?PAIR' then '\w+'",
        "",
        "a_side_of_the_street_in_words_is_read",
    ),
    _rule(
        8,
        "a side that cannot be read is told",
        "stg_education_nationale__street_ranges",
        r"then 'parite: '",
        "then null || 'parite: '",
        "a_side_of_the_street_that_cannot_be_read_is_counted",
    ),
    _rule(
        8,
        "a figure unlike the one before is told",
        "results_unlike_the_session_before",
        r"\A.*\Z",
        _NOTHING,
        "a_rate_whose_point_slipped_is_told",
        "a_mark_whose_point_slipped_is_told",
        "ten_times_the_candidates_are_told",
    ),
    _rule(
        8,
        "a session without a value is not the one before",
        "results_unlike_the_session_before",
        r"where published_value is not null",
        "",
        "a_point_that_slipped_after_a_session_without_a_rate_is_told",
    ),
    _rule(
        8,
        "an index unlike the one before is told",
        "results_unlike_the_session_before",
        r"abs\(published_value - value_before\) > 25\b",
        "false",
        "an_index_unlike_the_one_before_is_told",
    ),
    # 9. An alarm fires before the marts change, and does not stop the innocent.
    _rule(
        9,
        "another unit stops the build",
        "results_are_on_their_scale",
        r"\A.*\Z",
        _NOTHING,
        "rates_as_fractions_do_not_reach_the_marts",
    ),
    _rule(
        9,
        "a sector whose flag contradicts its names is told",
        "fct_sector_school_year_shared_sectors_name_several",
        r"\A.*\Z",
        _NOTHING,
        "one_wrong_flag_of_a_sector_warns",
    ),
    _rule(
        9,
        "more mentions than passes are told",
        "int_result__exam_sessions_mentions_among_passes",
        r"\A.*\Z",
        _NOTHING,
        "one_contradicting_count_warns_and_stops_nobody",
    ),
    _rule(
        9,
        "a portal below its floor is told",
        "volume_below_floor",
        r"\A.*\Z",
        _NOTHING,
        "a_half_empty_portal_withdraws_nothing_and_says_so",
    ),
    _rule(
        9,
        "a portal above its floor is not",
        "volume_below_floor",
        r"\A.*\Z",
        _EVERYTHING,
        "recorded_states_raise_no_alarm",
    ),
    _rule(
        9,
        "no city opens dozens of collèges in a year",
        "opened_and_closed_are_few",
        r"\A.*\Z",
        _NOTHING,
        "sixty_private_schools_do_not_open_in_a_day",
    ),
    _rule(
        9,
        "nor renames or moves dozens",
        "int_college__changes",
        r"counted\.changes_at_once > greatest",
        "counted.changes_at_once > 1000 * greatest",
        "all_points_150_metres_off",
        "all_at_the_town_hall",
        "the_words_turned_round_in_every_name_renames_nobody",
    ),
    _rule(
        9,
        "but for who moved far further than the others did",
        "int_college__changes",
        r"and coalesce\(changes\.moved_m <= 3 \* counted\.median_moved_m, true\)",
        "",
        "who_moved_while_all_points_were_off_did_move",
    ),
    _rule(
        9,
        "and a person is told of it",
        "changes_of_many_at_once",
        r"\A.*\Z",
        _NOTHING,
        "all_points_150_metres_off",
    ),
    _rule(
        9,
        "a collège closed by a list of nine tenths is told where the directory has it open",
        "closed_but_open_in_the_directory",
        r"\A.*\Z",
        _NOTHING,
        "ten_records_missing_in_the_new_year_are_told",
    ),
    _rule(
        9,
        "one closed in the directory too is not",
        "closed_but_open_in_the_directory",
        r"where is_listed",
        "",
        "ten_colleges_that_the_directory_closed_are_closed",
    ),
)


def without(project: Project, rule: Rule) -> Project:
    """The project with a rule taken away.

    Raises:
        LookupError: an edit names a node that is not there, or matches nothing.
    """
    nodes, tests = dict(project.nodes), dict(project.tests)
    for edit in rule.edits:
        held = [(group, key) for group in (nodes, tests) for key in group]
        found = [(group, key) for group, key in held if group[key].name == edit.node]
        if len(found) != 1:
            raise LookupError(f"{len(found)} nodes are called {edit.node}")
        ((group, key),) = found
        group[key] = edit.applied(group[key])
    return replace(project, nodes=nodes, tests=tests)


def named(rule: Rule, cases: Sequence[Case]) -> Iterator[Case]:
    """The cases of a rule.

    Raises:
        LookupError: a name that no case has.
    """
    for pattern in rule.cases:
        found = [case for case in cases if fnmatchcase(case.name, pattern)]
        if not found:
            raise LookupError(f"no case is called {pattern}")
        yield from found


def is_red(case: Case, project: Project, edited: Project) -> bool:
    """Whether the case fails, by an assertion or because the build stops.

    The rule is missing in the last build alone or, where that shows nothing, in all.
    """
    for before in (project, edited):
        try:
            case.check(edited, before=before)
        except duckdb.ProgrammingError as error:
            raise LookupError(f"the edit gives no SQL that runs: {error}") from error
        except (AssertionError, duckdb.Error):
            return True
    return False


def main() -> None:
    """Try every rule, and say which cases are proved; exit 1 where a case stays green."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", type=int, help="rules of this kind alone")
    parser.add_argument("--case", help="this case alone")
    options = parser.parse_args()
    project = load_project()
    cases = list(all_cases())
    proved: set[str] = set()
    green: list[str] = []
    for rule in RULES:
        if options.kind not in (None, rule.kind):
            continue
        edited = without(project, rule)
        for case in named(rule, cases):
            if options.case not in (None, case.name):
                continue
            try:
                said = "red" if is_red(case, project, edited) else "GREEN"
            except pytest.skip.Exception as reason:
                said = str(reason)
            print(f"{said}: {case.name}, without: {rule.says}", file=sys.stderr, flush=True)  # noqa: T201
            if said == "red":
                proved.add(case.name)
            elif said == "GREEN":
                green.append(f"{case.name}, without: {rule.says}")
    print(report(cases, proved, green))  # noqa: T201
    sys.exit(1 if green else 0)


def report(cases: Sequence[Case], proved: Collection[str], green: Sequence[str]) -> str:
    """How many cases are proved, which stayed green, and which no rule names."""
    open_cases = [case for case in cases if not any(case in named(rule, cases) for rule in RULES)]
    lines = [f"{len(proved)} of {len(cases)} cases turn red without the rule they test."]
    for title, names in (("Green all the same", green), ("Named by no rule", open_cases)):
        if names:
            lines += ["", f"{title}:"]
            lines += [f"- {name if isinstance(name, str) else name.name}" for name in names]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
