// The figures at the top: of Paris as a whole, or of the chosen arrondissement.
import { h } from "../dom.js";
import { definitionButton } from "./definition.js";
import { missing } from "./figures.js";

export function tiles(context, schoolYear, arrondissement) {
  const { t, store } = context;
  const model = arrondissement ? "agg_arrondissement_school_year" : "agg_school_year";
  const row = arrondissement
    ? store.arrondissementYear.get(`${arrondissement}|${schoolYear}`)
    : store.parisYear.get(schoolYear);
  const tile = (label, column, format, whyMissing) => {
    const value = row?.[column] ?? null;
    return h(
      "div",
      { class: "tile" },
      h("dt", {}, t(label), definitionButton(context, `${model}.${column}`, t(label))),
      h("dd", {}, value === null ? missing(context, whyMissing) : format(value)),
    );
  };
  const percent = (value) => context.percent(value, 1);
  return [
    tile("tile.colleges", "college_count", context.number, "why.no_list"),
    ...(arrondissement
      ? [
          tile("tile.max_nearest", "max_nearest_km", context.kilometres, "why.no_list"),
          tile("tile.mean_nearest", "mean_nearest_km", context.kilometres, "why.no_list"),
          tile("tile.median_nearest", "median_nearest_km", context.kilometres, "why.no_list"),
        ]
      : [
          tile("tile.longest_pair", "longest_pair_km", context.kilometres, "why.no_list"),
          tile("tile.mean_pair", "mean_pair_km", context.kilometres, "why.no_list"),
          tile("tile.shortest_pair", "shortest_pair_km", context.kilometres, "why.no_list"),
        ]),
    tile("tile.success", "success_rate_pct", percent, "why.no_session"),
  ];
}
