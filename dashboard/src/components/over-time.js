// A collège's results and social position over the years, against Paris: curves, and the same in a table.
import { isGiven } from "../data.js";
import { h } from "../dom.js";
import { measure as measureOf, whyNoUai } from "../measures.js";
import { lineChart, LINE_COLORS } from "./chart.js";
import { defined } from "./definition.js";
import { measured, missing, reasonText, withReasons } from "./figures.js";

const RESULT_MEASURES = ["success", "value_added", "mentions"].map(measureOf);
const IPS = measureOf("ips");
const PARIS_COLOR = "var(--muted)";

export function resultSection(context, college) {
  const { t, store } = context;
  const years = store.years.filter((year) => store.result.has(`${college.college_id}|${year.school_year}`));
  const section = (...content) => h("section", { class: "card" }, h("h2", {}, t("college.results")), content);
  if (years.length === 0)
    return section(
      h(
        "p",
        { class: "missing-block" },
        reasonText(context, college.uai ? "college.results_none" : whyNoUai(college, store), college),
      ),
    );
  const published = store.years.filter((year) => year.hasResults);
  return section(
    h("p", { class: "muted note" }, reasonText(context, "college.results_start")),
    h(
      "div",
      { class: "charts" },
      RESULT_MEASURES.map((measure) => chartOf(context, [college], measure)),
    ),
    yearTable(context, {
      caption: t("college.results"),
      years: published,
      columns: [
        ["column.session", null, (row, year) => (row.result ? String(row.result.session) : year.school_year)],
        [
          "column.candidates",
          "fct_college_result.candidates",
          (row) => figure(context, row.result?.candidates, context.number, row),
        ],
        ...RESULT_MEASURES.flatMap((measure) => [
          [`measure.short.${measure.id}`, measure.definition, (row) => measured(context, measure, row)],
          [
            "column.paris",
            `agg_school_year.${measure.paris}`,
            (_, year) => parisFigure(context, measure, year),
          ],
        ]),
        [
          "column.written_mark",
          "fct_college_result.written_mark",
          (row) => figure(context, row.result?.written_mark, (value) => context.number(value, 1), row),
        ],
      ],
      row: (year) => rowOf(store, college, year),
    }),
  );
}

export function socialSection(context, college) {
  const { t, store } = context;
  const years = store.years.filter((year) =>
    store.socialPosition.has(`${college.college_id}|${year.school_year}`),
  );
  const section = (...content) => h("section", { class: "card" }, h("h2", {}, t("college.ips")), content);
  if (years.length === 0)
    return section(
      h(
        "p",
        { class: "missing-block" },
        reasonText(context, college.uai ? "college.ips_none" : whyNoUai(college, store), college),
      ),
      h("p", { class: "muted note" }, t("college.ips_break")),
    );
  return section(
    h(
      "p",
      { class: "muted note" },
      t("college.ips_break"),
      " ",
      seriesBreaks(store, college).map(([from, to]) => t("college.ips_series_break", { from, to })),
    ),
    h("div", { class: "charts" }, chartOf(context, [college], IPS)),
    yearTable(context, {
      caption: t("college.ips"),
      years,
      columns: [
        ["column.series", "fct_college_social_position.series", (row) => row.social.series],
        ["measure.short.ips", IPS.definition, (row) => measured(context, IPS, row)],
        ["column.paris_mean", "agg_school_year.ips_mean", (_, year) => parisFigure(context, IPS, year)],
        ...(years.some((year) => ministryFigure(store, year) !== null)
          ? [
              [
                "column.paris_ministry",
                "agg_school_year.ips_department_public",
                (_, year) =>
                  ministryFigure(store, year) === null
                    ? missing(context, "why.no_ministry_ips")
                    : context.number(ministryFigure(store, year), 1),
              ],
            ]
          : []),
        [
          "column.spread",
          "fct_college_social_position.ips_stddev",
          (row) =>
            figure(
              context,
              row.social.ips_stddev,
              (value) => context.number(value, 1),
              row,
              "why.ips_withheld",
            ),
        ],
        [
          "column.pupils",
          "fct_college_social_position.pupils",
          (row) => figure(context, row.social.pupils, context.number, row, "why.no_pupils"),
        ],
      ],
      row: (year) => rowOf(store, college, year),
    }),
  );
}

// One chart of a measure: some collèges and Paris.
export function chartOf(context, colleges, measure) {
  const { t, store } = context;
  const lines = colleges.map((college, index) => ({
    name: college.display_name,
    color: LINE_COLORS[index],
    points: store.years.map((year) => {
      const row = rowOf(store, college, year);
      return {
        school_year: year.school_year,
        value: measure.value(row),
        series: measure.id === "ips" ? row.social?.series : "",
      };
    }),
  }));
  const paris = { name: t("chart.paris"), color: PARIS_COLOR, points: parisPoints(store, measure) };
  return h(
    "div",
    {},
    h("h3", {}, defined(context, measure.definition, t(`measure.${measure.id}`))),
    lineChart(context, { measure, lines: [...lines, paris], breaks: breakYears(store, measure) }),
  );
}

// The school years of a mean, each with its series; `rowOf(schoolYear)` holds it.
export function meanPoints(store, measure, rowOf) {
  const series = seriesByYear(store);
  return store.years.map(({ school_year }) => ({
    school_year,
    value: rowOf(school_year)?.[measure.paris] ?? null,
    series: measure.id === "ips" ? series.get(school_year) : "",
  }));
}

export const parisPoints = (store, measure) =>
  meanPoints(store, measure, (schoolYear) => store.parisYear.get(schoolYear));

const seriesByYear = (store) =>
  new Map(store.document.social_positions.map((row) => [row.school_year, row.series]));

// The years in which another series of the index begins.
export function breakYears(store, measure) {
  if (measure.id !== "ips") return [];
  const series = seriesByYear(store);
  const years = [...series.keys()].sort();
  return years.filter((year, index) => index > 0 && series.get(year) !== series.get(years[index - 1]));
}

function seriesBreaks(store, college) {
  const rows = store.document.social_positions.filter((row) => row.college_id === college.college_id);
  return rows
    .slice(1)
    .map((row, index) => [rows[index].series, row.series])
    .filter(([from, to]) => from !== to);
}

// A row to draw for any year, held or not.
export const rowOf = (store, college, year) =>
  store.row(college, year.school_year) ?? {
    ...college,
    school_year: year.school_year,
    is_place_borrowed: true,
    changes: [],
  };

const ministryFigure = (store, year) => store.parisYear.get(year.school_year)?.ips_department_public ?? null;

function figure(context, value, format, row, reason) {
  if (isGiven(value)) return format(value);
  const year = context.store.year(row.school_year);
  return missing(context, reason ?? measureOf("success").whyMissing(row, year, context.store), row);
}

function parisFigure(context, measure, year) {
  const value = context.store.parisYear.get(year.school_year)?.[measure.paris] ?? null;
  return value === null
    ? missing(context, measure.id === "ips" ? "why.no_ips_year" : "why.no_session")
    : measure.format(context, value);
}

function yearTable(context, { caption, years, columns, row }) {
  const { t } = context;
  const table = h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    h(
      "table",
      {},
      h("caption", { class: "visually-hidden" }, caption),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, t("column.school_year")),
          columns.map(([label, definition]) =>
            h(
              "th",
              { scope: "col", class: "number" },
              definition ? defined(context, definition, t(label)) : t(label),
            ),
          ),
        ),
      ),
      h(
        "tbody",
        {},
        years.map((year) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, year.school_year),
            columns.map(([, , value]) => h("td", { class: "number" }, value(row(year), year))),
          ),
        ),
      ),
    ),
  );
  return withReasons(context, table);
}
