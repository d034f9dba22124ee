// The sectors of a school year, coloured by a measure of their collège. A click or a tap is a point.
import * as Plot from "@observablehq/plot";
import { fill } from "../dom.js";
import { colorScale } from "./map-colors.js";

const SVG = "http://www.w3.org/2000/svg";

function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes))
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// valueOf(sector): what colours it, null where nothing is published. `chosen`: places of collèges whose
// sectors are ringed; `point`: where the person asked; `choose([longitude, latitude])`: a click.
export function drawSectorMap(
  context,
  container,
  { outlines, measure, valueOf, chosen = [], point = null, choose, label, titleOf },
) {
  const width = Math.max(280, container.clientWidth || 900);
  const view = projection(context.store, outlines, width);
  const color = Plot.scale({ color: colorScale(context, measure) });
  const land = context.store.arrondissements
    .filter((row) => row.boundary)
    .map((row) => s("path", { d: view.path(polygonsOf(row.boundary)), class: "land" }));
  const sectors = (outlines?.sectors ?? []).map((sector) => {
    const value = valueOf(sector);
    const isChosen = sector.colleges.some((place) => chosen.includes(place));
    const path = s(
      "path",
      {
        d: view.path(sector.blocks.map(({ rings }) => rings)),
        class: `sector${isChosen ? " chosen" : ""}${value === null ? " missing" : ""}`,
        fill: value === null ? null : color.apply(value),
        "data-sector": sector.name,
      },
      s("title"),
    );
    path.firstChild.textContent = titleOf(sector);
    return path;
  });
  // The chosen ones last: nothing is drawn over their edge.
  sectors.sort((a, b) => a.classList.contains("chosen") - b.classList.contains("chosen"));
  const schools = chosen
    .map((place) => context.store.colleges[place])
    .filter((college) => college.longitude !== null)
    .map((college) => {
      const [cx, cy] = view.to([college.longitude, college.latitude]);
      return s("circle", { cx, cy, r: 5, class: "school" });
    });
  const [px, py] = point ? view.to(point) : [];
  const svg = s(
    "svg",
    { viewBox: `0 0 ${width} ${view.height}`, width, height: view.height, role: "img", "aria-label": label },
    s("g", { "fill-rule": "evenodd" }, ...land, ...sectors),
    ...schools,
    ...(point ? [s("circle", { cx: px, cy: py, r: 7, class: "here" })] : []),
  );
  svg.addEventListener("click", (event) => {
    const box = svg.getBoundingClientRect();
    const scale = width / box.width;
    choose(view.from([(event.clientX - box.left) * scale, (event.clientY - box.top) * scale]));
  });
  fill(container, svg);
}

const polygonsOf = ({ type, coordinates }) => (type === "Polygon" ? [coordinates] : coordinates);

// Degrees to pixels: at the size of a city a plain scale is as good as any projection.
function projection(store, outlines, width) {
  const rings = store.arrondissements
    .filter((row) => row.boundary)
    .flatMap((row) => polygonsOf(row.boundary));
  const boxes = rings.length
    ? rings.flatMap((polygon) => polygon[0])
    : (outlines?.sectors ?? []).flatMap(({ blocks }) =>
        blocks.flatMap(({ west, east, south, north }) => [
          [west, south],
          [east, north],
        ]),
      );
  const xs = boxes.map(([x]) => x);
  const ys = boxes.map(([, y]) => y);
  const [west, east] = [xs.reduce((a, b) => Math.min(a, b), 999), xs.reduce((a, b) => Math.max(a, b), -999)];
  const [south, north] = [
    ys.reduce((a, b) => Math.min(a, b), 999),
    ys.reduce((a, b) => Math.max(a, b), -999),
  ];
  const narrowing = Math.cos((((south + north) / 2) * Math.PI) / 180);
  const margin = 6;
  const perDegree = (width - 2 * margin) / Math.max((east - west) * narrowing, 1e-9);
  const to = ([x, y]) => [margin + (x - west) * narrowing * perDegree, margin + (north - y) * perDegree];
  return {
    height: Math.max(200, Math.round((north - south) * perDegree + 2 * margin)),
    to,
    from: ([x, y]) => [west + (x - margin) / narrowing / perDegree, north - (y - margin) / perDegree],
    path: (polygons) =>
      polygons
        .flatMap((polygon) =>
          polygon.map(
            (ring) =>
              `M${ring
                .map(to)
                .map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`)
                .join("L")}Z`,
          ),
        )
        .join(""),
  };
}
