// Where everything comes from, under which terms, and what every figure means.
import { definitionText } from "../components/definition.js";
import { h, keepYears } from "../dom.js";

const READING = ["null", "small", "breaks", "withdrawn"];

export function createView(context) {
  const { t, store } = context;
  const keys = Object.keys(store.document.definitions).sort();
  const element = h(
    "div",
    { class: "view" },
    h("h1", { tabindex: -1 }, t("sources.title")),
    h("p", { class: "intro" }, t("sources.intro")),
    h("section", { class: "card" }, h("h2", {}, t("sources.table")), sourceTable(context)),
    h(
      "section",
      { class: "card" },
      h("h2", {}, t("sources.reading")),
      h(
        "ul",
        {},
        READING.map((name) => h("li", {}, t(`sources.reading_${name}`))),
      ),
    ),
    h("section", { class: "card" }, h("h2", {}, t("sources.reuse")), h("p", {}, t("sources.reuse_text"))),
    h(
      "section",
      { class: "card" },
      h("h2", {}, t("sources.definitions")),
      h("p", { class: "muted note" }, t("sources.definitions_hint")),
      keys.map((key) => h("details", {}, h("summary", {}, h("code", {}, key)), definitionText(context, key))),
    ),
  );
  return { element, title: () => t("view.sources"), update() {} };
}

function sourceTable(context) {
  const { t, store } = context;
  const head = ["title_column", "covers", "processed", "extracted", "publisher", "licence", "rows"];
  const span = ({ dataset }) => {
    const [first, last] = store.coverage(dataset);
    return first ? keepYears(t("sources.span", { first, last })) : "–";
  };
  const moment = (value) =>
    value ? h("time", { datetime: value }, context.date(value)) : t("sources.never");
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": t("sources.table") },
    h(
      "table",
      {},
      h("caption", { class: "visually-hidden" }, t("sources.table")),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          head.map((name) => h("th", { scope: "col" }, t(`sources.${name}`))),
        ),
      ),
      h(
        "tbody",
        {},
        store.document.sources.map((source) =>
          h(
            "tr",
            {},
            h(
              "th",
              { scope: "row" },
              store.isSynthetic
                ? source.title
                : h("a", { href: source.url, rel: "external noopener" }, source.title),
            ),
            h("td", {}, span(source)),
            h("td", {}, source.extracted_at ? moment(source.portal_data_processed_at) : ""),
            h("td", {}, moment(source.extracted_at)),
            h("td", {}, source.publisher),
            h("td", {}, h("a", { href: source.licence_url, rel: "license noopener" }, source.licence)),
            h(
              "td",
              { class: "number" },
              source.rows_present === null ? "" : context.number(source.rows_present),
            ),
          ),
        ),
      ),
    ),
  );
}
