// Collèges in the outlines of their arrondissements. Every point is a link; arrow keys walk them.
import * as Plot from "@observablehq/plot";
import { fill, h } from "../dom.js";
import { forProjection } from "../geometry.js";
import { isSmallSample, measure as measureOf } from "../measures.js";
import { colorScale } from "./map-colors.js";
import { legend } from "./map-legend.js";
import { plainMarks } from "./marks.js";
import { walkWithArrows } from "./map-keys.js";
import { tooltip } from "./map-tooltip.js";
import { measuredText } from "./figures.js";

const symbol = (row) => (row.is_open ? "circle" : "diamond");

// rows: of one school year. `arrondissement` fits the map to one; `highlight` rings a collège.
export function drawMap(
  context,
  container,
  { rows, measureId, arrondissement = null, highlight = null, label, maxHeight = 620 },
) {
  const measure = measureOf(measureId);
  const placed = rows.filter((row) => row.longitude !== null && row.longitude !== undefined);
  const shown = placed.filter((row) => measure.value(row) !== null);
  const missing = placed.filter((row) => measure.value(row) === null);
  const outlines = outlineFeatures(context.store);
  const width = Math.max(280, container.clientWidth || 900);
  const radius = width < 600 ? 4.5 : 6.5;
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
    height: Math.min(maxHeight, Math.max(280, width * 0.54)),
    margin: 4,
    projection: { type: "mercator", inset: 10, domain: fitted(outlines, placed, arrondissement) },
    color: colorScale(context, measure),
    marks: [
      Plot.geo(outlines, {
        fill: "var(--land)",
        stroke: "var(--line)",
        strokeWidth: 1.2,
        clip: "frame",
        ariaHidden: true,
      }),
      Plot.text(
        outlines,
        Plot.centroid({
          text: (feature) => context.arrondissement(feature.properties.number),
          fill: "var(--muted)",
          stroke: "var(--land)",
          strokeWidth: 3,
          fontSize: width < 600 ? 9 : 12,
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
    ],
  });

  fill(container, svg, placed.length === 0 && h("p", { class: "empty" }, context.t("map.empty")));
  plainMarks(svg);
  svg.setAttribute("role", "group");
  svg.setAttribute("aria-label", label);
  const points = linkPoints(context, svg, [missing, shown], measure);
  walkWithArrows(points);
  tooltip(context, container, points, measure);
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

function fitted(outlines, rows, arrondissement) {
  const chosen = outlines.find((feature) => feature.properties.number === arrondissement);
  if (chosen) return chosen;
  if (outlines.length) return { type: "FeatureCollection", features: outlines };
  return { type: "MultiPoint", coordinates: rows.map((row) => [row.longitude, row.latitude]) };
}

// Plot binds each shape to its row's index and wraps it in a link; here the links get their names.
function linkPoints(context, svg, groups, measure) {
  const links = [...svg.querySelectorAll("a")];
  const rows = groups.flat();
  if (links.length !== rows.length) throw new Error(`${links.length} points drawn of ${rows.length}`);
  return links.map((element, index) => {
    const row = rows[index];
    const name = context.t("map.arrondissement_of", {
      name: row.college_name,
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
