// A sortable, searchable, paged table on plain HTML. Its sort, search and page stand in the address.
import { fill, folded, h, matches } from "../dom.js";
import { definitionButton } from "./definition.js";
import { downloads } from "./downloads.js";
import { reasons } from "./figures.js";

const PAGE_ROWS = 25;
const PRINTED_ROWS = 300;

// A column: {key, label, value(row), text(row)?, cell(row)?, isNumber?, isLong?, definition?, note()?,
// isShown(rows)?}; `value` sorts and goes into files, `text` is what a reader searches and sees, `cell` is
// shown in its place. `note` stands below the label: the year, where columns are of different years.
// `sort` is a column's key, with a minus where the largest comes first.
export function createTable(context, { name, columns, tables, sort, geometry = () => null }) {
  const { t, collator } = context;
  let rows = [];
  let title = "";
  let state = context.state();

  const text = (column, row) => (column.text ?? column.value)(row) ?? "";
  const body = h("tbody");
  const caption = h("caption", { class: "visually-hidden" });
  const region = h("div", { class: "scroll", tabindex: 0, role: "region" });
  const count = h("output", { class: "muted" });
  const previous = h("button", { type: "button", onclick: () => turn(-1) }, t("table.previous"));
  const next = h("button", { type: "button", onclick: () => turn(1) }, t("table.next"));
  const search = h("input", {
    type: "search",
    id: `${name}-search`,
    autocomplete: "off",
    oninput: () =>
      context.change({ [`${name}.q`]: search.value, [`${name}.page`]: null }, { isPassing: true }),
  });
  const headNotes = columns.map(() => h("span", { class: "of-year" }));
  const heads = columns.map(head);
  const why = h("div");
  const printed = h("p", { class: "printed-only muted" });
  const files = h("div", { class: "downloads" });
  region.append(h("table", {}, caption, h("thead", {}, h("tr", {}, heads)), body));
  const element = h(
    "div",
    { class: "data-table", id: `${name}-table` },
    h("div", { class: "table-tools" }, h("label", { for: search.id }, t("table.search")), search),
    region,
    why,
    printed,
    h("div", { class: "pager" }, count, previous, next),
    files,
  );

  function head(column, index) {
    const button = h(
      "button",
      { type: "button", class: "sort", onclick: () => sortBy(column) },
      column.label,
    );
    return h(
      "th",
      { scope: "col", class: column.isNumber ? "number" : null },
      button,
      column.definition && definitionButton(context, column.definition, column.label),
      " ",
      headNotes[index],
    );
  }

  const shownColumns = () => columns.filter((column) => !column.isShown || column.isShown(rows));

  const order = () => {
    const wanted = state.params[`${name}.sort`] ?? sort;
    const key = wanted.replace(/^-/, "");
    return columns.some((column) => column.key === key)
      ? { key, isDescending: wanted.startsWith("-") }
      : { key: sort.replace(/^-/, ""), isDescending: sort.startsWith("-") };
  };

  function sortBy(column) {
    const { key, isDescending } = order();
    const descending = key === column.key ? !isDescending : false;
    context.change({ [`${name}.sort`]: `${descending ? "-" : ""}${column.key}`, [`${name}.page`]: null });
  }

  function turn(by) {
    context.change({ [`${name}.page`]: String(page(selected().length) + by) });
  }

  const page = (length) => {
    const pages = Math.max(1, Math.ceil(length / PAGE_ROWS));
    const wanted = Number.parseInt(state.params[`${name}.page`] ?? "1", 10);
    return Math.min(Math.max(1, wanted || 1), pages);
  };

  // Rows that match the search, in order; what is not published comes last either way.
  function selected() {
    const query = state.params[`${name}.q`] ?? "";
    const { key, isDescending } = order();
    const column = columns.find((candidate) => candidate.key === key);
    const found = query
      ? rows.filter((row) => matches(folded(columns.map((each) => text(each, row)).join(" ")), query))
      : [...rows];
    return found.sort((one, other) => {
      const [a, b] = [column.value(one), column.value(other)];
      if (a === null || b === null) return (a === null) - (b === null);
      const difference = typeof a === "number" ? a - b : collator.compare(a, b);
      return isDescending ? -difference : difference;
    });
  }

  function draw(isPrinting = false) {
    const found = selected();
    const current = page(found.length);
    const shown = isPrinting
      ? found.slice(0, PRINTED_ROWS)
      : found.slice((current - 1) * PAGE_ROWS, current * PAGE_ROWS);
    const { key, isDescending } = order();
    const visible = shownColumns();
    heads.forEach((cell, index) => {
      cell.hidden = !visible.includes(columns[index]);
      headNotes[index].textContent = columns[index].note?.() ?? "";
      const isSorted = columns[index].key === key;
      cell.ariaSort = isSorted ? (isDescending ? "descending" : "ascending") : null;
      if (!isSorted) cell.removeAttribute("aria-sort");
    });
    fill(
      body,
      shown.length
        ? shown.map((row) => line(row, visible))
        : h("tr", {}, h("td", { colspan: visible.length }, t("table.empty"))),
    );
    fill(why, reasons(context, body));
    caption.textContent = title;
    region.setAttribute("aria-label", title);
    const pages = Math.max(1, Math.ceil(found.length / PAGE_ROWS));
    count.textContent = `${t("table.rows", { n: found.length })} · ${t("table.page", { page: current, pages })}`;
    previous.disabled = current === 1;
    next.disabled = current === pages;
    printed.textContent = found.length > PRINTED_ROWS ? t("table.printed", { n: PRINTED_ROWS }) : "";
    if (document.activeElement !== search) search.value = state.params[`${name}.q`] ?? "";
    fill(files, downloads(context, { name, title, columns: visible, tables, geometry, rows: found }));
  }

  const line = (row, visible) =>
    h(
      "tr",
      {},
      visible.map((column, index) =>
        h(
          index === 0 ? "th" : "td",
          {
            scope: index === 0 ? "row" : null,
            class: column.isNumber
              ? "number"
              : column.isLong
                ? "table-text"
                : column.key === "school_year"
                  ? "nowrap"
                  : null,
          },
          column.cell ? column.cell(row) : text(column, row),
        ),
      ),
    );

  return {
    element,
    update(newTitle, newRows) {
      [title, rows, state] = [newTitle, newRows, context.state()];
      draw();
    },
    print: draw,
  };
}
