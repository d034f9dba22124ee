// Of the exported sectors: an address that leads to one collège, and a point inside a sector.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Streets } from "../src/address.js";
import { Outlines } from "../src/outlines.js";
import { readDocument } from "./harness.mjs";

export const FOLDER = dirname(process.env.DASHBOARD_DOCUMENT);
export const read = (name) => JSON.parse(readFileSync(join(FOLDER, name), "utf8"));
const document = readDocument();
export const streets = read("streets.json");
export const years = document.sector_files
  .map((name) => name.match(/^outlines-(.*)\.json$/)?.[1])
  .filter(Boolean);
export const outlines = new Outlines(read(`outlines-${years.at(-1)}.json`));

// A street that belongs to one collège as a whole, and bears its name in one arrondissement alone.
const index = new Streets(streets);
export const whole = index.all.find(
  (street) =>
    index.byKey.get(street.key).length === 1 &&
    new Set(street.ranges.map(([place]) => place)).size === 1 &&
    street.ranges.some(([, from, to, side]) => from === 1 && to === 9999 && side !== 0),
);
export const address = `7 ${whole.name.toLowerCase()}, 750${String(whole.arrondissement).padStart(2, "0")}`;
export const expected = document.colleges[whole.ranges[0][0]].display_name;

// A block of a sector of one collège, with a point inside it.
export const sector = outlines.sectors.find(({ colleges }) => colleges.length === 1);
export const inside = insideOf(sector.blocks[0]);

function insideOf({ west, east, south, north }) {
  for (let i = 1; i < 40; i++)
    for (let j = 1; j < 40; j++) {
      const point = [west + ((east - west) * i) / 40, south + ((north - south) * j) / 40];
      const found = outlines.locate(point);
      if (found?.metres === 0 && found.sectors[0] === sector) return point;
    }
  throw new Error("no point inside");
}
