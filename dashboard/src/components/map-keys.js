// One stop on the Tab way, arrow keys from point to point: the nearest in the direction pressed.

const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function walkWithArrows(points) {
  points.forEach(({ element }, index) => {
    element.setAttribute("tabindex", index === 0 ? "0" : "-1");
    element.addEventListener("keydown", (event) => {
      const direction = DIRECTIONS[event.key];
      if (!direction) return;
      event.preventDefault();
      const next = nearestTowards(points, element, direction);
      if (!next) return;
      element.setAttribute("tabindex", "-1");
      next.setAttribute("tabindex", "0");
      next.focus();
    });
  });
}

function nearestTowards(points, from, [dx, dy]) {
  const origin = center(from);
  let best = null;
  let shortest = Infinity;
  for (const { element } of points) {
    if (element === from) continue;
    const to = center(element);
    const along = (to.x - origin.x) * dx + (to.y - origin.y) * dy;
    const across = Math.abs((to.x - origin.x) * dy) + Math.abs((to.y - origin.y) * dx);
    // Sideways counts double, so that a row of points is walked as a row.
    if (along > 0.5 && along + 2 * across < shortest) [best, shortest] = [element, along + 2 * across];
  }
  return best;
}

function center(element) {
  const box = element.getBoundingClientRect();
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}
