import "./style.css";
import { load } from "./data.js";
import { h } from "./dom.js";
import { chosenLanguage, createLanguage } from "./i18n/index.js";
import { createShell } from "./shell.js";
import { Sectors } from "./sectors.js";
import { format, linkTo, parse } from "./state.js";
import { createView as anomalies } from "./views/anomalies.js";
import { createView as arrondissements } from "./views/arrondissements.js";
import { createView as changes } from "./views/changes.js";
import { createView as college } from "./views/college.js";
import { createView as compare } from "./views/compare.js";
import { createView as distances } from "./views/distances.js";
import { createView as map } from "./views/overview.js";
import { createView as sector } from "./views/sector.js";
import { createView as sources } from "./views/sources.js";

const VIEWS = {
  map,
  sector,
  arrondissements,
  distances,
  changes,
  anomalies,
  compare,
  college,
  sources,
};

function start(store) {
  let state = parse(location.hash);
  const sectors = new Sectors(store);
  let language;
  let context;
  let shell;
  let view;
  let shown;

  function createContext() {
    return {
      ...language,
      store,
      sectors,
      state: () => state,
      // The school year the address asks for; null: each measure's latest.
      year: () => (store.year(state.params.year) ? state.params.year : null),
      link: (name, id, params) => linkTo(state, name, id, params),
      change,
    };
  }

  // Another state of the same view. Passing ones (typing, sliding) leave no entry in the history.
  function change(params, { isPassing = false } = {}) {
    state = { ...state, params: { ...state.params, ...params } };
    history[isPassing ? "replaceState" : "pushState"](null, "", format(state));
    render();
  }

  function render() {
    const wanted = chosenLanguage(state.params);
    if (language?.language !== wanted) {
      language = createLanguage(wanted);
      context = createContext();
      shell = createShell(context);
      document.body.replaceChildren(...shell.elements);
      shown = null;
    }
    const name = `${state.view}/${state.id ?? ""}`;
    const isNew = shown !== name;
    if (isNew) {
      view = VIEWS[state.view](context, state.id);
      shell.main.replaceChildren(view.element);
    }
    view.update(state);
    document.title = [
      view.title(),
      language.t("page.title"),
      store.isSynthetic && language.t("page.synthetic"),
    ]
      .filter(Boolean)
      .join(" · ");
    shell.update(state);
    // A reader who came by a link hears where they are; the first page takes no focus.
    if (isNew && shown) {
      scrollTo(0, 0);
      shell.main.querySelector("h1")?.focus({ preventScroll: true });
    }
    shown = name;
    document.body.dataset.ready = name;
  }

  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    view.update(state);
  });
  addEventListener("popstate", () => {
    state = parse(location.hash);
    render();
  });
  addEventListener("beforeprint", () => view.print?.(true));
  addEventListener("afterprint", () => view.print?.(false));
  render();
}

try {
  start(await load(new URL("data/dashboard.json", document.baseURI)));
} catch (error) {
  const { t } = createLanguage(chosenLanguage(parse(location.hash).params));
  document.body.replaceChildren(
    h(
      "main",
      {},
      h("h1", {}, t("page.title")),
      h("p", { class: "notice", role: "alert" }, t("page.failed")),
      h("p", {}, h("button", { type: "button", onclick: () => location.reload() }, t("page.reload"))),
    ),
  );
  throw error;
}
