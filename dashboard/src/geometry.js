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
