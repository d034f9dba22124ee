// The first page: figures, map, and the tables that say the same in words.
import { arrondissementSelect, resetButton, select, yearNote, yearSlider } from "../components/controls.js";
import { figureTools } from "../components/figure-tools.js";
import { collegeCell, measured, measuredText, missing, point } from "../components/figures.js";
import { drawMap } from "../components/map.js";
import { readZoom } from "../components/map-zoom.js";
import { createTable } from "../components/table.js";
import { tiles } from "../components/tiles.js";
import { fill, h, keepYears } from "../dom.js";
import { MEASURES } from "../measures.js";

const TABLES = ["colleges", "college_school_years", "neighbourhoods", "results", "social_positions"];

export function createView(context) {
  const { t, store } = context;
  const year = yearSlider(context, { hasLatest: true });
  const arrondissement = arrondissementSelect(context);
  const measure = select(context, {
    id: "measure",
    label: t("measure.label"),
    options: MEASURES.map(({ id }) => [id, t(`measure.${id}`)]),
    parameter: "measure",
  });
  const notes = h("div", { role: "status" });
  const figures = h("dl", { class: "tiles" });
  const map = h("div", { class: "map" });
  const legend = h("div");
  const tools = h("div");
  const colleges = collegeTable(context);
  const arrondissements = arrondissementTable(context);
  const titles = { map: h("h2"), colleges: h("h2", { id: "colleges" }), arrondissements: h("h2") };

  const element = h(
    "div",
    { class: "view" },
    h("h1", { class: "visually-hidden", tabindex: -1 }, t("map.title")),
    h(
      "section",
      { class: "card filters", "aria-label": t("filter.title") },
      year.element,
      arrondissement.element,
      measure.element,
      resetButton(context, ["year", "arr", "measure", "zoom"]),
    ),
    notes,
    figures,
    h(
      "section",
      { class: "card" },
      titles.map,
      h(
        "p",
        { class: "muted note" },
        t("map.description"),
        " ",
        h("a", { href: "#colleges", class: "to-table", onclick: toTable }, t("map.to_table")),
      ),
      legend,
      map,
      tools,
    ),
    h("section", { class: "card" }, titles.colleges, colleges.element),
    h("section", { class: "card" }, titles.arrondissements, arrondissements.element),
  );

  // The fragment is the page's state, so the jump within it is done by hand.
  function toTable(event) {
    event.preventDefault();
    titles.colleges.scrollIntoView();
    colleges.element.querySelector("input").focus();
  }

  return {
    element,
    title: () => t("view.map"),
    update(state) {
      const schoolYear = context.year();
      const chosen = Number(state.params.arr) || null;
      const chosenMeasure = store.measure(state.params.measure, schoolYear);
      const rows = store.rows(schoolYear).filter((row) => !chosen || row.arrondissement_number === chosen);
      year.update(schoolYear);
      arrondissement.update(state.params.arr);
      measure.update(chosenMeasure.id);
      fill(
        notes,
        yearNote(context, store.year(schoolYear)),
        absentNote(context, schoolYear),
        !store.latest(chosenMeasure) &&
          h("p", { class: "notice" }, t(`measure.${chosenMeasure.id}`), t("why.colon"), t("measure.never")),
      );
      fill(figures, tiles(context, schoolYear, chosen));
      const shownYear = schoolYear ?? store.latest(chosenMeasure) ?? store.latestYear;
      const label = t("map.of", { measure: t(`measure.${chosenMeasure.id}`), year: shownYear });
      fill(titles.map, keepYears(label));
      fill(
        legend,
        drawMap(context, map, {
          rows,
          measureId: chosenMeasure.id,
          arrondissement: chosen,
          label,
          zoom: readZoom(state.params.zoom),
          changeZoom: (zoom) => context.change({ zoom }, { isPassing: true }),
        }),
      );
      fill(
        tools,
        figureTools(context, {
          name: `${t("file.map")}-${chosenMeasure.id}`,
          title: label,
          tables: [...chosenMeasure.tables, "colleges"],
          svg: () => map.querySelector("svg"),
          key: () => [scaleText(context, chosenMeasure, rows)],
        }),
      );
      const title = (table) => {
        const text = t(`${table}.title`, { year: schoolYear ?? t("year.latest_in_title") });
        fill(titles[table], keepYears(text));
        return text;
      };
      colleges.update(title("colleges"), rows);
      arrondissements.update(
        title("arrondissements"),
        arrondissementRows(store, schoolYear).filter(
          (row) => !chosen || row.arrondissement_number === chosen,
        ),
      );
    },
    print(isPrinting) {
      colleges.print(isPrinting);
      arrondissements.print(isPrinting);
    },
  };
}

// "From 61 % (violet) to 100 % (yellow)", for a figure that leaves the page without its legend.
export function scaleText(context, measure, rows) {
  const values = rows.map(measure.value).filter((value) => value !== null);
  if (!values.length) return context.t("why.label");
  return context.t("figure.scale", {
    low: measure.format(context, Math.min(...values)),
    high: measure.format(context, Math.max(...values)),
  });
}

// What has nothing at all in a year that was chosen, and where there is some.
function absentNote({ t, store, link }, schoolYear) {
  const year = store.year(schoolYear);
  const absent = year ? MEASURES.filter((measure) => !measure.isAvailable(year)) : [];
  const elsewhere = absent.filter((measure) => store.latest(measure) && measure.id !== "nearest");
  if (elsewhere.length === 0) return null;
  return h(
    "p",
    { class: "notice absent" },
    t("measure.none_in_year", { year: schoolYear }),
    " ",
    elsewhere.flatMap((measure, index) => [
      index ? ", " : "",
      h(
        "a",
        { href: link("map", null, { year: store.latest(measure), measure: measure.id }) },
        t("measure.last_available", {
          measure: t(`measure.short.${measure.id}`),
          year: store.latest(measure),
        }),
      ),
    ]),
    ".",
  );
}

function collegeTable(context) {
  const { t, store } = context;
  const status = (row) => t(row.is_open ? "status.open_short" : "status.closed_short");
  const isOf = (measure) => {
    const year = store.year(context.year());
    return year ? measure.isAvailable(year) : Boolean(store.latest(measure));
  };
  const nearest = MEASURES.find((measure) => measure.id === "nearest");
  return createTable(context, {
    name: "colleges",
    tables: TABLES,
    sort: "display_name",
    geometry: point,
    columns: [
      {
        key: "display_name",
        label: t("column.name"),
        value: (row) => row.display_name,
        text: (row) => `${row.display_name} ${row.college_name}`,
        cell: (row) => collegeCell(context, row),
      },
      {
        key: "arrondissement_number",
        label: t("column.arrondissement"),
        value: (row) => row.arrondissement_number,
        text: (row) => context.arrondissement(row.arrondissement_number),
        isNumber: true,
      },
      {
        key: "status",
        label: t("column.status"),
        value: (row) => (row.is_open ? "open" : "closed"),
        text: status,
        definition: "dim_college.is_open",
        isShown: (rows) => rows.some((row) => !row.is_open),
      },
      ...MEASURES.map((measure) => ({
        key: measure.definition.split(".")[1],
        label: t(`measure.short.${measure.id}`),
        definition: measure.definition,
        value: measure.value,
        text: (row) => measuredText(context, measure, row),
        cell: (row) => measured(context, measure, row),
        isNumber: true,
        note: () => (context.year() ? null : store.latest(measure)),
        isShown: () => isOf(measure),
      })),
      {
        key: "colleges_within_1_km",
        label: t("column.within_1_km"),
        definition: "fct_college_neighbourhood.colleges_within_1_km",
        value: (row) => row.colleges_within_1_km,
        isNumber: true,
        note: () => (context.year() ? null : store.latest(nearest)),
        isShown: () => isOf(nearest),
      },
      {
        key: "address",
        label: t("column.address"),
        value: (row) => row.address,
        isLong: true,
        cell: (row) => row.address ?? t("why.label"),
      },
    ],
  });
}

export const ARRONDISSEMENT_FIGURES = [
  ["college_count", "column.count", (context, value) => context.number(value), "why.no_list"],
  [
    "success_rate_pct",
    "measure.short.success",
    (context, value) => context.percent(value, 1),
    "why.no_session",
  ],
  [
    "success_rate_value_added_points",
    "measure.short.value_added",
    (context, value) => context.points(value),
    "why.no_session",
  ],
  [
    "mention_rate_pct",
    "measure.short.mentions",
    (context, value) => context.percent(value, 1),
    "why.no_session",
  ],
  ["ips_mean", "measure.short.ips", (context, value) => context.number(value, 1), "why.no_ips_year"],
  ["mean_nearest_km", "column.mean_nearest", (context, value) => context.kilometres(value), "why.no_list"],
  ["max_nearest_km", "column.max_nearest", (context, value) => context.kilometres(value), "why.no_list"],
];

// One row an arrondissement; without a year each figure is of the latest that any arrondissement has.
export function arrondissementRows(store, schoolYear) {
  const all = store.document.arrondissement_years;
  if (schoolYear) return all.filter((row) => row.school_year === schoolYear);
  return store.arrondissements.map(({ arrondissement_number: number }) => ({
    arrondissement_number: number,
    ...Object.fromEntries(
      ARRONDISSEMENT_FIGURES.map(([key]) => [
        key,
        store.arrondissementYear.get(`${number}|${latestOf(store, key)}`)?.[key] ?? null,
      ]),
    ),
  }));
}

// The columns of a table of arrondissements for these figures.
export const figureColumns = (context) =>
  ARRONDISSEMENT_FIGURES.map(([key, label, format, whyMissing]) => ({
    key,
    label: context.t(label),
    definition: `agg_arrondissement_school_year.${key}`,
    value: (row) => row[key],
    text: (row) => (row[key] === null ? context.t("why.label") : format(context, row[key])),
    cell: (row) => (row[key] === null ? missing(context, whyMissing) : format(context, row[key])),
    isNumber: true,
    isShown: (rows) => rows.some((row) => row[key] !== null),
  }));

export function latestOf(store, key) {
  return store.document.arrondissement_years.findLast((row) => row[key] !== null)?.school_year ?? null;
}

function arrondissementTable(context) {
  const { t, store } = context;
  const dimension = new Map(store.arrondissements.map((row) => [row.arrondissement_number, row]));
  return createTable(context, {
    name: "arrondissements",
    tables: ["arrondissement_years", "arrondissements"],
    sort: "arrondissement_number",
    geometry: (row) => dimension.get(row.arrondissement_number)?.boundary ?? null,
    columns: [
      {
        key: "arrondissement_number",
        label: t("column.arrondissement"),
        value: (row) => row.arrondissement_number,
        text: (row) =>
          [
            context.arrondissement(row.arrondissement_number),
            dimension.get(row.arrondissement_number)?.arrondissement_name,
          ]
            .filter(Boolean)
            .join(" · "),
        cell: (row) =>
          h(
            "a",
            { href: context.link("arrondissements", null, { arrs: row.arrondissement_number }) },
            context.arrondissement(row.arrondissement_number),
          ),
      },
      ...figureColumns(context).map((column) => ({
        ...column,
        note: () => (context.year() ? null : latestOf(store, column.key)),
      })),
    ],
  });
}
