// Every pair of collèges and how far apart they are.
import { arrondissementSelect, resetButton, yearNote, yearSlider } from "../components/controls.js";
import { collegeLink } from "../components/figures.js";
import { createTable } from "../components/table.js";
import { tiles } from "../components/tiles.js";
import { fill, h, keepYears } from "../dom.js";

export function createView(context) {
  const { t, store } = context;
  const year = yearSlider(context);
  const arrondissement = arrondissementSelect(context);
  const notes = h("div", { role: "status" });
  const figures = h("dl", { class: "tiles" });
  const title = h("h1", { tabindex: -1 });
  const table = pairTable(context);
  const element = h(
    "div",
    { class: "view" },
    title,
    h("p", { class: "intro" }, t("distances.intro")),
    h(
      "section",
      { class: "card filters", "aria-label": t("filter.title") },
      year.element,
      arrondissement.element,
      resetButton(context, ["year", "arr"]),
    ),
    notes,
    figures,
    h("section", { class: "card" }, table.element),
  );
  return {
    element,
    title: () => t("view.distances"),
    update(state) {
      const schoolYear = context.year() ?? store.latestYear;
      const chosen = Number(state.params.arr) || null;
      year.update(schoolYear);
      arrondissement.update(state.params.arr);
      fill(notes, yearNote(context, store.year(schoolYear)));
      fill(figures, tiles(context, schoolYear, chosen));
      fill(title, keepYears(t("distances.title", { year: schoolYear })));
      table.update(title.textContent, pairRows(store, schoolYear, chosen));
    },
    print: table.print,
  };
}

function pairRows(store, schoolYear, arrondissement) {
  const places = store.colleges.map((college) => store.row(college, schoolYear));
  return store
    .pairs(schoolYear)
    .map(([a, b, metres]) => ({ a: places[a], b: places[b], metres, school_year: schoolYear }))
    .filter(
      ({ a, b }) => !arrondissement || [a, b].some((row) => row.arrondissement_number === arrondissement),
    );
}

function pairTable(context) {
  const { t } = context;
  const side = (key, label) => [
    {
      key: `display_name_${key}`,
      label,
      value: (row) => row[key].display_name,
      text: (row) => `${row[key].display_name} ${row[key].college_name}`,
      cell: (row) => collegeLink(context, row[key].college_id),
    },
    {
      key: `arrondissement_number_${key}`,
      label: t("column.arrondissement"),
      value: (row) => row[key].arrondissement_number,
      text: (row) => context.arrondissement(row[key].arrondissement_number),
      isNumber: true,
    },
  ];
  return createTable(context, {
    name: "distances",
    tables: ["distances", "college_school_years"],
    sort: "distance_m",
    geometry: ({ a, b }) => ({
      type: "LineString",
      coordinates: [a, b].map((row) => [row.longitude, row.latitude]),
    }),
    columns: [
      ...side("a", t("column.name")),
      ...side("b", t("column.other")),
      {
        key: "distance_m",
        label: t("column.distance"),
        definition: "fct_college_distance.distance_km",
        value: (row) => row.metres,
        text: (row) => context.metres(row.metres),
        isNumber: true,
      },
    ],
  });
}
