// A collège's life as the city's lists tell it: a cell a school year, and what happened, in words.
import { h } from "../dom.js";

export function lifeLine(context, college) {
  const { t, store } = context;
  const rowOf = (year) => store.schoolYear.get(`${college.college_id}|${year.school_year}`);
  const events = eventsOf(context, college);
  // The first and the last list are where our knowledge begins and ends: nothing happened there.
  const changed = new Set(
    (store.changesOf.get(college.college_id) ?? []).map((change) => change.school_year),
  );
  return [
    h("p", { class: "muted note" }, t("college.life_hint")),
    h(
      "ol",
      { class: "life-years", tabindex: 0, "aria-label": t("college.life") },
      store.years.map((year) => cell(context, year, rowOf(year), changed.has(year.school_year))),
    ),
    h(
      "ol",
      { class: "life-events" },
      [...events].flatMap(([year, sentences]) =>
        sentences.map((sentence) => h("li", {}, h("b", {}, year), h("span", {}, sentence))),
      ),
    ),
  ];
}

function cell({ t }, year, row, hasEvent) {
  const state = row ? (row.is_withdrawn ? "withdrawn" : "present") : year.isHeld ? "absent" : "not-held";
  const words = {
    present: t("college.present"),
    withdrawn: `${t("college.present")}, ${t("year.withdrawn")}`,
    absent: t("college.absent"),
    "not-held": t("year.not_held"),
  };
  return h(
    "li",
    { class: `${state}${hasEvent ? " event" : ""}`, title: `${year.school_year}: ${words[state]}` },
    h("span", { class: "bar", "aria-hidden": "true" }),
    h("span", {}, year.school_year),
    h("span", { class: "visually-hidden" }, ` ${words[state]}`),
  );
}

// School year → sentences, in order of time.
function eventsOf(context, college) {
  const { t, store } = context;
  const id = college.college_id;
  const events = new Map();
  const say = (year, sentence) => events.set(year, [...(events.get(year) ?? []), sentence]);
  const first = store.schoolYear.get(`${id}|${college.first_school_year}`);
  say(
    college.first_school_year,
    t("college.first_held", { name: first.college_name, address: first.address ?? t("college.no_address") }),
  );
  const changes = [...(store.changesOf.get(id) ?? [])].sort((a, b) =>
    a.school_year.localeCompare(b.school_year),
  );
  for (const change of changes) say(change.school_year, sentence(context, change));
  if (college.is_open) say(college.last_school_year, t("college.last_open"));
  return new Map([...events].sort(([a], [b]) => a.localeCompare(b)));
}

export function sentence({ t, metres }, change) {
  const moved = change.moved_m === null ? "" : metres(change.moved_m);
  return t(`change.sentence.${change.change_type}`, { from: change.from_value, to: change.to_value, moved });
}
