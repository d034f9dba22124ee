// Finding a collège by any part of any name it has had, its address or its arrondissement.
import { fill, folded, h, matches } from "../dom.js";

const SHOWN = 8;

// `choose(college)` gives what a hit becomes: a link or a button.
export function collegeSearch(context, { id, label, choose }) {
  const { t, store, arrondissement } = context;
  const names = new Map(
    store.colleges.map((college) => [college.college_id, new Set([college.college_name])]),
  );
  for (const row of store.document.college_school_years) names.get(row.college_id)?.add(row.college_name);
  const texts = store.colleges.map((college) => ({
    college,
    text: folded(
      [
        ...names.get(college.college_id),
        college.address,
        arrondissement(college.arrondissement_number),
        college.insee_code,
        college.uai,
      ].join(" "),
    ),
  }));
  const input = h("input", {
    type: "search",
    id,
    autocomplete: "off",
    placeholder: t("search.placeholder"),
    "aria-describedby": `${id}-found`,
    oninput: () => draw(),
  });
  const found = h("p", { id: `${id}-found`, role: "status", class: "muted" });
  const list = h("ul", { class: "hits" });

  function draw() {
    const query = input.value;
    const hits = folded(query) ? texts.filter(({ text }) => matches(text, query)) : [];
    found.textContent = folded(query) ? t("search.found", { n: hits.length }) : "";
    fill(
      list,
      hits.slice(0, SHOWN).map(({ college }) => h("li", {}, choose(college))),
    );
  }

  return {
    element: h("div", { class: "control search" }, h("label", { for: id }, label), input, found, list),
    clear() {
      input.value = "";
      draw();
    },
  };
}

export const hitText = ({ arrondissement }, college) => [
  college.college_name,
  " ",
  h("span", { class: "muted" }, arrondissement(college.arrondissement_number)),
];
