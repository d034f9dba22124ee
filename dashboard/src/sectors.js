// Which collège an address or a point belongs to, since when, and how sure: the rules of the package
// `which`, on the files beside dashboard.json. They are asked for when first needed.
import { Streets, isInRange, readAddress } from "./address.js";
import { Outlines } from "./outlines.js";

export class Sectors {
  constructor(store, base = document.baseURI) {
    this.store = store;
    this.base = base;
    this.files = new Set(store.document.sector_files);
    this.years = [...this.files]
      .map((name) => name.match(/^outlines-(.*)\.json$/)?.[1])
      .filter(Boolean)
      .sort();
    this.loading = new Map();
    this.streetsNow = null;
  }

  get isHeld() {
    return this.files.size > 0;
  }

  async #load(name, Kind) {
    if (!this.files.has(name)) return null;
    if (!this.loading.has(name))
      this.loading.set(
        name,
        fetch(new URL(`data/${name}`, this.base))
          .then(async (response) => {
            if (!response.ok) throw new Error(`${name}: ${response.status}`);
            return new Kind(await response.json());
          })
          .catch((error) => {
            this.loading.delete(name); // whoever asks next tries again
            throw error;
          }),
      );
    return this.loading.get(name);
  }

  async streets() {
    return (this.streetsNow = await this.#load("streets.json", Streets));
  }

  outlines(year) {
    return this.#load(`outlines-${year}.json`, Outlines);
  }

  college(place) {
    return this.store.colleges[place];
  }

  // An answer to text, to a point [longitude, latitude], or to both.
  async find({ text = null, point = null }) {
    const streets = await this.streets();
    const address = text ? readAddress(text) : null;
    const range = address && streets ? byRange(streets, address) : null;
    const located = point ? await this.#located(point) : [];
    const outline = located.at(-1)?.schoolYear === this.years.at(-1) ? located.at(-1) : null;
    const rangeIds = range?.status === "found" ? range.colleges : [];
    const outlineIds = outline?.colleges ?? [];
    const chosen = rangeIds.length ? rangeIds : outlineIds;
    const isNear = !rangeIds.length && outline?.metres > 0;
    const same = String(rangeIds) === String(outlineIds);
    const both = rangeIds.length > 0 && outlineIds.length > 0;
    return {
      text,
      point,
      address,
      range,
      outline,
      located,
      colleges: chosen,
      status: chosen.length ? "found" : point ? "outside" : (range?.status ?? "street_not_found"),
      rule: rangeIds.length ? "range" : isNear ? "nearest_outline" : "outline",
      certainty: both ? (same ? "high" : "low") : isNear ? "low" : "medium",
      alternatives: both ? outlineIds.filter((place) => !rangeIds.includes(place)) : [],
      since: chosen.length ? since(this, chosen, located, streets) : null,
      sources: streets?.sources ?? [],
    };
  }

  async #located(point) {
    const years = await Promise.all(this.years.map((year) => this.outlines(year)));
    return years
      .map((outlines) => {
        const found = outlines.locate(point);
        return found && { schoolYear: outlines.schoolYear, ...found };
      })
      .filter(Boolean);
  }
}

function byRange(streets, address) {
  const named = streets.named(address);
  if (!named.length) return { status: "street_not_found", suggestions: streets.like(address), colleges: [] };
  const matching = named.flatMap((street) =>
    street.ranges
      .filter((range) => address.number === null || isInRange(address, range))
      .map((range) => ({ street, range })),
  );
  const colleges = [...new Set(matching.map(({ range }) => range[0]))].sort((a, b) => a - b);
  const places = new Set(matching.map(({ street }) => street.arrondissement));
  const found = { matching, colleges, streets: named, suggestions: [] };
  if (!matching.length) return { ...found, status: "number_outside_ranges" };
  if (places.size > 1 && colleges.length > 1) {
    const each = new Set(matching.map(({ street }) => street));
    return { ...found, status: "several_places", suggestions: [...each], colleges: [] };
  }
  if (address.number === null && colleges.length > 1)
    return { ...found, status: "no_number", candidates: colleges, colleges: [] };
  return { ...found, status: "found" };
}

// By the point in every year's outlines; without a point, by what the sector as a whole gained.
function since(sectors, chosen, located, streets) {
  if (located.length) {
    let start = null;
    for (const step of located.toReversed()) {
      if (String(step.colleges) !== String(chosen))
        return { basis: "point", start, before: step.colleges, beforeYear: step.schoolYear };
      start = step.schoolYear;
    }
    return { basis: "point", start, before: null };
  }
  if (!sectors.years.length || !streets) return null;
  const gained = streets.gained.filter(({ to, from }) => chosen.includes(to) && !chosen.includes(from));
  return { basis: "sector", start: gained.length ? null : streets.first_outlines, gained };
}
