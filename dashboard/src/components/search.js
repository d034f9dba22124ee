// Finding a collège by any part of any name it has had, its address, its arrondissement or postcode.
import { fill, folded, h, matches } from "../dom.js";

const SHOWN = 8;

// `choose(college)` gives what a hit becomes: a link or a button. `before(query)` gives hits that stand
// first, once `ready()` has loaded what they need; `otherwise(query)` takes an Enter that found nothing.
export function collegeSearch(
  context,
  { id, label, choose, placeholder = null, before = () => [], ready = () => null, otherwise = () => null },
) {
  const { t, store, arrondissement } = context;
  const names = new Map(
    store.colleges.map((college) => [
      college.college_id,
      new Set([college.display_name, college.college_name]),
    ]),
  );
  for (const row of store.document.college_school_years) names.get(row.college_id)?.add(row.college_name);
  const texts = store.colleges.map((college) => ({
    college,
    text: folded(
      [
        "collège",
        ...names.get(college.college_id),
        college.address,
        arrondissement(college.arrondissement_number),
        college.arrondissement_number && `750${String(college.arrondissement_number).padStart(2, "0")}`,
        college.insee_code,
        college.uai,
      ].join(" "),
    ),
  }));
  const input = h("input", {
    type: "search",
    id,
    autocomplete: "off",
    placeholder: placeholder ?? t("search.placeholder"),
    "aria-describedby": `${id}-found`,
    oninput: () => drawWhenReady(),
    onfocus: () => load(),
    onkeydown: (event) => onKey(event),
  });
  const found = h("p", { id: `${id}-found`, role: "status", class: "muted" });
  const list = h("ul", { class: "hits", onkeydown: (event) => onKey(event) });
  let problem = null;

  async function load() {
    try {
      await ready();
    } catch (error) {
      problem = error;
    }
  }

  function draw() {
    const query = input.value;
    const first = folded(query) ? before(query) : [];
    const hits = folded(query) ? texts.filter(({ text }) => matches(text, query)) : [];
    found.textContent = problem
      ? t("page.failed")
      : folded(query) && !first.length
        ? t("search.found", { n: hits.length })
        : "";
    fill(
      list,
      [...first, ...hits.slice(0, SHOWN).map(({ college }) => choose(college))].map((hit) =>
        h("li", {}, hit),
      ),
    );
  }

  const hits = () => [...list.querySelectorAll("a, button")];

  // Whoever already walks through the hits keeps their place when more of them arrive.
  async function drawWhenReady() {
    draw();
    await load();
    const place = hits().indexOf(document.activeElement);
    const text = document.activeElement.textContent;
    draw();
    if (place >= 0) (hits().find((hit) => hit.textContent === text) ?? hits()[place] ?? input).focus();
  }

  // Enter takes the first hit, the arrows walk through them, Escape leaves.
  async function onKey(event) {
    if (event.key === "Enter" && event.target === input) {
      event.preventDefault();
      await drawWhenReady();
      const [first] = hits();
      if (first) first.click();
      else otherwise(input.value);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const stops = [input, ...hits()];
      const step = event.key === "ArrowDown" ? 1 : -1;
      stops[(stops.indexOf(document.activeElement) + step + stops.length) % stops.length]?.focus();
    } else if (event.key === "Escape") {
      clear();
      input.focus();
    }
  }

  function clear() {
    input.value = "";
    draw();
  }

  return {
    element: h("div", { class: "control search" }, h("label", { for: id }, label), input, found, list),
    clear,
  };
}

export const hitText = ({ arrondissement }, college) => [
  college.display_name,
  " ",
  h("span", { class: "muted" }, arrondissement(college.arrondissement_number)),
];
