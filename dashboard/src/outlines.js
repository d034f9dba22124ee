// The sectors of a school year: unpacked, drawn, and asked where a point lies (even-odd, block by
// block, as the macro points_in_blocks does).

const METRES_PER_DEGREE = (Math.PI / 180) * 6371008.8;

export class Outlines {
  constructor({ school_year, scale, nearest_limit_m, sectors }) {
    this.schoolYear = school_year;
    this.limit = nearest_limit_m;
    this.sectors = sectors.map(({ name, colleges, blocks }) => ({
      name,
      colleges,
      blocks: blocks.map((rings) => withBox(rings.map((ring) => unpacked(ring, scale)))),
    }));
  }

  // {sectors, colleges, metres}: those that hold the point, or the nearest; null where none is near.
  locate([longitude, latitude]) {
    const inside = this.sectors.filter((sector) =>
      sector.blocks.some((block) => contains(block, longitude, latitude)),
    );
    if (inside.length) return answer(inside, 0);
    let best = { metres: this.limit, sector: null };
    for (const sector of this.sectors)
      for (const block of sector.blocks) {
        const metres = away(block, longitude, latitude, best.metres);
        if (metres < best.metres) best = { metres, sector };
      }
    return best.sector && answer([best.sector], Math.round(best.metres));
  }

  // GeoJSON for drawing; `forProjection` turns the rings as d3 wants them.
  features() {
    return this.sectors.map((sector) => ({
      type: "Feature",
      properties: sector,
      geometry: {
        type: "MultiPolygon",
        coordinates: sector.blocks.map(({ rings }) => rings.map((ring) => [...ring, ring[0]])),
      },
    }));
  }
}

const answer = (sectors, metres) => ({
  sectors,
  metres,
  colleges: [...new Set(sectors.flatMap((sector) => sector.colleges))].sort((a, b) => a - b),
});

function unpacked(ring, scale) {
  const points = [];
  let [x, y] = [0, 0];
  for (let i = 0; i < ring.length; i += 2) {
    x += ring[i];
    y += ring[i + 1];
    points.push([x / scale, y / scale]);
  }
  return points;
}

function withBox(rings) {
  const xs = rings[0].map(([x]) => x);
  const ys = rings[0].map(([, y]) => y);
  return {
    rings,
    west: Math.min(...xs),
    east: Math.max(...xs),
    south: Math.min(...ys),
    north: Math.max(...ys),
  };
}

function contains({ rings, west, east, south, north }, x, y) {
  if (x < west || x > east || y < south || y > north) return false;
  let isInside = false;
  for (const ring of rings)
    for (let i = 0; i < ring.length; i++) {
      const [x1, y1] = ring[i];
      const [x2, y2] = ring[(i + 1) % ring.length];
      if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) isInside = !isInside;
    }
  return isInside;
}

function away({ rings, west, east, south, north }, x, y, limit) {
  const eastM = METRES_PER_DEGREE * Math.cos((y * Math.PI) / 180);
  const northM = METRES_PER_DEGREE;
  const beside = Math.max(west - x, x - east, 0) * eastM;
  const above = Math.max(south - y, y - north, 0) * northM;
  if (Math.hypot(beside, above) > limit) return Infinity;
  let best = Infinity;
  for (const ring of rings)
    for (let i = 0; i < ring.length; i++) {
      const [ax, ay] = [(ring[i][0] - x) * eastM, (ring[i][1] - y) * northM];
      const next = ring[(i + 1) % ring.length];
      const [dx, dy] = [(next[0] - x) * eastM - ax, (next[1] - y) * northM - ay];
      const length = dx * dx + dy * dy;
      const along = length ? Math.max(0, Math.min(1, -(ax * dx + ay * dy) / length)) : 0;
      best = Math.min(best, Math.hypot(ax + along * dx, ay + along * dy));
    }
  return best;
}
