// The first page: figures, map, treemap, and the tables that say the same in words.
import { arrondissementSelect, resetButton, select, yearNote, yearSlider } from "../components/controls.js";
import { collegeLink, measured, measuredText, missing, point } from "../components/figures.js";
import { drawMap } from "../components/map.js";
import { createTable } from "../components/table.js";
import { tiles } from "../components/tiles.js";
import { drawTreemap } from "../components/treemap.js";
import { fill, h } from "../dom.js";
import { MEASURES, measure as measureOf } from "../measures.js";

export function createView(context) {
  const { t, store } = context;
  const year = yearSlider(context);
  const arrondissement = arrondissementSelect(context);
  const measure = select(context, {
    id: "measure",
    label: t("measure.label"),
    options: MEASURES.map(({ id }) => [id, t(`measure.${id}`)]),
    parameter: "measure",
    initial: MEASURES[0].id,
  });
  const notes = h("div", { role: "status" });
  const figures = h("dl", { class: "tiles" });
  const map = h("div", { class: "map" });
  const legend = h("div");
  const tree = h("div");
  const colleges = collegeTable(context);
  const arrondissements = arrondissementTable(context);
  const titles = { colleges: h("h2", { id: "colleges" }), arrondissements: h("h2") };

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
      resetButton(context, ["year", "arr", "measure"]),
    ),
    notes,
    figures,
    h(
      "div",
      { class: "map-and-tree" },
      h(
        "section",
        { class: "card" },
        h("h2", {}, t("map.title")),
        h(
          "p",
          { class: "muted note" },
          t("map.description"),
          " ",
          h("a", { href: "#colleges", class: "to-table", onclick: toTable }, t("map.to_table")),
        ),
        legend,
        map,
      ),
      h(
        "section",
        { class: "card" },
        h("h2", {}, t("treemap.title")),
        h("p", { class: "muted note" }, t("treemap.hint")),
        tree,
      ),
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
      const chosenMeasure = measureOf(state.params.measure);
      const description = store.year(schoolYear);
      const rows = store.rows(schoolYear).filter((row) => !chosen || row.arrondissement_number === chosen);
      const arrondissementRows = store.document.arrondissement_years.filter(
        (row) => row.school_year === schoolYear,
      );
      year.update(schoolYear);
      arrondissement.update(state.params.arr);
      measure.update(chosenMeasure.id);
      fill(notes, yearNote(context, description), measureNote(context, chosenMeasure, description));
      fill(figures, tiles(context, schoolYear, chosen));
      const label = `${t("map.title")}, ${schoolYear}`;
      fill(
        legend,
        drawMap(context, map, { rows, measureId: chosenMeasure.id, arrondissement: chosen, label }),
      );
      drawTreemap(context, tree, { rows: arrondissementRows, isHeld: description.isHeld, chosen });
      const title = (table) => (titles[table].textContent = t(`${table}.title`, { year: schoolYear }));
      colleges.update(title("colleges"), rows);
      arrondissements.update(
        title("arrondissements"),
        arrondissementRows.filter((row) => !chosen || row.arrondissement_number === chosen),
      );
    },
    print(isPrinting) {
      colleges.print(isPrinting);
      arrondissements.print(isPrinting);
    },
  };
}

// Why the whole map is empty of the chosen measure, and where it is not.
function measureNote({ t, store, link }, measure, year) {
  if (measure.isAvailable(year)) return null;
  const last = store.years.findLast(measure.isAvailable);
  const name = t(`measure.${measure.id}`);
  return h(
    "p",
    { class: "notice" },
    t("measure.none_in_year", { measure: name, year: year.school_year }),
    " ",
    last
      ? h(
          "a",
          { href: link("map", null, { year: last.school_year, measure: measure.id }) },
          t("measure.last_available", { year: last.school_year }),
        )
      : t("measure.never"),
  );
}

function collegeTable(context) {
  const { t } = context;
  const status = (row) => t(row.is_open ? "status.open_short" : "status.closed_short");
  return createTable(context, {
    name: "colleges",
    tables: ["colleges", "college_school_years", "neighbourhoods", "results", "social_positions"],
    sort: "college_name",
    geometry: point,
    columns: [
      {
        key: "college_name",
        label: t("column.name"),
        value: (row) => row.college_name,
        cell: (row) => collegeLink(context, row.college_id, row.college_name),
      },
      {
        key: "arrondissement_number",
        label: t("column.arrondissement"),
        value: (row) => row.arrondissement_number,
        text: (row) => context.arrondissement(row.arrondissement_number),
        isNumber: true,
      },
      {
        key: "address",
        label: t("column.address"),
        value: (row) => row.address,
        isLong: true,
        cell: (row) => row.address ?? t("why.label"),
      },
      {
        key: "status",
        label: t("column.status"),
        value: (row) => (row.is_open ? "open" : "closed"),
        text: status,
        definition: "dim_college.is_open",
      },
      ...MEASURES.map((measure) => ({
        key: measure.definition.split(".")[1],
        label: t(`measure.short.${measure.id}`),
        definition: measure.definition,
        value: measure.value,
        text: (row) => measuredText(context, measure, row),
        cell: (row) => measured(context, measure, row),
        isNumber: true,
      })),
      {
        key: "colleges_within_1_km",
        label: t("column.within_1_km"),
        definition: "fct_college_neighbourhood.colleges_within_1_km",
        value: (row) => row.colleges_within_1_km,
        isNumber: true,
      },
    ],
  });
}

function arrondissementTable(context) {
  const { t, store } = context;
  const dimension = new Map(store.arrondissements.map((row) => [row.arrondissement_number, row]));
  const figure = (key, label, format, whyMissing) => ({
    key,
    label,
    definition: `agg_arrondissement_school_year.${key}`,
    value: (row) => row[key],
    text: (row) => (row[key] === null ? t("why.label") : format(row[key])),
    cell: (row) => (row[key] === null ? missing(context, whyMissing) : format(row[key])),
    isNumber: true,
  });
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
      },
      figure("college_count", t("column.count"), context.number, "why.no_list"),
      figure("mean_nearest_km", t("column.mean_nearest"), context.kilometres, "why.no_list"),
      figure("max_nearest_km", t("column.max_nearest"), context.kilometres, "why.no_list"),
      figure(
        "success_rate_pct",
        t("measure.short.success"),
        (value) => context.percent(value, 1),
        "why.no_session",
      ),
      figure(
        "success_rate_value_added_points",
        t("measure.short.value_added"),
        context.points,
        "why.no_session",
      ),
      figure(
        "mention_rate_pct",
        t("measure.short.mentions"),
        (value) => context.percent(value, 1),
        "why.no_session",
      ),
      figure("ips_mean", t("measure.short.ips"), (value) => context.number(value, 1), "why.no_ips_year"),
    ],
  });
}
