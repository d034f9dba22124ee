// d3's projections take an outline for the sphere without it unless its rings turn clockwise.

const isCounterClockwise = (ring) =>
  ring.reduce((sum, [x, y], index) => {
    const [nextX, nextY] = ring[(index + 1) % ring.length];
    return sum + x * nextY - nextX * y;
  }, 0) > 0;

const turned = (ring, clockwise) => (isCounterClockwise(ring) === clockwise ? ring.toReversed() : ring);

const turnedPolygon = (rings) => rings.map((ring, index) => turned(ring, index === 0));

export function forProjection({ type, coordinates }) {
  return {
    type,
    coordinates: type === "Polygon" ? turnedPolygon(coordinates) : coordinates.map(turnedPolygon),
  };
}

// A point well inside an outline, for its label: of a grid over it, the one farthest from any edge. The
// centroid of an arrondissement with a wood at its end may lie on its border.
const CELLS = 20;

export function innerPoint({ type, coordinates }) {
  const [rings] = (type === "Polygon" ? [coordinates] : coordinates).toSorted(
    (one, other) => other[0].length - one[0].length,
  );
  const [xs, ys] = [0, 1].map((axis) => rings[0].map((point) => point[axis]));
  const [west, east, south, north] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const narrowing = Math.cos((((south + north) / 2) * Math.PI) / 180);
  let best = { point: [(west + east) / 2, (south + north) / 2], distance: -1 };
  for (let column = 1; column < CELLS; column += 1)
    for (let row = 1; row < CELLS; row += 1) {
      const point = [west + ((east - west) * column) / CELLS, south + ((north - south) * row) / CELLS];
      const distance = isWithin(rings, point) ? clearance(rings, point, narrowing) : -1;
      if (distance > best.distance) best = { point, distance };
    }
  return best.point;
}

function isWithin(rings, [x, y]) {
  let isInside = false;
  for (const ring of rings)
    for (let i = 0, j = ring.length - 1; i < ring.length; j = i, i += 1) {
      const [[ax, ay], [bx, by]] = [ring[i], ring[j]];
      if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) isInside = !isInside;
    }
  return isInside;
}

// How far the nearest edge is, in degrees of latitude.
function clearance(rings, [x, y], narrowing) {
  let least = Infinity;
  for (const ring of rings)
    for (let i = 1; i < ring.length; i += 1) {
      const [ax, ay] = [(ring[i - 1][0] - x) * narrowing, ring[i - 1][1] - y];
      const [dx, dy] = [(ring[i][0] - ring[i - 1][0]) * narrowing, ring[i][1] - ring[i - 1][1]];
      const along = Math.min(1, Math.max(0, -(ax * dx + ay * dy) / (dx * dx + dy * dy || 1)));
      least = Math.min(least, Math.hypot(ax + along * dx, ay + along * dy));
    }
  return least;
}
