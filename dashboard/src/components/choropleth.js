// The arrondissements, coloured by a figure of theirs. A click chooses one; buttons beside the map do the same.
import * as Plot from "@observablehq/plot";
import { fill } from "../dom.js";
import { forProjection, innerPoint } from "../geometry.js";
import { plainMarks } from "./marks.js";

export function drawChoropleth(context, container, { valueOf, format, color, chosen, toggle, label }) {
  const width = Math.max(280, Math.min(760, container.clientWidth || 700));
  const features = context.store.arrondissements
    .filter((row) => row.boundary)
    .map((row) => ({
      type: "Feature",
      geometry: forProjection(row.boundary),
      properties: {
        number: row.arrondissement_number,
        value: valueOf(row.arrondissement_number),
        label: labelPoint(row),
      },
    }));
  if (features.length === 0) {
    fill(container);
    return null;
  }
  const given = features.filter(({ properties }) => properties.value !== null);
  const scale = Plot.scale({ color });
  const ink = ({ properties }) =>
    properties.value === null ? "var(--ink)" : readable(scale.apply(properties.value));
  const svg = Plot.plot({
    width,
    height: width * 0.56,
    margin: 2,
    projection: { type: "mercator", domain: { type: "FeatureCollection", features }, inset: 4 },
    color,
    marks: [
      Plot.geo(features, { fill: "var(--land)", stroke: "var(--card)", strokeWidth: 1.2 }),
      Plot.geo(given, {
        fill: (feature) => feature.properties.value,
        stroke: "var(--card)",
        strokeWidth: 1.2,
      }),
      Plot.geo(
        features.filter(({ properties }) => chosen.includes(properties.number)),
        { stroke: "var(--mark)", strokeWidth: 4 },
      ),
      Plot.text(features, {
        x: ({ properties }) => properties.label[0],
        y: ({ properties }) => properties.label[1],
        text: ({ properties }) =>
          [
            context.arrondissement(properties.number),
            // On a phone the middle of the city has no room for values; the tables have them.
            width >= 500 && (properties.value === null ? context.t("why.short") : format(properties.value)),
          ]
            .filter(Boolean)
            .join("\n"),
        fill: ink,
        fontSize: width < 500 ? 8 : 11,
        fontWeight: 600,
        pointerEvents: "none",
      }),
    ],
  });
  plainMarks(svg);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  const [areas] = svg.querySelectorAll("g");
  [...areas.children].forEach((path, index) => {
    path.dataset.arrondissement = features[index].properties.number;
  });
  // What is coloured lies over the land below it.
  const shapes = [...svg.querySelectorAll("g")][1];
  [...shapes.children].forEach((path, index) => {
    path.dataset.arrondissement = given[index].properties.number;
  });
  svg.addEventListener("click", (event) => {
    const number = event.target.dataset?.arrondissement;
    if (number) toggle(Number(number));
  });
  fill(container, svg);
  return svg;
}

const labelPoints = new WeakMap();

function labelPoint(row) {
  if (!labelPoints.has(row)) labelPoints.set(row, innerPoint(row.boundary));
  return labelPoints.get(row);
}

// Dark letters on light colours and the other way round.
function readable(colour) {
  const numbers = colour.startsWith("#")
    ? [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16))
    : colour
        .match(/[\d.]+/g)
        .slice(0, 3)
        .map(Number);
  const [r, g, b] = numbers.map((value) => {
    const part = value / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.19 ? "#111" : "#fff";
}
