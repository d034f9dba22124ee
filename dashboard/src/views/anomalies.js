// The errors of the portals, with evidence, dates and where to report them: for those who can mend them.
import { select } from "../components/controls.js";
import { defined } from "../components/definition.js";
import { collegeLink } from "../components/figures.js";
import { createTable } from "../components/table.js";
import { recordParts, recordsAddress } from "../data.js";
import { fill, h, keepYears } from "../dom.js";

// In the order in which they want mending.
const KINDS = [
  "address_missing",
  "point_missing",
  "place_contradicts_itself",
  "point_moved",
  "name_changed",
  "identity_in_doubt",
  "sector_names_no_college",
  "school_year_unusable",
  "taken_back",
  "withdrawn",
];

// Why a school year does not count, as rpt_college_record_not_counted has it.
const REASONS = ["partial_school_year", "implausible_school_year", "unknown_label"];

// Another collège that could be the same, as rpt_portal_anomaly writes it: its name, why, its identifier.
const DOUBTS = [
  "contested",
  "other_uai",
  "name_of_another",
  "two_names_side_by_side",
  "replaced_within_year",
];
const DOUBT = new RegExp(`^(.*) \\((${DOUBTS.join("|")}), (c[0-9a-f]{12})\\)$`);

export function createView(context) {
  const { t, store } = context;
  const counts = Map.groupBy(store.document.anomalies, (row) => row.kind);
  const present = KINDS.filter((kind) => counts.has(kind));
  const kind = select(context, {
    id: "kind",
    label: t("anomalies.kind"),
    options: [
      ["", t("anomalies.to_mend")],
      ["all", t("changes.type_all")],
      ...present.map((id) => [id, t(`anomaly.${id}`)]),
    ],
    parameter: "kind",
    initial: "",
  });
  const table = anomalyTable(context);
  const summary = h("dl", { class: "anomaly-kinds" });
  const element = h(
    "div",
    { class: "view" },
    h("h1", { tabindex: -1 }, t("anomalies.title")),
    h("p", { class: "intro" }, t("anomalies.intro")),
    h(
      "section",
      { class: "card" },
      h("h2", {}, defined(context, "rpt_portal_anomaly", t("anomalies.kinds"))),
      summary,
      h("h2", {}, t("anomalies.report")),
      h("p", {}, t("anomalies.report_text")),
      h("ul", {}, reportLinks(context)),
    ),
    h(
      "section",
      { class: "card" },
      h("h2", {}, t("anomalies.records")),
      h("div", { class: "filters" }, kind.element),
      table.element,
    ),
  );
  return {
    element,
    title: () => t("view.anomalies"),
    update({ params }) {
      kind.update(params.kind);
      fill(
        summary,
        present.flatMap((id) => [
          h(
            "dt",
            {},
            h("a", { href: context.link("anomalies", null, { kind: id }) }, t(`anomaly.${id}`)),
            " ",
            h("b", { class: "count", "data-kind": id }, context.number(counts.get(id).length)),
          ),
          h("dd", {}, t(`anomaly.${id}.text`)),
        ]),
        present.length === 0 && h("dd", {}, t("anomalies.none")),
      );
      const wanted = (row) =>
        params.kind
          ? params.kind === "all" || row.kind === params.kind
          : row.kind !== "withdrawn" || present.length === 1;
      table.update(t("anomalies.records"), store.document.anomalies.filter(wanted));
    },
    print: table.print,
  };
}

// The portal's own page of each dataset, where its form for remarks is.
function reportLinks(context) {
  const { store, t } = context;
  const ids = new Set(store.document.anomalies.map((row) => row.dataset));
  return store.document.sources
    .filter((source) => ids.has(source.dataset))
    .map((source) =>
      h(
        "li",
        {},
        store.isSynthetic
          ? source.title
          : h("a", { href: `${source.url}information/`, rel: "external noopener" }, source.title),
        ` (${t("anomalies.as_of", { date: source.portal_data_processed_at ? context.date(source.portal_data_processed_at) : "?" })})`,
      ),
    );
}

function anomalyTable(context) {
  const { t, store } = context;
  const source = new Map(store.document.sources.map((each) => [each.dataset, each]));
  const record = (row) => (row.record_key ? recordParts(row.record_key).join(" · ") : "");
  const day = (moment) => (moment ? moment.slice(0, 10) : null);
  const rank = (row) => String(KINDS.indexOf(row.kind)).padStart(2, "0");
  // A reason in words, another collège by its name; a value of the portal as it is.
  const contradicting = ({ kind, contradicting_value: text }) => {
    if (REASONS.includes(text)) return t(`reason.${text}`);
    const [, name, why, id] = (kind === "identity_in_doubt" && DOUBT.exec(text)) || [];
    return why ? t(`doubt.${why}`, { name: store.college.get(id)?.display_name ?? name }) : text;
  };
  // The portal's table, narrowed to the records that say the first part of the key.
  const address = (row) =>
    row.record_key && recordsAddress(source.get(row.dataset), recordParts(row.record_key)[0]);
  return createTable(context, {
    name: "anomalies",
    tables: ["anomalies"],
    sort: "kind",
    columns: [
      {
        key: "kind",
        label: t("anomalies.kind"),
        definition: "rpt_portal_anomaly.kind",
        value: rank,
        file: (row) => row.kind,
        text: (row) => t(`anomaly.${row.kind}`),
      },
      {
        key: "record",
        label: t("column.record"),
        value: record,
        cell(row) {
          if (!row.record_key) return null;
          const content = keepYears(record(row));
          return store.isSynthetic || row.is_withdrawn
            ? content
            : h("a", { href: address(row), rel: "external noopener" }, content);
        },
      },
      { key: "school_year", label: t("column.school_year"), value: (row) => row.school_year },
      {
        key: "college_name",
        label: t("column.college"),
        value: (row) => (store.college.has(row.college_id) ? store.nameOf(row.college_id) : null),
        cell: (row) => store.college.has(row.college_id) && collegeLink(context, row.college_id),
        isShown: (rows) => rows.some((row) => row.college_id),
      },
      {
        key: "published_value",
        label: t("anomalies.published"),
        definition: "rpt_portal_anomaly.published_value",
        value: (row) => row.published_value,
        text: (row) => context.value(row.published_value),
        isShown: (rows) => rows.some((row) => row.published_value !== null),
      },
      {
        key: "contradicting_value",
        label: t("anomalies.contradicts"),
        definition: "rpt_portal_anomaly.contradicting_value",
        value: contradicting,
        text: (row) => context.value(contradicting(row)),
        isShown: (rows) => rows.some((row) => row.contradicting_value !== null),
      },
      {
        key: "first_extracted",
        label: t("anomalies.first"),
        definition: "rpt_portal_anomaly.first_extracted_at",
        value: (row) => day(row.first_extracted_at),
        text: (row) => (row.first_extracted_at ? context.shortDate(row.first_extracted_at) : ""),
      },
      {
        key: "last_extracted",
        label: t("anomalies.last"),
        definition: "rpt_portal_anomaly.last_extracted_at",
        value: (row) => day(row.last_extracted_at),
        text: (row) =>
          row.last_extracted_at
            ? t(row.is_withdrawn ? "anomalies.gone" : "anomalies.still", {
                date: context.shortDate(row.last_extracted_at),
              })
            : "",
      },
      {
        key: "dataset",
        label: t("column.dataset"),
        value: (row) => row.dataset,
        text: (row) => source.get(row.dataset)?.title ?? row.dataset,
      },
    ],
  });
}
