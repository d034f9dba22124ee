// What a point stands for, on hover and on focus alike.
import { fill, h } from "../dom.js";
import { measured, whyText } from "./figures.js";

export function tooltip(context, container, points, measure) {
  const { t } = context;
  const card = h("div", { class: "tip", hidden: true, "aria-hidden": "true" });
  container.append(card);

  function show({ element, row }) {
    const year = context.store.yearOf(row, measure);
    const session = measure.tables.includes("results") && row.result;
    const reason = measure.value(row) === null && whyText(context, measure, row);
    fill(
      card,
      h("strong", {}, row.display_name),
      h(
        "span",
        {},
        [context.arrondissement(row.arrondissement_number), row.address].filter(Boolean).join(" · "),
      ),
      h(
        "span",
        {},
        t(`measure.${measure.id}`),
        " (",
        session ? t("measure.session", { session: row.result.session }) : year?.school_year,
        ")",
      ),
      h("b", {}, measured(context, measure, row)),
      reason && h("span", { class: "muted" }, reason),
      !row.is_open && h("span", {}, t("status.closed", { year: row.last_school_year })),
      row.changes.map((change) => h("span", {}, t(`change.${change.change_type}`))),
    );
    card.hidden = false;
    place(card, container, element);
  }

  for (const point of points) {
    point.element.addEventListener("pointerenter", () => show(point));
    point.element.addEventListener("focus", () => show(point));
    for (const leaving of ["pointerleave", "blur"])
      point.element.addEventListener(leaving, () => (card.hidden = true));
    point.element.addEventListener("keydown", (event) => event.key === "Escape" && (card.hidden = true));
  }
}

function place(card, container, element) {
  const frame = container.getBoundingClientRect();
  const box = element.getBoundingClientRect();
  const left = box.x + box.width / 2 - frame.x - card.offsetWidth / 2;
  const above = box.y - frame.y - card.offsetHeight - 8;
  card.style.left = `${Math.max(0, Math.min(left, frame.width - card.offsetWidth))}px`;
  card.style.top = `${above > 0 ? above : box.bottom - frame.y + 8}px`;
}
