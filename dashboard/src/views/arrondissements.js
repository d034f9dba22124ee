// The arrondissements: a map of a figure, each of them over the years, and up to four side by side.
import { select, yearNote, yearSlider } from "../components/controls.js";
import { lineChart, LINE_COLORS, smallMultiples } from "../components/chart.js";
import { drawChoropleth } from "../components/choropleth.js";
import { defined } from "../components/definition.js";
import { figureTools } from "../components/figure-tools.js";
import { missing } from "../components/figures.js";
import { ramp } from "../components/map-colors.js";
import { measureLegend } from "../components/map-legend.js";
import { breakYears, meanPoints, parisPoints } from "../components/over-time.js";
import { createTable } from "../components/table.js";
import { isGiven } from "../data.js";
import { fill, h, keepYears } from "../dom.js";
import { MEASURES } from "../measures.js";
import { ARRONDISSEMENT_FIGURES, figureColumns } from "./overview.js";

const MOST = 4;
const TABLES = ["arrondissement_years", "arrondissements"];

export function createView(context) {
  const { t, store } = context;
  const year = yearSlider(context, { hasLatest: true });
  const measure = select(context, {
    id: "measure",
    label: t("arrondissements.measure"),
    options: MEASURES.map(({ id }) => [id, t(`measure.${id}`)]),
    parameter: "measure",
  });
  const notes = h("div", { role: "status" });
  const mapTitle = h("h2");
  const legend = h("div", { class: "legend" });
  const map = h("div", { class: "map choropleth" });
  const mapTools = h("div");
  const buttons = store.arrondissements.map(({ arrondissement_number: number }) =>
    h(
      "button",
      { type: "button", id: `arr-${number}`, onclick: () => toggle(number) },
      context.arrondissement(number),
    ),
  );
  const message = h("p", { class: "muted note", role: "status" });
  const compared = h("div");
  const multiples = h("div", { class: "multiples" });
  const table = yearsTable(context);
  const element = h(
    "div",
    { class: "view" },
    h("h1", { tabindex: -1 }, t("arrondissements.heading")),
    h("p", { class: "intro" }, t("arrondissements.intro")),
    h("section", { class: "card filters", "aria-label": t("filter.title") }, year.element, measure.element),
    notes,
    h("section", { class: "card" }, mapTitle, legend, map, mapTools),
    h(
      "section",
      { class: "card" },
      h("h2", {}, t("arrondissements.compare")),
      h("p", { class: "muted note" }, t("arrondissements.choose", { n: MOST })),
      h("div", { class: "choices", role: "group", "aria-label": t("arrondissements.compare") }, buttons),
      message,
      compared,
    ),
    h("section", { class: "card" }, h("h2", {}, t("arrondissements.over_time")), multiples),
    h("section", { class: "card" }, h("h2", {}, t("arrondissements.table")), table.element),
  );

  const chosenOf = (params) =>
    [
      ...new Set(
        String(params.arrs ?? "")
          .split(",")
          .map(Number),
      ),
    ]
      .filter((number) => store.arrondissements.some((row) => row.arrondissement_number === number))
      .slice(0, MOST);

  function toggle(number) {
    const chosen = chosenOf(context.state().params);
    const next = chosen.includes(number) ? chosen.filter((each) => each !== number) : [...chosen, number];
    if (next.length <= MOST) context.change({ arrs: next.join(",") || null });
    else message.textContent = t("arrondissements.full", { n: MOST });
  }

  return {
    element,
    title: () => t("view.arrondissements"),
    update({ params }) {
      const chosenMeasure = store.measure(params.measure, context.year());
      const chosen = chosenOf(params);
      const asked = context.year();
      const schoolYear = asked ?? store.latest(chosenMeasure) ?? store.latestYear;
      const valueOf = (number) =>
        store.arrondissementYear.get(`${number}|${schoolYear}`)?.[chosenMeasure.paris] ?? null;
      const format = (value) => figureFormat(chosenMeasure)(context, value);
      const name = t(`measure.${chosenMeasure.id}`);
      year.update(asked);
      measure.update(chosenMeasure.id);
      const isPublished = chosenMeasure.isAvailable(store.year(schoolYear));
      fill(
        notes,
        yearNote(context, store.year(asked)),
        !isPublished &&
          h("p", { class: "notice" }, t("arrondissements.none", { measure: name, year: schoolYear })),
      );
      const values = store.document.arrondissement_years
        .map((row) => row[chosenMeasure.paris])
        .filter(isGiven);
      const color = ramp(chosenMeasure, values.length ? [Math.min(...values), Math.max(...values)] : [0, 1]);
      fill(mapTitle, keepYears(t("map.of", { measure: name, year: schoolYear })));
      fill(legend, measureLegend(context, chosenMeasure, schoolYear, color));
      const svg = drawChoropleth(context, map, {
        valueOf,
        format,
        color,
        chosen,
        toggle,
        label: t("arrondissements.map_label", { measure: name, year: schoolYear }),
      });
      fill(
        mapTools,
        svg &&
          figureTools(context, {
            name: `${t("file.choropleth")}-${chosenMeasure.id}`,
            title: mapTitle.textContent,
            tables: TABLES,
            svg: () => svg,
          }),
      );
      buttons.forEach((button, index) =>
        button.setAttribute(
          "aria-pressed",
          String(chosen.includes(store.arrondissements[index].arrondissement_number)),
        ),
      );
      message.textContent = "";
      fill(compared, chosen.length > 0 && comparison(context, chosen, chosenMeasure));
      const title = t("arrondissements.each", { measure: name });
      const small = smallMultiples(context, {
        measure: chosenMeasure,
        series: store.arrondissements.map(({ arrondissement_number: number }) => ({
          name: context.arrondissement(number),
          points: arrondissementPoints(store, chosenMeasure, number),
        })),
        paris: parisPoints(store, chosenMeasure),
        width: multiples.clientWidth || 900,
        label: title,
      });
      fill(
        multiples,
        small
          ? [
              small,
              h("p", { class: "muted note" }, t("arrondissements.grey")),
              figureTools(context, {
                name: `${t("file.multiples")}-${chosenMeasure.id}`,
                title,
                tables: TABLES,
                svg: () => small,
                key: () => [t("arrondissements.grey")],
              }),
            ]
          : h("p", {}, t("measure.never")),
      );
      table.update(
        t("arrondissements.table"),
        store.document.arrondissement_years.filter(
          (row) =>
            (!asked || row.school_year === asked) &&
            (!chosen.length || chosen.includes(row.arrondissement_number)),
        ),
      );
    },
    print: table.print,
  };
}

// Means have a decimal where a collège's own figure may be a whole number.
const figureFormat = (measure) => ARRONDISSEMENT_FIGURES.find(([key]) => key === measure.paris)[2];

const arrondissementPoints = (store, measure, number) =>
  meanPoints(store, measure, (schoolYear) => store.arrondissementYear.get(`${number}|${schoolYear}`));

function comparison(context, chosen, measure) {
  const { t, store } = context;
  const lines = [
    ...chosen.map((number, index) => ({
      name: context.arrondissement(number),
      color: LINE_COLORS[index],
      points: arrondissementPoints(store, measure, number),
    })),
    { name: t("chart.paris"), color: "var(--muted)", points: parisPoints(store, measure) },
  ];
  const latest = (rowOf, key) =>
    store.years.map(({ school_year }) => school_year).findLast((year) => isGiven(rowOf(year)?.[key]));
  const caption = t("arrondissements.compare");
  const rowOf = (number) => (year) =>
    number === null ? store.parisYear.get(year) : store.arrondissementYear.get(`${number}|${year}`);
  return [
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
      h(
        "table",
        { class: "compact" },
        h("caption", { class: "visually-hidden" }, caption),
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("th", { scope: "col" }, t("column.measure")),
            [...chosen.map((number) => context.arrondissement(number)), t("chart.paris")].map((name) =>
              h("th", { scope: "col", class: "number" }, name),
            ),
          ),
        ),
        h(
          "tbody",
          {},
          ARRONDISSEMENT_FIGURES.filter(([key]) => latest(rowOf(null), key)).map(
            ([key, label, format, whyMissing]) => {
              const year = context.year() ?? latest(rowOf(null), key);
              return h(
                "tr",
                {},
                h("th", { scope: "row" }, t(label), " ", h("span", { class: "of-year" }, year)),
                [...chosen, null].map((number) => {
                  const value = rowOf(number)(year)?.[key];
                  return h(
                    "td",
                    { class: "number" },
                    isGiven(value) ? format(context, value) : missing(context, whyMissing),
                  );
                }),
              );
            },
          ),
        ),
      ),
    ),
    h("h3", {}, defined(context, measure.definition, t(`measure.${measure.id}`))),
    lineChart(context, { measure, lines, breaks: breakYears(store, measure), most: 640, tables: TABLES }),
  ];
}

function yearsTable(context) {
  const { t, store } = context;
  const boundary = new Map(store.arrondissements.map((row) => [row.arrondissement_number, row.boundary]));
  return createTable(context, {
    name: "arrondissement-years",
    tables: TABLES,
    sort: "-school_year",
    geometry: (row) => boundary.get(row.arrondissement_number) ?? null,
    columns: [
      {
        key: "arrondissement_number",
        label: t("column.arrondissement"),
        value: (row) => row.arrondissement_number,
        text: (row) => context.arrondissement(row.arrondissement_number),
      },
      { key: "school_year", label: t("column.school_year"), value: (row) => row.school_year },
      ...figureColumns(context),
    ],
  });
}
