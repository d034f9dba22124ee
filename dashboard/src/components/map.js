// Collèges in the outlines of their arrondissements. Every point is a link; arrow keys walk them.
import * as Plot from "@observablehq/plot";
import { isGiven } from "../data.js";
import { fill, h } from "../dom.js";
import { forProjection } from "../geometry.js";
import { isSmallSample } from "../measures.js";
import { colorScale } from "./map-colors.js";
import { legend } from "./map-legend.js";
import { plainMarks } from "./marks.js";
import { walkWithArrows } from "./map-keys.js";
import { viewOf, within, zoomButtons, zoomByPointer } from "./map-zoom.js";
import { tooltip } from "./map-tooltip.js";
import { measuredText } from "./figures.js";

const SVG = "http://www.w3.org/2000/svg";

const symbol = (row) => (row.is_open ? "circle" : "diamond");

const PHONE = 600;
const PADDING = 0.006; // degrees around the outermost points

// rows: of one school year, or the latest. `arrondissement` and `near`, rows, are what the map is fitted
// to; `highlight` rings a collège; `changeZoom(text)` takes what `readZoom` reads.
export function drawMap(
  context,
  container,
  {
    rows,
    measureId,
    arrondissement = null,
    near = [],
    highlight = null,
    label,
    maxHeight = 620,
    zoom,
    changeZoom,
  },
) {
  const measure = context.store.measure(measureId);
  const width = Math.max(280, container.clientWidth || 900);
  const height = Math.min(maxHeight, Math.max(280, width * (width < PHONE ? 0.8 : 0.54)));
  const all = rows.filter((row) => isGiven(row.longitude));
  const outlines = outlineFeatures(context.store);
  const whole = fitted(outlines, all, { arrondissement, near, isNarrow: width < PHONE });
  const view = viewOf(whole, zoom, width, height);
  const placed = all.filter((row) => within(view, row));
  const shown = placed.filter((row) => measure.value(row) !== null);
  const missing = placed.filter((row) => measure.value(row) === null);
  const radius = (width < PHONE ? 4.5 : 6.5) * (zoom ? 1.3 : 1);
  const dots = (data, options) =>
    Plot.dot(data, {
      x: "longitude",
      y: "latitude",
      symbol,
      r: radius,
      href: (row) => context.link("college", row.college_id),
      ...options,
    });

  const svg = Plot.plot({
    width,
    height,
    margin: 0,
    projection: {
      type: "mercator",
      domain: {
        type: "MultiPoint",
        coordinates: [
          [view.west, view.south],
          [view.east, view.north],
        ],
      },
    },
    color: colorScale(context, measure),
    marks: [
      Plot.geo(outlines, {
        fill: "var(--land)",
        stroke: "var(--line)",
        strokeWidth: 1.2,
        clip: "frame",
        ariaHidden: true,
      }),
      (index, scales, values, dimensions, plot) =>
        streets(context, plot, [width, height, view.west, view.south, view.east, view.north].join()),
      Plot.geo(outlines, { stroke: "var(--line)", strokeWidth: 1.2, clip: "frame", ariaHidden: true }),
      Plot.text(
        outlines,
        Plot.centroid({
          text: (feature) => context.arrondissement(feature.properties.number),
          fill: "var(--muted)",
          stroke: "var(--land)",
          strokeWidth: 3,
          fontSize: width < PHONE ? 10 : 12,
          fontWeight: 600,
          clip: "frame",
          ariaHidden: true,
        }),
      ),
      Plot.dot(
        placed.filter((row) => row.changes.length),
        {
          x: "longitude",
          y: "latitude",
          r: radius + 4,
          stroke: "var(--ink)",
          strokeWidth: 1.5,
          ariaHidden: true,
        },
      ),
      Plot.dot(
        placed.filter((row) => row.college_id === highlight),
        {
          x: "longitude",
          y: "latitude",
          r: radius + 6,
          stroke: "var(--mark)",
          strokeWidth: 3,
          ariaHidden: true,
        },
      ),
      dots(missing, {
        fill: "var(--card)",
        stroke: "var(--muted)",
        strokeWidth: 1.4,
        strokeDasharray: "2 2",
        className: "points",
      }),
      dots(shown, {
        fill: measure.value,
        stroke: "var(--ink)",
        strokeWidth: (row) => (isSmallSample(measure, row) ? 2.4 : 0.8),
      }),
    ].filter(Boolean),
  });

  const buttons = changeZoom && zoomButtons(context, { zoom, view, whole, change: changeZoom });
  const focused = container.contains(document.activeElement) ? document.activeElement.id : "";
  fill(
    container,
    svg,
    all.length === 0 && h("p", { class: "empty" }, context.t("map.empty")),
    buttons && buttons.element,
  );
  if (focused) {
    const again = document.getElementById(focused);
    (again?.disabled ? document.getElementById("zoom-in") : again)?.focus();
  }
  plainMarks(svg);
  svg.setAttribute("role", "group");
  svg.setAttribute("aria-label", label);
  const points = linkPoints(context, svg, [missing, shown], measure);
  walkWithArrows(points);
  tooltip(context, container, points, measure);
  if (buttons) zoomByPointer(svg, { view, buttons });
  return legend(context, measure, placed);
}

function outlineFeatures(store) {
  return store.arrondissements
    .filter((row) => row.boundary)
    .map((row) => ({
      type: "Feature",
      geometry: forProjection(row.boundary),
      properties: { number: row.arrondissement_number },
    }));
}

// A busy page is not idle for minutes: it is asked to wait no longer than this.
const whenIdle = (action) =>
  window.requestIdleCallback ? requestIdleCallback(action, { timeout: 500 }) : setTimeout(action);

// The blocks of the sectors leave the streets, the Seine and the parks free. They are asked for once the map
// stands, and come into it in place: whoever walks the map or prints it meanwhile loses nothing. Their
// thousands of corners are one path, kept for as long as the same part of the city is shown.
let kept = { key: null, d: "" };

function streets({ sectors }, plot, key) {
  const group = plot.document.createElementNS(SVG, "g");
  const year = sectors.years.at(-1);
  const path = plot.path();
  const fillIn = (geometries) => {
    if (kept.key !== key) kept = { key, d: path({ type: "GeometryCollection", geometries }) };
    const blocks = plot.document.createElementNS(SVG, "path");
    for (const [name, value] of [
      ["d", kept.d],
      ["fill", "var(--block)"],
      ["class", "blocks"],
      ["aria-hidden", "true"],
    ])
      blocks.setAttribute(name, value);
    group.append(blocks);
  };
  if (sectors.blocksNow) fillIn(sectors.blocksNow);
  else if (year)
    whenIdle(async () => {
      try {
        const outlines = await sectors.outlines(year);
        sectors.blocksNow ??= outlines.features().map(({ geometry }) => forProjection(geometry));
        if (group.isConnected) fillIn(sectors.blocksNow);
      } catch {
        // a map without streets is still a map
      }
    });
  return group;
}

// What the map shows before anyone zooms: {west, south, east, north}.
function fitted(outlines, rows, { arrondissement, near, isNarrow }) {
  const chosen = outlines.filter((feature) => feature.properties.number === arrondissement);
  const places = near.filter((row) => isGiven(row.longitude));
  // On a phone the two woods, in which no collège stands, would cost a third of the width.
  if (!chosen.length && isNarrow && rows.length) return boxOf(rows.map(position), PADDING);
  const features = chosen.length ? chosen : outlines;
  const corners = [...features.flatMap(({ geometry }) => cornersOf(geometry)), ...places.map(position)];
  if (corners.length) return boxOf(corners, chosen.length ? PADDING / 3 : PADDING / 2);
  return boxOf(
    rows.length
      ? rows.map(position)
      : [
          [2.25, 48.81],
          [2.42, 48.91],
        ],
    PADDING,
  );
}

const position = (row) => [row.longitude, row.latitude];

const cornersOf = ({ type, coordinates }) =>
  (type === "Polygon" ? [coordinates] : coordinates).flatMap((polygon) => polygon[0]);

function boxOf(points, padding) {
  const box = { west: Infinity, south: Infinity, east: -Infinity, north: -Infinity };
  for (const [x, y] of points) {
    box.west = Math.min(box.west, x - padding);
    box.east = Math.max(box.east, x + padding);
    box.south = Math.min(box.south, y - padding / 2);
    box.north = Math.max(box.north, y + padding / 2);
  }
  return box;
}

// Plot binds each shape to its row's index and wraps it in a link; here the links get their names.
function linkPoints(context, svg, groups, measure) {
  const links = [...svg.querySelectorAll("a")];
  const rows = groups.flat();
  if (links.length !== rows.length) throw new Error(`${links.length} points drawn of ${rows.length}`);
  return links.map((element, index) => {
    const row = rows[index];
    const name = context.t("map.arrondissement_of", {
      name: row.display_name,
      arrondissement: context.arrondissement(row.arrondissement_number),
    });
    const status = row.is_open ? "" : `, ${context.t("status.closed", { year: row.last_school_year })}`;
    const figure = context.t("page.label", {
      name: context.t(`measure.${measure.id}`),
      value: measuredText(context, measure, row),
    });
    element.setAttribute("aria-label", `${name}, ${figure}${status}`);
    element.dataset.college = row.college_id;
    element.classList.add("point");
    return { element, row };
  });
}
