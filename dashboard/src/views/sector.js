// Which collège is mine: an answer to an address or a point, and the sectors as a map of results.
import { select, yearSlider } from "../components/controls.js";
import { collegeLink, measuredText } from "../components/figures.js";
import { figureTools } from "../components/figure-tools.js";
import { drawSectorMap } from "../components/sector-map.js";
import { measureLegend } from "../components/map-legend.js";
import { fill, h } from "../dom.js";
import { MEASURES, measure as measureOf } from "../measures.js";
import { scaleText } from "./overview.js";

const COLOURED = ["success", "value_added", "ips"];

export function createView(context) {
  const { t, store, sectors } = context;
  const year = yearSlider(context);
  const measure = select(context, {
    id: "measure",
    label: t("sector.colour"),
    options: COLOURED.map((id) => [id, t(`measure.${id}`)]),
    parameter: "measure",
    initial: COLOURED[0],
  });
  const heading = h("h1", { tabindex: -1 }, t("sector.title"));
  const answer = h("div", { class: "answer", role: "status" });
  const notes = h("div", { role: "status" });
  const map = h("div", { class: "map sectors" });
  const tools = h("div");
  const legend = h("div", { class: "legend" });
  const position = h(
    "button",
    { type: "button", id: "position", onclick: () => locate() },
    t("sector.position"),
  );
  const problem = h("p", { class: "notice", hidden: true, role: "alert" });
  const element = h(
    "div",
    { class: "view" },
    heading,
    h("section", { class: "card" }, h("p", { class: "muted" }, t("sector.intro")), position, problem, answer),
    h(
      "section",
      { class: "card" },
      h("h2", {}, t("sector.map_title")),
      h("p", { class: "muted note" }, t("sector.map_hint")),
      h("div", { class: "filters" }, year.element, measure.element),
      notes,
      legend,
      map,
      tools,
    ),
  );
  let latest = 0;
  let found = null;

  function ask(asked) {
    store.asked = asked;
    context.change({}, { isPassing: true });
  }

  function locate() {
    problem.hidden = true;
    const refused = () => {
      problem.textContent = t("sector.no_position");
      problem.hidden = false;
    };
    if (!navigator.geolocation) return refused();
    return navigator.geolocation.getCurrentPosition(
      ({ coords }) => ask({ text: null, point: [coords.longitude, coords.latitude] }),
      refused,
      { enableHighAccuracy: true, timeout: 15_000 },
    );
  }

  async function update(state) {
    const turn = ++latest;
    const schoolYear = context.year() ?? sectors.years.at(-1) ?? store.latestYear;
    const chosenMeasure = measureOf(
      COLOURED.includes(state.params.measure) ? state.params.measure : COLOURED[0],
    );
    year.update(schoolYear);
    measure.update(chosenMeasure.id);
    const isHeld = sectors.years.includes(schoolYear);
    // The outlines of a year may be published before its results.
    const coloured = chosenMeasure.isAvailable(store.year(schoolYear))
      ? schoolYear
      : store.years.findLast(chosenMeasure.isAvailable)?.school_year;
    fill(
      notes,
      !isHeld &&
        h(
          "p",
          { class: "notice" },
          t(sectors.years.length ? "sector.year_not_held" : "sector.none_held", {
            year: schoolYear,
            held: sectors.years.join(", "),
          }),
          " ",
          sectors.years.length > 0 &&
            h(
              "a",
              { href: context.link("sector", null, { year: sectors.years.at(-1) }) },
              t("sector.show_year", { year: sectors.years.at(-1) }),
            ),
        ),
      isHeld &&
        coloured !== schoolYear &&
        h(
          "p",
          { class: "notice" },
          t("measure.none_of_year", { measure: t(`measure.${chosenMeasure.id}`), year: schoolYear }),
          " ",
          coloured ? t("sector.coloured_by", { year: coloured }) : t("measure.never"),
        ),
    );
    try {
      const [outlines, result] = await Promise.all([
        isHeld ? sectors.outlines(schoolYear) : null,
        store.asked ? sectors.find(store.asked) : null,
      ]);
      if (turn !== latest) return;
      const isNew = result && result.text !== found?.text;
      found = result;
      fill(answer, result && answerElements(context, result, ask));
      draw(outlines, schoolYear, coloured, chosenMeasure);
      element.dataset.answered = result ? result.status : "";
      if (isNew) answer.querySelector("h2")?.focus({ preventScroll: true });
    } catch (error) {
      fill(answer, h("p", { class: "notice" }, t("page.failed")));
    }
  }

  function draw(outlines, schoolYear, coloured, chosenMeasure) {
    const rows = new Map((coloured ? store.rows(coloured) : []).map((row) => [row.college_id, row]));
    const rowOf = (sector) =>
      sector.colleges.length === 1 ? rows.get(store.colleges[sector.colleges[0]].college_id) : undefined;
    const names = (sector) => sector.colleges.map((place) => store.colleges[place].display_name).join(" / ");
    const name = t("sector.map_label", { year: schoolYear, measure: t(`measure.${chosenMeasure.id}`) });
    const label = coloured && coloured !== schoolYear ? `${name} (${coloured})` : name;
    fill(legend, outlines && measureLegend(context, chosenMeasure, coloured));
    drawSectorMap(context, map, {
      outlines,
      measure: chosenMeasure,
      valueOf: (sector) => {
        const row = rowOf(sector);
        return row ? chosenMeasure.value(row) : null;
      },
      titleOf(sector) {
        const row = rowOf(sector);
        const value = row ? measuredText(context, chosenMeasure, row) : t("sector.shared");
        return t("page.label", { name: names(sector) || sector.name, value });
      },
      chosen: found?.colleges ?? [],
      point: found?.point ?? null,
      choose: (point) => ask({ text: null, point }),
      label,
    });
    fill(
      tools,
      figureTools(context, {
        name: `${t("file.sectors")}-${chosenMeasure.id}`,
        title: label,
        tables: ["sectors", ...chosenMeasure.tables],
        svg: () => map.querySelector("svg"),
        key: () => [scaleText(context, chosenMeasure, (outlines?.sectors ?? []).map(rowOf).filter(Boolean))],
      }),
    );
  }

  return { element, title: () => t("view.sector"), update };
}

function answerElements(context, result, ask) {
  const { t, store } = context;
  const list = (places) =>
    places.flatMap((place, index) => [
      index ? ` ${t("sector.or")} ` : null,
      collegeLink(context, store.colleges[place].college_id),
    ]);
  const title = h(
    "h2",
    { tabindex: -1 },
    result.text ? `${result.text} : ` : null,
    result.colleges.length ? list(result.colleges) : t(`sector.status.${result.status}`),
  );
  const streets = result.range?.suggestions ?? [];
  const number = result.address?.number ? `${result.address.number} ` : "";
  const suggestions =
    streets.length > 0 &&
    h(
      "ul",
      { class: "suggestions" },
      streets.map((street) => {
        const text = `${number}${street.name}, ${postcode(street.arrondissement)}`;
        return h("li", {}, h("button", { type: "button", onclick: () => ask({ text, point: null }) }, text));
      }),
    );
  if (!result.colleges.length)
    return [
      title,
      result.range?.candidates && h("p", {}, t("sector.depends"), " ", list(result.range.candidates)),
      suggestions && h("p", {}, t("sector.perhaps")),
      suggestions,
      h("p", {}, t("sector.try_map")),
      disclaimer(context, result),
    ];
  return [
    title,
    h("p", {}, rule(context, result), " ", h("strong", {}, t(`sector.certainty.${result.certainty}`))),
    history(context, result, list),
    result.colleges.length > 1 && h("p", {}, t("sector.several", { n: result.colleges.length })),
    result.alternatives.length > 0 && h("p", {}, t("sector.alternative"), " ", list(result.alternatives)),
    figures(context, result.colleges),
    definitions(context, result, list),
    disclaimer(context, result),
  ];
}

const postcode = (arrondissement) => `750${String(arrondissement).padStart(2, "0")}`;

function rule({ t }, { rule, range, outline }) {
  if (rule === "range") {
    const { street, range: first } = range.matching[0];
    return t("sector.rule.range", { street: rangeText(t, street, first) });
  }
  return t(`sector.rule.${rule}`, { year: outline.schoolYear, n: outline.metres });
}

function rangeText(t, street, [, from, to, side, fromRepetition, toRepetition]) {
  return t(`sector.range.${to === 9999 ? "open" : "closed"}`, {
    street: street.name,
    from: `${from}${fromRepetition ?? ""}`,
    to: `${to}${toRepetition ?? ""}`,
    side: t(`sector.side.${side}`),
  });
}

// “Rattaché au collège X depuis 2023-2024, avant au collège Y”, as far as the outlines tell.
function history({ t, store }, { since, colleges }, list) {
  if (!since) return null;
  const names = (places) => list(places);
  const mine = names(colleges);
  if (since.basis === "sector" && since.start)
    return h("p", { class: "history" }, t("sector.since.sector", { year: since.start }));
  if (since.basis === "sector")
    return h(
      "p",
      { class: "history" },
      t("sector.since.partly"),
      " ",
      since.gained
        .map((part) =>
          t("sector.since.part", {
            n: part.share_pct,
            name: store.colleges[part.from].display_name,
            year: part.school_year,
          }),
        )
        .join(" ; "),
      ". ",
      t("sector.since.click"),
    );
  if (!since.before)
    return h(
      "p",
      { class: "history" },
      t("sector.since.attached"),
      " ",
      mine,
      " ",
      t("sector.since.first", { year: since.start }),
    );
  const when = since.start
    ? t("sector.since.from", { year: since.start })
    : t("sector.since.after", { year: since.beforeYear });
  const before = since.before.length ? names(since.before) : t("sector.since.none");
  return h(
    "p",
    { class: "history" },
    t("sector.since.attached"),
    " ",
    mine,
    " ",
    when,
    ", ",
    t("sector.since.before"),
    " ",
    before,
    ".",
  );
}

function figures(context, places) {
  const { t, store } = context;
  const measures = MEASURES.filter(({ id }) => id !== "nearest");
  return h(
    "dl",
    { class: "tiles" },
    places.flatMap((place) =>
      measures.map((measure) => {
        const year = store.years.findLast(measure.isAvailable);
        const row = year && store.row(store.colleges[place], year.school_year);
        const name = places.length > 1 ? `${store.colleges[place].display_name} · ` : "";
        return h(
          "div",
          { class: "tile" },
          h("dt", {}, name, t(`measure.short.${measure.id}`), year ? ` (${year.school_year})` : null),
          h("dd", {}, row ? measuredText(context, measure, row) : t("why.label")),
        );
      }),
    ),
  );
}

function definitions({ t }, { range, outline }, list) {
  const named = range?.colleges?.length ? list(range.colleges) : t("sector.silent");
  return h(
    "ul",
    { class: "plain" },
    range && h("li", {}, t("sector.by_range"), " ", named),
    h(
      "li",
      {},
      outline ? t("sector.by_outline", { year: outline.schoolYear }) : t("sector.needs_point"),
      outline && [" ", list(outline.colleges)],
    ),
  );
}

function disclaimer(context, { sources }) {
  const { t } = context;
  return h(
    "p",
    { class: "muted note" },
    t("sector.information"),
    " ",
    sources
      .map((source) =>
        t(`sector.source.${source.kind}`, {
          date: context.date(source.published_on ?? source.extracted_on),
        }),
      )
      .join(" ; "),
    ".",
  );
}
