// Nearer and farther: buttons, a double click, the wheel with Ctrl, and dragging once zoomed in. What is
// looked at stands in the address, so that a link shows the same.
import { h } from "../dom.js";

const STEP = 2;
const MOST = 32;

// "2.35,48.86,4": the middle and how many times nearer than the whole.
export function readZoom(text) {
  const [longitude, latitude, times] = (text ?? "").split(",").map(Number);
  return times > 1 && Number.isFinite(longitude) && Number.isFinite(latitude)
    ? { longitude, latitude, times: Math.min(times, MOST) }
    : null;
}

// The part of a plane of degrees that a frame of pixels shows. `whole`: {west, south, east, north}.
export function viewOf(whole, zoom, width, height) {
  const latitude = zoom?.latitude ?? (whole.south + whole.north) / 2;
  const longitude = zoom?.longitude ?? (whole.west + whole.east) / 2;
  const narrowing = Math.cos((latitude * Math.PI) / 180);
  const perPixel =
    Math.max(((whole.east - whole.west) * narrowing) / width, (whole.north - whole.south) / height, 1e-9) /
    (zoom?.times ?? 1);
  const [x, y] = [((width / 2) * perPixel) / narrowing, (height / 2) * perPixel];
  return {
    west: longitude - x,
    east: longitude + x,
    south: latitude - y,
    north: latitude + y,
    at: (px, py) => [longitude - x + (px / width) * 2 * x, latitude + y - (py / height) * 2 * y],
  };
}

export const within = ({ west, east, south, north }, { longitude, latitude }) =>
  longitude >= west && longitude <= east && latitude >= south && latitude <= north;

export function zoomButtons({ t }, { zoom, view, whole, change }) {
  const middle = { longitude: (view.west + view.east) / 2, latitude: (view.south + view.north) / 2 };
  const to = (times, place = middle) =>
    change(
      times <= 1
        ? null
        : [
            clamp(place.longitude, whole.west, whole.east).toFixed(5),
            clamp(place.latitude, whole.south, whole.north).toFixed(5),
            Math.min(times, MOST),
          ].join(","),
    );
  const times = zoom?.times ?? 1;
  const button = (id, text, action, disabled) =>
    h(
      "button",
      { type: "button", id: `zoom-${id}`, "aria-label": t(`map.zoom_${id}`), disabled, onclick: action },
      text,
    );
  return {
    to,
    times,
    element: h(
      "div",
      { class: "zoom", role: "group", "aria-label": t("map.zoom") },
      button("in", "+", () => to(times * STEP), times >= MOST),
      button("out", "−", () => to(times / STEP), times <= 1),
      button("all", "⤢", () => to(1), times <= 1),
    ),
  };
}

export function zoomByPointer(svg, { view, buttons }) {
  let from = null;
  const place = (event) => {
    const box = svg.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const degrees = ([x, y]) => {
    const [longitude, latitude] = view.at(
      (x * svg.viewBox.baseVal.width) / svg.clientWidth,
      (y * svg.viewBox.baseVal.height) / svg.clientHeight,
    );
    return { longitude, latitude };
  };
  const middle = degrees([svg.clientWidth / 2, svg.clientHeight / 2]);
  svg.classList.toggle("zoomed", buttons.times > 1);
  svg.addEventListener("dblclick", (event) => {
    if (!event.target.closest("a")) buttons.to(buttons.times * STEP, degrees(place(event)));
  });
  svg.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      buttons.to(event.deltaY < 0 ? buttons.times * STEP : buttons.times / STEP, degrees(place(event)));
    },
    { passive: false },
  );
  if (buttons.times <= 1) return;
  svg.addEventListener("pointerdown", (event) => {
    if (event.target.closest("a")) return;
    from = place(event);
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => {
    if (!from) return;
    const [x, y] = place(event);
    svg.style.translate = `${x - from[0]}px ${y - from[1]}px`;
    from.moved = true;
  });
  svg.addEventListener("pointerup", (event) => {
    if (!from?.moved) return (from = null);
    svg.style.translate = "";
    const [one, two] = [degrees(from), degrees(place(event))];
    from = null;
    return buttons.to(buttons.times, {
      longitude: middle.longitude + one.longitude - two.longitude,
      latitude: middle.latitude + one.latitude - two.latitude,
    });
  });
}

const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
