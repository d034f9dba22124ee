// Figures as a reader meets them: a value with its flags, or "not published" with the reason.
import { h } from "../dom.js";
import { isSmallSample } from "../measures.js";

// A reason in words; `row`: of the collège it is about, where there is one.
export function reasonText({ t, store }, reason, row = {}) {
  const first = store.firstResult;
  return t(reason, {
    year: row.last_school_year ?? "",
    session: first?.session ?? "",
    first: first?.school_year ?? "",
  });
}

// The reason is told once below its table (`reasons`), not in every cell.
export function missing(context, reason, row) {
  const text = reasonText(context, reason, row);
  return h("span", { class: "missing", title: text, "data-reason": text }, context.t("why.label"));
}

// Why cells of an element are empty: each reason once, with how often.
export function reasons(context, element) {
  const counts = new Map();
  for (const { dataset } of element.querySelectorAll(".missing[data-reason]"))
    counts.set(dataset.reason, (counts.get(dataset.reason) ?? 0) + 1);
  if (counts.size === 0) return null;
  return h(
    "ul",
    { class: "reasons muted note", "aria-label": context.t("why.title") },
    [...counts].map(([text, n]) =>
      h(
        "li",
        {},
        h("em", {}, context.t("why.label")),
        ` (${n}) : `.replace(" :", context.t("why.colon")),
        text,
      ),
    ),
  );
}

export const withReasons = (context, element) => [element, reasons(context, element)];

const why = (context, measure, row) =>
  measure.whyMissing(row, context.store.yearOf(row, measure), context.store);

export const whyText = (context, measure, row) => reasonText(context, why(context, measure, row), row);

export function measured(context, measure, row) {
  const value = measure.value(row);
  if (value === null) return missing(context, why(context, measure, row), row);
  return [
    measure.format(context, value),
    isSmallSample(measure, row) && smallSample(context, row.result.candidates),
  ];
}

export function smallSample({ t, number }, candidates) {
  const text = t("small.text", { n: number(candidates), points: number(100 / candidates, 1) });
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

export const collegeLink = (context, id, name = context.store.nameOf(id)) =>
  h("a", { href: context.link("college", id) }, name);

// The name of today, and the one the city's list had in that year where it was another.
export function collegeCell(context, row) {
  const today = context.store.college.get(row.college_id);
  const link = collegeLink(context, row.college_id);
  return row.college_name === today.college_name
    ? link
    : [link, " ", h("span", { class: "muted" }, context.t("college.then", { name: row.college_name }))];
}

export const point = (row) =>
  row.longitude === null || row.longitude === undefined
    ? null
    : { type: "Point", coordinates: [row.longitude, row.latitude] };
