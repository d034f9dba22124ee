// Arrondissements by number of collèges; each is a button that filters the page.
import { hierarchy, treemap } from "d3-hierarchy";
import { fill, h } from "../dom.js";

const FULL = 100;

export function drawTreemap(context, container, { rows, isHeld, chosen }) {
  const { t } = context;
  const count = (row) => (isHeld ? row.college_count : row.result_college_count);
  const counted = rows.filter((row) => count(row) > 0);
  if (counted.length === 0) return fill(container, h("p", { class: "empty" }, t("treemap.empty")));
  const largest = Math.max(...counted.map(count));
  const root = hierarchy({ children: counted })
    .sum((row) => (row.children ? 0 : count(row)))
    .sort((a, b) => b.value - a.value);
  const leaves = treemap().size([FULL, FULL]).paddingInner(0.6)(root).leaves();
  return fill(
    container,
    !isHeld && h("p", { class: "muted note" }, t("treemap.results_only")),
    h(
      "div",
      { class: "treemap" },
      leaves.map((leaf) => button(context, leaf, count(leaf.data) / largest, chosen)),
    ),
  );
}

function button(context, leaf, share, chosen) {
  const number = leaf.data.arrondissement_number;
  const isChosen = number === chosen;
  const name = context.arrondissement(number);
  const element = h(
    "button",
    {
      type: "button",
      id: `leaf-${number}`,
      class: "leaf",
      "aria-pressed": String(isChosen),
      onclick: () => context.change({ arr: isChosen ? null : String(number) }),
    },
    h("b", {}, name),
    " ",
    h(
      "span",
      {},
      leaf.value,
      h("span", { class: "visually-hidden" }, " ", context.t("treemap.unit", { n: leaf.value })),
    ),
  );
  const percent = (value) => `${value}%`;
  Object.assign(element.style, {
    left: percent(leaf.x0),
    top: percent(leaf.y0),
    width: percent(leaf.x1 - leaf.x0),
    height: percent(leaf.y1 - leaf.y0),
  });
  element.style.setProperty("--share", share.toFixed(2));
  return element;
}
