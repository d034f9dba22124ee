// The measures a map or a chart can show: where they stand in a row and why one may be missing.

export const MEASURES = [
  {
    id: "success",
    definition: "fct_college_result.success_rate_pct",
    tables: ["results"],
    value: (row) => row.result?.success_rate_pct ?? null,
    paris: "success_rate_pct",
    format: (context, value) => context.percent(value, Number.isInteger(value) ? 0 : 1),
    isAvailable: (year) => year.hasResults,
    whyMissing: whyNoResult,
  },
  {
    id: "value_added",
    definition: "fct_college_result.success_rate_value_added_points",
    tables: ["results"],
    value: (row) => row.result?.success_rate_value_added_points ?? null,
    paris: "success_rate_value_added_points",
    format: (context, value) => context.points(value),
    pivot: 0,
    isAvailable: (year) => year.hasResults,
    whyMissing: (row, year, store) => (row.result ? "why.no_value_added" : whyNoResult(row, year, store)),
  },
  {
    id: "mentions",
    definition: "fct_college_result.mention_rate_pct",
    tables: ["results"],
    value: (row) => row.result?.mention_rate_pct ?? null,
    paris: "mention_rate_pct",
    format: (context, value) => context.percent(value, 1),
    isAvailable: (year) => year.hasResults,
    whyMissing: (row, year, store) => (row.result ? "why.no_mentions" : whyNoResult(row, year, store)),
  },
  {
    id: "ips",
    definition: "fct_college_social_position.ips",
    tables: ["social_positions"],
    value: (row) => row.social?.ips ?? null,
    paris: "ips_mean",
    format: (context, value) => context.number(value, 1),
    isAvailable: (year) => year.hasIps,
    whyMissing(row, year, store) {
      if (!year?.hasIps) return "why.no_ips_year";
      if (!row.uai) return whyNoUai(row, store);
      return row.social ? "why.ips_withheld" : "why.no_ips";
    },
  },
  {
    id: "nearest",
    definition: "fct_college_neighbourhood.nearest_km",
    tables: ["neighbourhoods"],
    value: (row) => row.nearest_km,
    paris: "mean_nearest_km",
    format: (context, value) => context.kilometres(value),
    isAvailable: (year) => year.isHeld,
    whyMissing: (row) => (row.is_place_borrowed ? "why.no_list" : "why.no_neighbour"),
  },
];

export const measure = (id) => MEASURES.find((candidate) => candidate.id === id) ?? MEASURES[0];

function whyNoResult(row, year, store) {
  if (!year?.hasResults) return "why.no_session";
  return row.uai ? "why.no_result" : whyNoUai(row, store);
}

// A collège that had closed before the first results needs no identifier of the ministry.
export function whyNoUai(row, store) {
  const first = store.firstResult?.school_year;
  return !row.is_open && first && row.last_school_year < first ? "why.closed_before" : "why.no_uai";
}

// Few candidates move a rate a lot; only the exam's measures rest on candidates.
export const isSmallSample = (measure, row) =>
  measure.tables.includes("results") && row.result?.is_small_sample === true;

// The same colours stand for the same values in every school year.
export function extent(store, measure) {
  const values = store.years
    .flatMap((year) => store.rows(year.school_year))
    .map(measure.value)
    .filter((value) => value !== null);
  return values.length ? [Math.min(...values), Math.max(...values)] : [0, 1];
}
