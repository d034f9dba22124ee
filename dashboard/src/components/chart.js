// A measure over the school years: one line a collège, Paris in grey, breaks in a series marked.
import * as Plot from "@observablehq/plot";
import { h } from "../dom.js";
import { shortYear } from "../data.js";
import { plainMarks } from "./marks.js";

export const LINE_COLORS = ["var(--line-1)", "var(--line-2)", "var(--line-3)", "var(--line-4)"];

// lines: [{name, color, points: [{school_year, value, series?}]}]; `breaks`: the years a series begins.
export function lineChart(context, { measure, lines, breaks = [], width = 440 }) {
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
  return h("figure", { class: "chart" }, svg, key(lines));
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
