// What happened between school years, and what the portals did to what they had published.
import { select } from "../components/controls.js";
import { defined } from "../components/definition.js";
import { collegeLink, point } from "../components/figures.js";
import { createTable } from "../components/table.js";
import { fill, h } from "../dom.js";
import { recordParts } from "../data.js";

const TYPES = ["opened", "closed", "renamed", "relocated", "readdressed", "point_moved", "respelled"];
const EDIT_TYPES = ["edited", "withdrawn", "restored"];

export function createView(context) {
  const { t, store } = context;
  const type = select(context, {
    id: "type",
    label: t("changes.type"),
    options: [
      ["", t("changes.type_default")],
      ["all", t("changes.type_all")],
      ...TYPES.map((id) => [id, t(`change.${id}`)]),
    ],
    parameter: "type",
    initial: "",
  });
  const years = [...new Set(store.changes.map((change) => change.school_year))].sort().reverse();
  const since = select(context, {
    id: "changed-in",
    label: t("changes.year"),
    options: [["", t("changes.year_all")], ...years.map((year) => [year, year])],
    parameter: "in",
    initial: "",
  });
  const editType = select(context, {
    id: "edit-type",
    label: t("changes.edit_type"),
    options: [["", t("changes.type_all")], ...EDIT_TYPES.map((id) => [id, t(`edit.${id}`)])],
    parameter: "edit",
    initial: "",
  });
  const changes = changeTable(context);
  const edits = editTable(context);
  const groups = h("ol", { class: "feed" });
  const element = h(
    "div",
    { class: "view" },
    h("h1", { tabindex: -1 }, t("changes.title")),
    h("p", { class: "intro" }, t("changes.intro")),
    h(
      "section",
      { class: "card" },
      h("h2", {}, defined(context, "fct_college_change", t("changes.between"))),
      h("p", { class: "muted note" }, t("changes.between_hint")),
      h("div", { class: "filters" }, type.element, since.element),
      changes.element,
    ),
    h(
      "section",
      { class: "card" },
      h("h2", {}, defined(context, "fct_portal_edit", t("changes.portal"))),
      h("p", { class: "muted note" }, t("changes.portal_hint")),
      groups,
      h("h3", {}, t("changes.portal_records")),
      h("div", { class: "filters" }, editType.element),
      edits.element,
    ),
  );
  return {
    element,
    title: () => t("view.changes"),
    update({ params }) {
      type.update(params.type);
      since.update(params.in);
      editType.update(params.edit);
      const isWanted = (change) =>
        params.type
          ? params.type === "all" || change.change_type === params.type
          : change.change_type !== "respelled";
      changes.update(
        t("changes.between"),
        store.changes.filter(
          (change) => isWanted(change) && (!params.in || change.school_year === params.in),
        ),
      );
      fill(groups, editGroups(context));
      edits.update(
        t("changes.portal_records"),
        store.portalEdits.filter((edit) => !params.edit || edit.edit_type === params.edit),
      );
    },
    print(isPrinting) {
      changes.print(isPrinting);
      edits.print(isPrinting);
    },
  };
}

function changeTable(context) {
  const { t, store } = context;
  const name = (row) => store.nameOf(row.college_id);
  return createTable(context, {
    name: "changes",
    tables: ["changes"],
    sort: "-school_year",
    geometry: (row) => point(store.college.get(row.college_id)),
    columns: [
      { key: "school_year", label: t("column.school_year"), value: (row) => row.school_year },
      {
        key: "change_type",
        label: t("column.change"),
        definition: "fct_college_change.change_type",
        value: (row) => row.change_type,
        text: (row) => t(`change.${row.change_type}`),
        cell: (row) => h("span", { class: `badge ${row.change_type}` }, t(`change.${row.change_type}`)),
      },
      {
        key: "display_name",
        label: t("column.college"),
        value: name,
        text: (row) => `${name(row)} ${store.college.get(row.college_id).college_name}`,
        cell: (row) => collegeLink(context, row.college_id, name(row)),
      },
      ...["from_value", "to_value"].map((key) => ({
        key,
        label: t(key === "from_value" ? "column.from" : "column.to"),
        value: (row) => row[key],
        text: (row) => context.value(row[key]),
      })),
      {
        key: "moved_m",
        label: t("column.moved"),
        definition: "fct_college_change.moved_m",
        value: (row) => row.moved_m,
        text: (row) => (row.moved_m === null ? "" : context.metres(row.moved_m)),
        isNumber: true,
      },
    ],
  });
}

function editTable(context) {
  const { t, store } = context;
  const titles = new Map(store.document.sources.map((source) => [source.dataset, source.title]));
  return createTable(context, {
    name: "edits",
    tables: ["portal_edits"],
    sort: "-detected_at",
    columns: [
      {
        key: "record_key",
        label: t("column.record"),
        value: (row) => row.record_key,
        text: (row) => recordParts(row.record_key).join(" · "),
      },
      {
        key: "edit_type",
        label: t("column.edit"),
        definition: "fct_portal_edit.edit_type",
        value: (row) => row.edit_type,
        text: (row) => t(`edit.${row.edit_type}`),
      },
      {
        key: "display_name",
        label: t("column.college"),
        value: (row) => (row.college_id ? store.nameOf(row.college_id) : null),
        cell: (row) => row.college_id && collegeLink(context, row.college_id),
      },
      ...["field", "old_value", "new_value"].map((key) => ({
        key,
        label: t({ field: "column.field", old_value: "column.from", new_value: "column.to" }[key]),
        value: (row) => row[key],
        isShown: (rows) => rows.some((row) => row[key] !== null),
      })),
      {
        key: "detected_at",
        label: t("column.detected"),
        value: (row) => row.detected_at,
        text: (row) => context.shortDate(row.detected_at),
      },
      {
        key: "dataset",
        label: t("column.dataset"),
        value: (row) => row.dataset,
        text: (row) => titles.get(row.dataset) ?? row.dataset,
      },
    ],
  });
}

// One line for all that one load found of a kind in a dataset.
function editGroups(context) {
  const { t, store } = context;
  const titles = new Map(store.document.sources.map((source) => [source.dataset, source.title]));
  const groups = new Map();
  for (const edit of store.portalEdits) {
    const key = [edit.detected_at, edit.dataset, edit.edit_type].join("|");
    groups.set(key, { ...edit, n: (groups.get(key)?.n ?? 0) + 1 });
  }
  if (groups.size === 0) return h("li", {}, t("changes.none"));
  return [...groups.values()]
    .reverse()
    .map((group) =>
      h(
        "li",
        {},
        h("time", { datetime: group.detected_at }, context.date(group.detected_at)),
        h("span", {}, t(`edit.group.${group.edit_type}`, { n: group.n })),
        h("span", { class: "muted" }, titles.get(group.dataset) ?? group.dataset),
      ),
    );
}
