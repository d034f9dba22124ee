import * as Plot from "@observablehq/plot";
import { h } from "../dom.js";
import { isSmallSample } from "../measures.js";
import { defined } from "./definition.js";
import { colorScale } from "./map-colors.js";

// The colours of a measure.
export function measureLegend(context, measure, year = null, color = colorScale(context, measure)) {
  const name = context.t(`measure.${measure.id}`);
  const ramp = Plot.legend({
    color,
    tickFormat: (value) => measure.format(context, value),
    ticks: 4,
    width: 280,
  });
  ramp.setAttribute("role", "img");
  ramp.setAttribute("aria-label", name);
  return h(
    "div",
    {},
    defined(context, measure.definition, name),
    year && h("span", { class: "of-year" }, " ", year),
    ramp,
  );
}

// The colours, and the signs that the map shows at the moment.
export function legend(context, measure, rows) {
  const { t } = context;
  const isShown = {
    open: rows.some((row) => row.is_open),
    closed_legend: rows.some((row) => !row.is_open),
    changed: rows.some((row) => row.changes.length),
    missing: rows.some((row) => measure.value(row) === null),
    small: rows.some((row) => isSmallSample(measure, row)),
  };
  return h(
    "div",
    { class: "legend" },
    measureLegend(
      context,
      measure,
      rows.length ? context.store.yearOf(rows[0], measure)?.school_year : context.store.latest(measure),
    ),
    h(
      "ul",
      {},
      Object.keys(isShown)
        .filter((sign) => isShown[sign])
        .map((sign) =>
          h("li", {}, h("span", { class: `sign ${sign}`, "aria-hidden": "true" }), t(`status.${sign}`)),
        ),
    ),
  );
}
