// The filters that several views share. They are built once and then follow the address.
import { fill, h } from "../dom.js";
import { shortYear } from "../data.js";

// With `hasLatest` the last stop, the first shown, is no year but the latest of every measure.
export function yearSlider(context, { hasLatest = false } = {}) {
  const { t, store, change } = context;
  const years = store.years;
  const stops = hasLatest ? [...years, null] : years;
  const describe = (year) =>
    year === null
      ? t("year.latest")
      : [year.school_year, year.isWithdrawn && t("year.withdrawn"), !year.isHeld && t("year.not_held")]
          .filter(Boolean)
          .join(", ");
  const input = h("input", {
    type: "range",
    id: "year",
    min: 0,
    max: stops.length - 1,
    step: 1,
    oninput: () => change({ year: stops[input.valueAsNumber]?.school_year ?? null }, { isPassing: true }),
  });
  const output = h("output", { for: "year", class: "year-value" });
  const ticks = h(
    "div",
    { class: "ticks", "aria-hidden": "true" },
    stops.map((year) =>
      year === null
        ? h("span", {}, t("year.latest_short"))
        : h(
            "span",
            { class: year.isHeld ? (year.isWithdrawn ? "withdrawn" : null) : "not-held" },
            shortYear(year.school_year),
          ),
    ),
  );
  const hasMarks = years.some((year) => year.isWithdrawn || !year.isHeld);
  const element = h(
    "div",
    { class: "control year" },
    h("label", { for: "year" }, t("year.label")),
    output,
    input,
    ticks,
    hasMarks && h("p", { class: "muted note" }, t("year.legend")),
  );
  return {
    element,
    update(schoolYear) {
      const index = schoolYear
        ? years.findIndex((year) => year.school_year === schoolYear)
        : stops.length - 1;
      input.value = index;
      input.setAttribute("aria-valuetext", describe(stops[index]));
      output.textContent = schoolYear ?? t("year.latest");
      [...ticks.children].forEach((tick, position) => tick.classList.toggle("chosen", position === index));
    },
  };
}

// What the reader must know about a school year before any figure of it.
export function yearNote({ t }, year) {
  if (!year) return null;
  if (!year.isHeld) return h("p", { class: "notice" }, t("year.note_not_held"));
  if (year.isWithdrawn) return h("p", { class: "notice" }, t("year.note_withdrawn"));
  return null;
}

export function select(context, { id, label, options, parameter, initial }) {
  const input = h("select", {
    id,
    onchange: () => context.change({ [parameter]: input.value === initial ? null : input.value }),
  });
  fill(
    input,
    options.map(([value, text]) => h("option", { value }, text)),
  );
  return {
    element: h("div", { class: "control" }, h("label", { for: id }, label), input),
    update(value) {
      input.value = value ?? initial;
    },
  };
}

export function arrondissementSelect(context) {
  const { t, store, arrondissement } = context;
  const options = store.arrondissements.map((row) => [
    String(row.arrondissement_number),
    [arrondissement(row.arrondissement_number), row.arrondissement_name].filter(Boolean).join(" · "),
  ]);
  return select(context, {
    id: "arrondissement",
    label: t("arrondissement.label"),
    options: [["", t("arrondissement.all")], ...options],
    parameter: "arr",
    initial: "",
  });
}

export function resetButton({ t, change }, parameters) {
  const nothing = Object.fromEntries(parameters.map((name) => [name, null]));
  return h("button", { type: "button", class: "reset", onclick: () => change(nothing) }, t("filter.reset"));
}
