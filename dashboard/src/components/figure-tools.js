// What stands below every figure: its citation and its address to copy, and the figure as SVG or PNG.
import { h } from "../dom.js";
import { fileName, save } from "../files.js";
import { provenance } from "../provenance.js";

const SCALE = 2; // of the PNG, for print
const SVG = "http://www.w3.org/2000/svg";
const STYLES = [
  "fill",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "opacity",
  "fill-opacity",
  "font-weight",
];
const TEXT = 13;
const TITLE = 15;

// `svg()` gives the figure as it is drawn; `key`, what its colours stand for, goes into the file as words.
export function figureTools(context, { name, title, tables, svg, key = () => [] }) {
  const { t } = context;
  const said = h("span", { role: "status", class: "muted" });
  const copy = (text, message) => async () => {
    try {
      await navigator.clipboard.writeText(text());
      said.textContent = t(message);
    } catch {
      // Without the right to the clipboard the text is shown, to be copied by hand.
      said.textContent = text();
    }
  };
  const drawn = () => standalone(context, { figure: svg(), title, tables, key: key() });
  const asSvg = () =>
    save(`${fileName(context, name)}.svg`, "image/svg+xml", new XMLSerializer().serializeToString(drawn()));
  const asPng = async () => save(`${fileName(context, name)}.png`, "image/png", await rasterised(drawn()));
  const button = (kind, action) =>
    h(
      "button",
      { type: "button", "aria-label": t(`figure.${kind}_of`, { figure: title }), onclick: action },
      t(`figure.${kind}`),
    );
  return h(
    "div",
    { class: "downloads figure-tools" },
    button(
      "cite",
      copy(() => citation(context, title, tables), "figure.cited"),
    ),
    button(
      "link",
      copy(() => location.href, "figure.linked"),
    ),
    button("svg", asSvg),
    button("png", asPng),
    said,
  );
}

// Who published what, under which licence, as of when, and where this very figure is found again.
export function citation(context, title, tables) {
  const origin = provenance(context, tables);
  const dates = origin.sources.map((source) => source.portal_data_processed_at ?? source.extracted_at).sort();
  return context.t("figure.citation", {
    title: `${origin.isSynthetic ? `[${context.t("page.synthetic")}] ` : ""}${title}`,
    publishers: origin.attribution,
    licence: [origin.licence, ...origin.otherLicences].map((licence) => licence?.name).join(", "),
    date: dates.length ? context.date(dates.at(-1)) : "",
    exported: context.date(origin.exportedAt),
    url: location.href,
  });
}

function standalone(context, { figure, title, tables, key }) {
  const width = figure.viewBox.baseVal?.width || figure.clientWidth || Number(figure.getAttribute("width"));
  const height =
    figure.viewBox.baseVal?.height || figure.clientHeight || Number(figure.getAttribute("height"));
  const copy = figure.cloneNode(true);
  const [originals, copies] = [figure, copy].map((root) => [root, ...root.querySelectorAll("*")]);
  originals.forEach((element, index) => {
    const style = getComputedStyle(element);
    for (const name of STYLES) copies[index].setAttribute(name, style.getPropertyValue(name));
  });
  for (const link of copy.querySelectorAll("a")) link.removeAttribute("href");
  const titles = wrapped(title, Math.floor(width / (TITLE * 0.6)));
  const top = 14 + 20 * titles.length;
  copy.setAttribute("y", top);
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  const style = getComputedStyle(document.body);
  const ink = style.getPropertyValue("--ink");
  const line = (text, y, attributes = {}) => {
    const element = s("text", { x: 8, y, fill: ink, "font-size": TEXT, ...attributes });
    element.textContent = text;
    return element;
  };
  const notes = [...key, citation(context, title, tables)].flatMap((text) =>
    wrapped(text, Math.floor(width / (TEXT * 0.56))),
  );
  const total = height + top + 18 * notes.length + 14;
  const root = s("svg", {
    xmlns: SVG,
    width,
    height: total,
    viewBox: `0 0 ${width} ${total}`,
    "font-family": "system-ui, sans-serif",
  });
  root.append(
    s("rect", { width, height: total, fill: style.getPropertyValue("--card") }),
    ...titles.map((text, index) => line(text, 22 + 20 * index, { "font-weight": 700, "font-size": TITLE })),
    copy,
    ...notes.map((text, index) => line(text, height + top + 18 * (index + 1), { "font-size": 11 })),
  );
  return root;
}

function wrapped(text, length) {
  const lines = [""];
  // An address may be longer than a line.
  const words = text.split(" ").flatMap((word) => word.match(new RegExp(`.{1,${length}}`, "gu")) ?? []);
  for (const word of words) {
    if (lines.at(-1) && lines.at(-1).length + word.length + 1 > length) lines.push("");
    lines[lines.length - 1] += (lines.at(-1) && " ") + word;
  }
  return lines;
}

async function rasterised(svg) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(svg))}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth * SCALE, image.naturalHeight * SCALE];
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

function s(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
