// Elements without markup strings: text is always text, so no name can become code.

const PROPERTIES = new Set(["value", "checked", "disabled", "selected"]);

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...flat(children));
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren(...flat(children));
  return element;
}

const flat = (children) =>
  children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);

// A text whose school years do not break at their hyphen.
export const keepYears = (text) =>
  text.split(/(\d{4}-\d{4})/).map((part, index) => (index % 2 ? h("span", { class: "nowrap" }, part) : part));

// For searching and sorting: no accents, no case, punctuation as spaces.
export function folded(text) {
  return String(text ?? "")
    .normalize("NFD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim();
}

// True where every word of the query stands somewhere in the text.
export function matches(foldedText, query) {
  return folded(query)
    .split(" ")
    .every((word) => foldedText.includes(word));
}
