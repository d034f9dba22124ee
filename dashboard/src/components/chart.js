// A measure over the school years: one line a collège, Paris in grey, breaks in a series marked.
import * as Plot from "@observablehq/plot";
import { h } from "../dom.js";
import { shortYear } from "../data.js";
import { figureTools } from "./figure-tools.js";
import { plainMarks } from "./marks.js";

const MARGINS = 50; // around a chart on a phone: of the page and of its card
export const LINE_COLORS = ["var(--line-1)", "var(--line-2)", "var(--line-3)", "var(--line-4)"];

// lines: [{name, color, points: [{school_year, value, series?}]}]; `breaks`: the years a series begins;
// `tables` of the document: what the chart's citation names.
export function lineChart(context, { measure, lines, breaks = [], most = 440, tables = measure.tables }) {
  const { t, store } = context;
  const points = lines.flatMap((line) =>
    line.points
      .filter((point) => point.value !== null)
      .map((point) => ({
        ...point,
        name: line.name,
        color: line.color,
        path: `${line.name}|${point.series ?? ""}`,
      })),
  );
  const years = store.years.map((year) => year.school_year);
  const published = new Set(points.map((point) => point.school_year));
  if (published.size === 0) return null;
  const first = years.findIndex((year) => published.has(year));
  const domain = years.slice(Math.max(0, first - 1));
  // Drawn wider than a phone is, its words would shrink with it.
  const width = Math.max(240, Math.min(most, document.documentElement.clientWidth - MARGINS));
  const svg = Plot.plot({
    width,
    height: 220,
    marginLeft: 56,
    marginRight: 24,
    marginBottom: 34,
    x: { type: "point", domain, label: null, tickFormat: shortYear },
    y: {
      grid: true,
      nice: true,
      label: null,
      ticks: 5,
      tickFormat: (value) => measure.format(context, value),
    },
    marks: [
      measure.pivot !== undefined && Plot.ruleY([measure.pivot], { stroke: "var(--muted)" }),
      Plot.ruleX(breaks, { stroke: "var(--muted)", strokeDasharray: "3 3" }),
      Plot.text(breaks, {
        x: (year) => year,
        text: () => t("chart.break"),
        frameAnchor: "top",
        dy: -8,
        fill: "var(--muted)",
      }),
      Plot.line(points, { x: "school_year", y: "value", z: "path", stroke: "color", strokeWidth: 2.2 }),
      Plot.dot(points, { x: "school_year", y: "value", fill: "color", r: 4, stroke: "var(--card)" }),
    ].filter(Boolean),
    color: { type: "identity" },
  });
  plainMarks(svg);
  svg.setAttribute("role", "img");
  svg.setAttribute(
    "aria-label",
    t("chart.of", { measure: t(`measure.${measure.id}`), names: lines.map((line) => line.name).join(", ") }),
  );
  const names = lines.map((line) => line.name);
  const title = `${t(`measure.${measure.id}`)}, ${names.join(", ")}`;
  return h(
    "figure",
    { class: "chart" },
    svg,
    key(lines),
    figureTools(context, {
      name: `${measure.id}_${names.join("-")}`,
      title,
      tables,
      svg: () => svg,
      key: () => lines.map((line) => `— ${line.name}`),
    }),
  );
}

// A small chart each, on one scale, with Paris behind it. series: [{name, points}], `paris`: points as of a
// line chart; null without any point.
export function smallMultiples(context, { measure, series, paris, width, label }) {
  const columns = Math.max(2, Math.min(5, Math.floor(width / 170)));
  const points = series.flatMap(({ name, points: own }, index) =>
    own
      .filter((point) => point.value !== null)
      .map((point) => ({ ...point, name, fx: index % columns, fy: Math.floor(index / columns) })),
  );
  const published = new Set(points.map((point) => point.school_year));
  if (published.size === 0) return null;
  const behind = series.flatMap((_, index) =>
    paris
      .filter((point) => point.value !== null)
      .map((point) => ({ ...point, fx: index % columns, fy: Math.floor(index / columns) })),
  );
  const domain = context.store.years.map((year) => year.school_year).filter((year) => published.has(year));
  const rows = Math.ceil(series.length / columns);
  const svg = Plot.plot({
    width,
    height: rows * 112 + 30,
    marginLeft: 52,
    marginBottom: 24,
    marginTop: 8,
    marginRight: 14,
    fx: { axis: null, padding: 0.12 },
    fy: { axis: null, padding: 0.16 },
    x: {
      type: "point",
      domain,
      label: null,
      ticks: [domain[0], domain.at(-1)],
      tickFormat: shortYear,
      tickSize: 0,
    },
    y: {
      nice: true,
      label: null,
      ticks: 3,
      tickFormat: (value) => measure.format(context, value),
      grid: true,
    },
    marks: [
      measure.pivot !== undefined && Plot.ruleY([measure.pivot], { stroke: "var(--muted)" }),
      Plot.line(behind, {
        fx: "fx",
        fy: "fy",
        x: "school_year",
        y: "value",
        z: "series",
        stroke: "var(--line)",
        strokeWidth: 1.5,
      }),
      Plot.line(points, {
        fx: "fx",
        fy: "fy",
        x: "school_year",
        y: "value",
        z: "series",
        stroke: "var(--line-1)",
        strokeWidth: 2.2,
      }),
      Plot.dot(points, { fx: "fx", fy: "fy", x: "school_year", y: "value", fill: "var(--line-1)", r: 2.6 }),
      Plot.text(
        series.map(({ name }, index) => ({ name, fx: index % columns, fy: Math.floor(index / columns) })),
        {
          fx: "fx",
          fy: "fy",
          text: "name",
          frameAnchor: "top-left",
          dx: 4,
          fontWeight: 650,
          fill: "var(--ink)",
          stroke: "var(--card)",
          strokeWidth: 3,
        },
      ),
    ].filter(Boolean),
  });
  plainMarks(svg);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  svg.dataset.points = points.length;
  return svg;
}

const key = (lines) =>
  h(
    "figcaption",
    {},
    lines.map((line) => {
      const swatch = h("span", { class: "swatch", "aria-hidden": "true" });
      swatch.style.background = line.color;
      return h("span", {}, swatch, line.name);
    }),
  );
