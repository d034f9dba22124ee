// The figures at the top: of Paris as a whole, or of the chosen arrondissement. Each says of which year.
import { isGiven } from "../data.js";
import { h } from "../dom.js";
import { definitionButton } from "./definition.js";
import { missing } from "./figures.js";

const RESULTS = [
  ["tile.success", "success_rate_pct", (context, value) => context.percent(value, 1), "why.no_session"],
  ["tile.ips", "ips_mean", (context, value) => context.number(value, 1), "why.no_ips_year"],
];
const kilometres = (context, value) => context.kilometres(value);
const PARIS = [
  ["tile.longest_pair", "longest_pair_km", kilometres, "why.no_list"],
  ["tile.mean_pair", "mean_pair_km", kilometres, "why.no_list"],
  ["tile.shortest_pair", "shortest_pair_km", kilometres, "why.no_list"],
];
const ARRONDISSEMENT = [
  ["tile.max_nearest", "max_nearest_km", kilometres, "why.no_list"],
  ["tile.mean_nearest", "mean_nearest_km", kilometres, "why.no_list"],
  ["tile.median_nearest", "median_nearest_km", kilometres, "why.no_list"],
];
const COUNT = ["tile.colleges", "college_count", (context, value) => context.number(value), "why.no_list"];

// Without a school year each figure is the latest that is published.
export function tiles(context, schoolYear, arrondissement) {
  const { t, store } = context;
  const model = arrondissement ? "agg_arrondissement_school_year" : "agg_school_year";
  const rowOf = (year) =>
    arrondissement ? store.arrondissementYear.get(`${arrondissement}|${year}`) : store.parisYear.get(year);
  const tile = ([label, column, format, whyMissing]) => {
    const year =
      schoolYear ??
      store.years.map((each) => each.school_year).findLast((each) => isGiven(rowOf(each)?.[column])) ??
      store.latestYear;
    const row = rowOf(year);
    const value = row?.[column] ?? null;
    return h(
      "div",
      { class: "tile", "data-column": column },
      h(
        "dt",
        {},
        t(label),
        definitionButton(context, `${model}.${column}`, t(label)),
        " ",
        h("span", { class: "of-year" }, year),
      ),
      h("dd", {}, value === null ? missing(context, whyMissing) : format(context, value)),
      column === "ips_mean" &&
        !arrondissement &&
        isGiven(row?.ips_department_public) &&
        h(
          "dd",
          { class: "beside" },
          t("ips.ministry", { value: context.number(row.ips_department_public, 1) }),
        ),
    );
  };
  // Of a chosen year nothing is shown of which nothing is published: a note above the figures says so.
  const published = RESULTS.filter(([, column]) => !schoolYear || isGiven(rowOf(schoolYear)?.[column]));
  return [COUNT, ...published, ...(arrondissement ? ARRONDISSEMENT : PARIS)].map(tile);
}
