// Figures as a reader meets them: a value with its flags, or "not published" with the reason.
import { h } from "../dom.js";
import { isSmallSample } from "../measures.js";

export function missing({ t }, reason) {
  return h(
    "span",
    { class: "missing", title: t(reason) },
    t("why.label"),
    h("span", { class: "visually-hidden" }, ` (${t(reason)})`),
  );
}

export function measured(context, measure, row) {
  const value = measure.value(row);
  if (value === null) return missing(context, measure.whyMissing(row, context.store.year(row.school_year)));
  return [
    measure.format(context, value),
    isSmallSample(measure, row) && smallSample(context, row.result.candidates),
  ];
}

export function smallSample({ t, number }, candidates) {
  const text = t("small.text", { n: number(candidates) });
  return [
    " ",
    h(
      "span",
      { class: "badge small", title: text },
      t("small.label"),
      h("span", { class: "visually-hidden" }, ` (${text})`),
    ),
  ];
}

// The same in words alone, for labels and searching.
export function measuredText(context, measure, row) {
  const value = measure.value(row);
  if (value === null) return context.t("why.label");
  const flag = isSmallSample(measure, row) ? ` (${context.t("small.label")})` : "";
  return measure.format(context, value) + flag;
}

export const collegeLink = (context, id, name) => h("a", { href: context.link("college", id) }, name);

export const point = (row) =>
  row.longitude === null || row.longitude === undefined
    ? null
    : { type: "Point", coordinates: [row.longitude, row.latitude] };
