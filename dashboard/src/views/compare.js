// Two to four collèges side by side.
import { yearNote, yearSlider } from "../components/controls.js";
import { defined } from "../components/definition.js";
import { collegeLink, measured, missing, withReasons } from "../components/figures.js";
import { chartOf, rowOf } from "../components/over-time.js";
import { collegeSearch, hitText } from "../components/search.js";
import { fill, h, keepYears } from "../dom.js";
import { MEASURES, measure as measureOf } from "../measures.js";

const MOST = 4;

export function createView(context) {
  const { t, store } = context;
  const year = yearSlider(context, { hasLatest: true });
  const chosen = h("ul", { class: "chips" });
  const message = h("p", { role: "status", class: "muted" });
  const content = h("div", { class: "stack" });
  const search = collegeSearch(context, {
    id: "compare-search",
    label: t("compare.add"),
    choose: (college) =>
      h("button", { type: "button", onclick: () => add(college.college_id) }, hitText(context, college)),
  });
  const element = h(
    "div",
    { class: "view" },
    h("h1", { tabindex: -1 }, t("compare.title")),
    h("p", { class: "intro" }, t("compare.intro")),
    h(
      "section",
      { class: "card filters" },
      search.element,
      h("div", { class: "control" }, chosen, message),
      year.element,
    ),
    content,
  );

  const ids = () => idsOf(store, context.state().params);

  function add(id) {
    if (ids().length >= MOST) return;
    search.clear();
    context.change({ c: [...new Set([...ids(), id])].join(",") });
    document.getElementById("compare-search").focus();
  }

  function remove(id) {
    context.change({
      c:
        ids()
          .filter((other) => other !== id)
          .join(",") || null,
    });
    document.getElementById("compare-search").focus();
  }

  return {
    element,
    title: () => t("view.compare"),
    update(state) {
      const colleges = idsOf(store, state.params).map((id) => store.college.get(id));
      const schoolYear = context.year();
      year.update(schoolYear);
      fill(
        chosen,
        colleges.map((college) => chip(context, college, () => remove(college.college_id))),
      );
      message.textContent =
        colleges.length >= MOST ? t("compare.full") : colleges.length < 2 ? t("compare.few") : "";
      fill(
        content,
        yearNote(context, store.year(schoolYear)),
        colleges.length > 1 && comparison(context, colleges, schoolYear),
      );
    },
  };
}

const idsOf = (store, params) =>
  [...new Set((params.c ?? "").split(","))].filter((id) => store.college.has(id)).slice(0, MOST);

const chip = ({ t }, college, remove) =>
  h(
    "li",
    {},
    college.display_name,
    h(
      "button",
      { type: "button", "aria-label": t("compare.remove", { name: college.display_name }), onclick: remove },
      "×",
    ),
  );

function comparison(context, colleges, schoolYear) {
  const { t, store } = context;
  const year = schoolYear ?? t("year.latest_in_title");
  const listYear = schoolYear ?? store.latestYear;
  return [
    h(
      "section",
      { class: "card" },
      h("h2", {}, keepYears(t("compare.table", { year }))),
      sideBySide(context, colleges, schoolYear),
    ),
    h(
      "section",
      { class: "card" },
      h("h2", {}, keepYears(t("compare.distances", { year: listYear }))),
      between(context, colleges, listYear),
    ),
    h(
      "section",
      { class: "card" },
      h("h2", {}, t("compare.over_time")),
      h("p", { class: "muted note" }, t("college.ips_break")),
      h(
        "div",
        { class: "charts" },
        MEASURES.map((measure) => chartOf(context, colleges, measure)),
      ),
    ),
  ];
}

function grid(context, caption, colleges, lines) {
  const table = h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    h(
      "table",
      { class: `side-by-side columns-${colleges.length}` },
      h("caption", { class: "visually-hidden" }, caption),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("td"),
          colleges.map((college) => h("th", { scope: "col" }, collegeLink(context, college.college_id))),
        ),
      ),
      h(
        "tbody",
        {},
        lines.filter(Boolean).map(([label, cells]) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, label),
            cells.map((cell) => h("td", {}, cell)),
          ),
        ),
      ),
    ),
  );
  return withReasons(context, table);
}

function sideBySide(context, colleges, schoolYear) {
  const { t, store } = context;
  const rows = colleges.map((college) =>
    schoolYear
      ? rowOf(store, college, { school_year: schoolYear })
      : store.latestRow(college, rowOf(store, college, { school_year: store.latestYear })),
  );
  const shown = MEASURES.filter((measure) =>
    schoolYear ? measure.isAvailable(store.year(schoolYear)) : store.latest(measure),
  );
  const ofYear = (measure) => !schoolYear && [" ", h("span", { class: "of-year" }, store.latest(measure))];
  const status = (row) =>
    row.is_open ? t("status.open_short") : t("status.closed", { year: row.last_school_year });
  const caption = t("compare.table", { year: schoolYear ?? t("year.latest_in_title") });
  return grid(context, caption, colleges, [
    [t("column.arrondissement"), rows.map((row) => context.arrondissement(row.arrondissement_number))],
    [t("column.address"), rows.map((row) => row.address ?? t("college.no_address"))],
    [t("column.status"), rows.map(status)],
    ...shown.map((measure) => [
      [defined(context, measure.definition, t(`measure.${measure.id}`)), ofYear(measure)],
      rows.map((row) => measured(context, measure, row)),
    ]),
    shown.some((measure) => measure.id === "success") && [
      [
        defined(context, "fct_college_result.candidates", t("column.candidates")),
        ofYear(measureOf("success")),
      ],
      rows.map((row) => row.result?.candidates ?? missing(context, "why.no_result", row)),
    ],
    shown.some((measure) => measure.id === "nearest") && [
      [
        defined(context, "fct_college_neighbourhood.colleges_within_1_km", t("column.within_1_km")),
        ofYear(measureOf("nearest")),
      ],
      rows.map((row) => row.colleges_within_1_km ?? missing(context, "why.no_list", row)),
    ],
  ]);
}

function between(context, colleges, schoolYear) {
  const { t, store } = context;
  const cell = (one, other) => {
    if (one === other) return "·";
    const metres = store.metresBetween(one.college_id, other.college_id, schoolYear);
    return metres === null ? missing(context, "why.no_list") : context.metres(metres);
  };
  return grid(
    context,
    t("compare.distances", { year: schoolYear }),
    colleges,
    colleges.map((one) => [one.display_name, colleges.map((other) => cell(one, other))]),
  );
}
