// Each figure's definition, one click away: the dbt docs' own text, from the export.
import { fill, h } from "../dom.js";
import { frenchSpaces } from "../i18n/index.js";

export function definitionButton(context, key, name) {
  const label = context.t("definition.open", { name });
  return h(
    "button",
    {
      type: "button",
      class: "definition",
      "aria-label": label,
      title: label,
      onclick: () => show(context, key, name),
    },
    "?",
  );
}

// A name with its definition behind it.
export const defined = (context, key, name) =>
  h("span", { class: "defined" }, name, definitionButton(context, key, name));

export function definitionText({ store, language, t }, key) {
  const { en, fr } = store.document.definitions[key];
  const english = h("p", { lang: "en" }, en);
  const origin = h("p", { class: "muted" }, t("definition.from"), " ", h("code", {}, key));
  if (language === "en") return [english, origin];
  return [
    fr ? h("p", {}, frenchSpaces(fr)) : h("p", { class: "muted" }, t("definition.untranslated")),
    origin,
    english,
  ];
}

function show(context, key, name) {
  const { t } = context;
  const dialog = document.getElementById("definition");
  const close = h("button", { type: "button", onclick: () => dialog.close() }, t("definition.close"));
  fill(dialog, h("h2", { id: "definition-title" }, name), definitionText(context, key), close);
  dialog.showModal();
}
