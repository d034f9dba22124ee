// What stands around every view: title, navigation, language, search, sources.
import { addressSearch } from "./components/address-search.js";
import { fill, h } from "./dom.js";
import { otherLanguage } from "./i18n/index.js";
import { VIEWS } from "./state.js";

export function createShell(context) {
  const { t, store, language } = context;
  const links = VIEWS.filter((view) => view !== "college").map((view) => ({
    view,
    element: h("a", {}, t(`view.${view}`)),
  }));
  const other = otherLanguage(language);
  const languageButton = h(
    "button",
    { type: "button", id: "language", lang: other, onclick: () => switchLanguage() },
    t("page.other_language"),
  );
  const search = addressSearch(context, {
    id: "find",
    label: t(context.sectors.isHeld ? "search.address_label" : "search.label"),
  });
  const main = h("main", { id: "content", tabindex: -1 });
  const skip = h(
    "a",
    { href: "#content", class: "skip", onclick: (event) => (event.preventDefault(), main.focus()) },
    t("page.skip"),
  );
  const banner =
    store.isSynthetic &&
    h(
      "aside",
      { class: "synthetic", "aria-label": t("page.synthetic") },
      h("strong", {}, `${t("page.synthetic")}.`),
      " ",
      t("page.synthetic_text"),
    );

  function switchLanguage() {
    context.change({ lang: other });
    document.getElementById("language").focus();
  }

  document.documentElement.lang = language;
  return {
    main,
    elements: [
      skip,
      banner,
      h(
        "header",
        { class: "page" },
        h(
          "div",
          { class: "brand" },
          h("p", { class: "title" }, t("page.title")),
          h("p", { class: "muted" }, t("page.subtitle")),
        ),
        search.element,
        languageButton,
        h(
          "nav",
          { "aria-label": t("page.navigation") },
          links.map(({ element }) => element),
        ),
      ),
      main,
      footer(context),
      h("dialog", { id: "definition", "aria-labelledby": "definition-title" }),
    ].filter(Boolean),
    update(state) {
      for (const { view, element } of links) {
        element.setAttribute("href", context.link(view));
        if (view === state.view) element.setAttribute("aria-current", "page");
        else element.removeAttribute("aria-current");
      }
    },
  };
}

function footer(context) {
  const { t, store } = context;
  const list = h("ul", { class: "plain" });
  fill(
    list,
    store.document.sources
      .filter((source) => source.extracted_at)
      .map((source) =>
        h(
          "li",
          {},
          t("provenance.line", {
            publisher: source.publisher,
            title: source.title,
            licence: source.licence,
            date: context.date(source.portal_data_processed_at ?? source.extracted_at),
            extracted: context.date(source.extracted_at),
          }),
        ),
      ),
  );
  return h(
    "footer",
    {},
    store.isSynthetic &&
      h("p", {}, h("strong", {}, `${t("page.synthetic")}.`), " ", t("page.synthetic_text")),
    h("h2", {}, t("provenance.source")),
    list,
    store.document.docs_url && h("p", {}, h("a", { href: docsAddress(context) }, t("page.docs"))),
    h("p", { class: "muted" }, t("provenance.exported", { date: context.date(store.document.exported_at) })),
  );
}

// The site's first page is in both languages.
const docsAddress = ({ language, store: { document } }) =>
  document.docs_url.replace(/index\.html$/, language === "en" ? "en/index.html" : "index.html?lang=fr");
