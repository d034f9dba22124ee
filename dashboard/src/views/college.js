// One collège, under an address of its own.
import { select } from "../components/controls.js";
import { definitionButton } from "../components/definition.js";
import { collegeLink } from "../components/figures.js";
import { collegeFigures } from "../components/college-figures.js";
import { lifeLine } from "../components/life-line.js";
import { figureTools } from "../components/figure-tools.js";
import { drawMap } from "../components/map.js";
import { readZoom } from "../components/map-zoom.js";
import { resultSection, socialSection } from "../components/over-time.js";
import { recordParts, recordsAddress } from "../data.js";
import { fill, h, keepYears } from "../dom.js";
import { MEASURES } from "../measures.js";

const NEIGHBOURS = 5;
const DIRECTORY = "fr-en-adresse-et-geolocalisation-etablissements-premier-et-second-degre";
// Where a parent finds telephone and website. Its pages have no address that the data hold: its search is asked.
const SEARCH = "https://www.education.gouv.fr/annuaire?department=75&establishment=2&status=All&keywords=";

export function createView(context, id) {
  const { t, store } = context;
  const college = store.college.get(id);
  if (!college) {
    const text = t("college.unknown", { id });
    return {
      element: h(
        "div",
        { class: "view" },
        h("h1", { tabindex: -1 }, t("view.college")),
        h("p", { class: "notice" }, text),
      ),
      title: () => text,
      update() {},
    };
  }
  const held = store.years.filter((year) => store.schoolYear.has(`${id}|${year.school_year}`));
  const year = select(context, {
    id: "year",
    label: t("year.label"),
    options: held.map((each) => [each.school_year, each.school_year]),
    parameter: "year",
    initial: null,
  });
  const legend = h("div");
  const map = h("div", { class: "map" });
  const tools = h("div");
  const placeTitle = h("h2");
  const neighbours = h("div");
  const element = h(
    "div",
    { class: "view college" },
    heading(context, college),
    collegeFigures(context, college),
    resultSection(context, college),
    socialSection(context, college),
    h(
      "div",
      { class: "two" },
      h("section", { class: "card" }, placeTitle, year.element, legend, map, tools),
      h(
        "div",
        { class: "stack" },
        h("section", { class: "card" }, neighbours),
        h("section", { class: "card" }, h("h2", {}, t("college.identity")), identity(context, college)),
      ),
    ),
    h("section", { class: "card" }, h("h2", {}, t("college.life")), lifeLine(context, college)),
    h("section", { class: "card" }, h("h2", {}, t("college.edits")), edits(context, id)),
  );
  return {
    element,
    title: () => college.display_name,
    update(state) {
      const wanted = context.year() ?? store.latestYear;
      const schoolYear = held.some((each) => each.school_year === wanted) ? wanted : held.at(-1).school_year;
      year.update(schoolYear);
      fill(placeTitle, keepYears(t("college.place", { year: schoolYear })));
      const row = store.row(college, schoolYear);
      const near = store
        .nearest(id, schoolYear, NEIGHBOURS)
        .map(([other]) => store.row(store.college.get(other), schoolYear));
      const options = {
        rows: store.rows(schoolYear),
        near: [row, ...near],
        // The place is asked for here: the colours say what is published of that year, if anything is.
        measureId: MEASURES.find((measure) => measure.isAvailable(store.year(schoolYear)))?.id,
        zoom: readZoom(state.params.zoom),
        changeZoom: (zoom) => context.change({ zoom }, { isPassing: true }),
        arrondissement: row.arrondissement_number,
        highlight: id,
        label: placeTitle.textContent,
        maxHeight: 400,
      };
      fill(legend, drawMap(context, map, options));
      fill(
        tools,
        figureTools(context, {
          name: college.display_name,
          title: `${college.display_name}. ${placeTitle.textContent}`,
          tables: ["colleges", "college_school_years"],
          svg: () => map.querySelector("svg"),
        }),
      );
      fill(neighbours, neighbourList(context, row));
    },
  };
}

function heading(context, college) {
  const { t } = context;
  const status = college.is_open ? t("status.open") : t("status.closed", { year: college.last_school_year });
  return h(
    "header",
    { class: "college-heading" },
    h("h1", { tabindex: -1 }, college.display_name),
    h(
      "p",
      {},
      [
        context.arrondissement(college.arrondissement_number),
        college.address ?? t("college.no_address"),
      ].join(" · "),
    ),
    h(
      "p",
      {},
      h("span", { class: `badge ${college.is_open ? "opened" : "closed"}` }, status),
      definitionButton(context, "dim_college.is_open", t("column.status")),
    ),
    h(
      "p",
      { class: "actions" },
      h("a", { href: context.link("compare", null, { c: college.college_id }) }, t("compare.action")),
      directoryLinks(context, college),
    ),
  );
}

// The ministry's record of this identifier on its portal, and its directory for the public by name. An invented
// collège stands in neither.
function directoryLinks({ t, store }, college) {
  const directory = store.document.sources.find((source) => source.dataset === DIRECTORY);
  if (!college.uai || store.isSynthetic) return null;
  const link = (href, key) => h("a", { href, rel: "external noopener" }, t(key));
  return [
    directory && link(recordsAddress(directory, college.uai), "college.directory_record"),
    link(SEARCH + encodeURIComponent(college.display_name), "college.directory_search"),
  ];
}

function identity(context, college) {
  const { t } = context;
  const entry = (label, definition, ...content) => [
    h("dt", {}, label, definition && definitionButton(context, definition, label)),
    h("dd", {}, content),
  ];
  return h(
    "dl",
    { class: "facts" },
    entry(t("college.city_name"), "dim_college.college_name", college.college_name),
    entry(t("college.address"), "dim_college.address", college.address ?? t("college.no_address")),
    entry(t("college.sector"), "bridge_sector_college.sector_name", sectors(context, college.college_id)),
    entry(
      t("college.uai"),
      "dim_college.uai",
      college.uai
        ? [h("code", {}, college.uai), ` (${t(`uai_method.${college.uai_match_method}`)})`]
        : t("college.no_uai"),
    ),
    entry(t("college.id"), "dim_college.college_id", h("code", {}, college.college_id)),
  );
}

// Sectors by name, with the years that name them and the collèges that share them.
function sectors(context, id) {
  const { t, store } = context;
  const named = Map.groupBy(store.sectorsOf.get(id) ?? [], (row) => row.sector_name);
  if (named.size === 0) return t("college.no_sector");
  return h(
    "ul",
    { class: "plain" },
    [...named].map(([sector, rows]) => {
      const years = rows.map((row) => row.school_year).sort();
      const others = store.document.sectors.filter(
        (row) => row.sector_name === sector && years.includes(row.school_year) && row.college_id !== id,
      );
      const partners = [...new Set(others.map((row) => row.college_id))];
      const links = partners.flatMap((other, index) => [index ? ", " : " ", collegeLink(context, other)]);
      const sharing = partners.length
        ? [" · ", t("college.shared_with"), links]
        : rows.some((row) => row.is_shared) && ` · ${t("college.shared")}`;
      return h("li", {}, t("college.sector_year", { sector, years: years.join(", ") }), sharing);
    }),
  );
}

function neighbourList(context, row) {
  const { t, store } = context;
  const nearest = store.nearest(row.college_id, row.school_year, NEIGHBOURS);
  const within = row.colleges_within_1_km;
  return [
    h("h2", {}, keepYears(t("college.neighbours", { year: row.school_year }))),
    h(
      "p",
      { class: "muted note" },
      within === null ? t("why.no_neighbour") : t("college.neighbours_hint", { n: within }),
      definitionButton(context, "fct_college_neighbourhood.colleges_within_1_km", t("column.within_1_km")),
    ),
    h(
      "ol",
      { class: "neighbours" },
      nearest.map(([other, metres]) =>
        h("li", {}, collegeLink(context, other), h("span", {}, context.metres(metres))),
      ),
    ),
  ];
}

function edits(context, id) {
  const { t, store } = context;
  const found = store.editsOf(id);
  if (found.length === 0) return h("p", { class: "muted" }, t("college.edits_none"));
  return h(
    "ul",
    { class: "feed" },
    found.map((edit) =>
      h(
        "li",
        {},
        h("time", { datetime: edit.detected_at }, context.date(edit.detected_at)),
        h(
          "span",
          {},
          t("page.label", {
            name: recordParts(edit.record_key).join(" · "),
            value: t(`edit.${edit.edit_type}`),
          }),
        ),
        edit.field &&
          h(
            "span",
            { class: "muted" },
            t("page.label", {
              name: edit.field,
              value: `${edit.old_value ?? "∅"} → ${edit.new_value ?? "∅"}`,
            }),
          ),
      ),
    ),
  );
}
