// What a family asks first of a collège: the latest of each measure, beside Paris, in a sentence where a
// number alone would say little.
import { h } from "../dom.js";
import { MEASURES } from "../measures.js";
import { definitionButton } from "./definition.js";
import { measured, whyText } from "./figures.js";
import { rowOf } from "./over-time.js";

export function collegeFigures(context, college) {
  const { t, store } = context;
  const shown = MEASURES.filter((measure) => measure.id !== "nearest" && store.latest(measure)).map(
    (measure) => {
      const year = store.year(store.latest(measure));
      const row = rowOf(store, college, year);
      return { measure, year, row, value: measure.value(row) };
    },
  );
  // Where nothing at all is published, the sections below say why.
  if (shown.every(({ value }) => value === null)) return null;
  return h(
    "dl",
    { class: "tiles college-figures" },
    shown.map(({ measure, year, row, value }) => {
      const label = t(`measure.short.${measure.id}`);
      const paris = store.parisYear.get(year.school_year)?.[measure.paris] ?? null;
      return h(
        "div",
        { class: "tile", "data-measure": measure.id },
        h(
          "dt",
          {},
          label,
          definitionButton(context, measure.definition, label),
          " ",
          h("span", { class: "of-year" }, year.school_year),
        ),
        h("dd", {}, measured(context, measure, row)),
        h(
          "dd",
          { class: "beside" },
          value === null
            ? whyText(context, measure, row)
            : [
                measure.id === "value_added" && sentence(context, value),
                measure.id !== "value_added" &&
                  paris !== null &&
                  t("college.beside_paris", { value: measure.format(context, paris) }),
              ],
        ),
      );
    }),
  );
}

function sentence(context, value) {
  const key = value > 0 ? "above" : value < 0 ? "below" : "level";
  return context.t(`college.value_added_${key}`, { n: context.number(Math.abs(value)) });
}
