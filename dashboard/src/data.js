// The exported document, indexed for drawing. Nothing is measured here.
import { MEASURES } from "./measures.js";

export async function load(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return new Store(await response.json());
}

const key = (...parts) => parts.join("|");
const by = (rows, ...names) => new Map(rows.map((row) => [key(...names.map((name) => row[name])), row]));
const group = (rows, name) => Map.groupBy(rows, (row) => row[name]);

export class Store {
  constructor(written) {
    const document = unpacked(written);
    this.document = document;
    for (const source of document.sources)
      for (const name of ["publisher", "title"]) source[name] = source[name].replaceAll("'", "’");
    this.colleges = document.colleges.map((college) => ({
      ...college,
      display_name: college.display_name ?? college.college_name,
    }));
    this.arrondissements = document.arrondissements;
    this.changes = document.changes;
    this.portalEdits = document.portal_edits;
    this.college = new Map(this.colleges.map((college) => [college.college_id, college]));
    this.position = new Map(this.colleges.map((college, index) => [college.college_id, index]));
    this.schoolYear = by(document.college_school_years, "college_id", "school_year");
    this.neighbourhood = by(document.neighbourhoods, "college_id", "school_year");
    this.result = by(document.results, "college_id", "school_year");
    this.socialPosition = by(document.social_positions, "college_id", "school_year");
    this.arrondissementYear = by(document.arrondissement_years, "arrondissement_number", "school_year");
    this.parisYear = by(document.paris_years, "school_year");
    this.changesOf = group(document.changes, "college_id");
    this.sectorsOf = group(document.sectors, "college_id");
    this.years = describeYears(document);
    this.metres = unpackDistances(document.distances);
    this.rowsByYear = new Map();
  }

  get isSynthetic() {
    return this.document.is_synthetic;
  }

  // The latest the city's list is held of.
  get latestYear() {
    return this.years.findLast((year) => year.isHeld)?.school_year ?? this.years.at(-1)?.school_year;
  }

  // The latest a measure is published of; null where it never is.
  latest(measure) {
    return this.years.findLast(measure.isAvailable)?.school_year ?? null;
  }

  // Of which year a row tells a measure: its own, or each measure's latest.
  yearOf(row, measure) {
    return this.year(row.isLatest ? this.latest(measure) : row.school_year);
  }

  // What is asked for, else the first that is published of the school year, or at all.
  measure(id, schoolYear = null) {
    const year = this.year(schoolYear);
    const isPublished = (measure) => (year ? measure.isAvailable(year) : this.latest(measure));
    return MEASURES.find((measure) => measure.id === id) ?? MEASURES.find(isPublished) ?? MEASURES[0];
  }

  // The session of the brevet and the school year from which on results are held.
  get firstResult() {
    return this.document.results.reduce(
      (first, row) => (!first || row.session < first.session ? row : first),
      null,
    );
  }

  nameOf(id) {
    return this.college.get(id).display_name;
  }

  year(schoolYear) {
    return this.years.find((year) => year.school_year === schoolYear);
  }

  // One row a collège of the school year. In a year without the city's list: the collèges the
  // ministry speaks of, where they stood last. Without a year: those of the latest list, with the
  // latest that is published of each measure.
  rows(schoolYear = null) {
    if (!this.rowsByYear.has(schoolYear)) {
      const rows = this.colleges
        .map((college) => (schoolYear ? this.row(college, schoolYear) : this.latestRow(college)))
        .filter(Boolean);
      this.rowsByYear.set(schoolYear, rows);
    }
    return this.rowsByYear.get(schoolYear);
  }

  // `row`: what is of no measure, for a collège that the latest list may not have.
  latestRow(college, row = this.row(college, this.latestYear)) {
    if (!row) return null;
    const of = (table, id) => table.get(key(college.college_id, this.latest(this.measure(id))));
    return {
      ...row,
      isLatest: true,
      result: of(this.result, "success"),
      social: of(this.socialPosition, "ips"),
    };
  }

  row(college, schoolYear) {
    const id = college.college_id;
    const place = this.schoolYear.get(key(id, schoolYear));
    const result = this.result.get(key(id, schoolYear));
    const social = this.socialPosition.get(key(id, schoolYear));
    if (!place && (this.year(schoolYear)?.isHeld || !(result || social))) return null;
    const neighbourhood = this.neighbourhood.get(key(id, schoolYear));
    return {
      ...(place ?? college),
      college_id: id,
      school_year: schoolYear,
      display_name: college.display_name,
      uai: college.uai,
      is_open: college.is_open,
      last_school_year: college.last_school_year,
      is_place_borrowed: !place,
      nearest_college_id: neighbourhood?.nearest_college_id ?? null,
      nearest_km: neighbourhood?.nearest_km ?? null,
      colleges_within_1_km: neighbourhood?.colleges_within_1_km ?? null,
      result,
      social,
      changes: (this.changesOf.get(id) ?? []).filter((change) => change.school_year === schoolYear),
    };
  }

  // [index a, index b, metres] of every pair measured that year.
  pairs(schoolYear) {
    const metres = this.metres.get(schoolYear) ?? [];
    const pairs = [];
    let position = 0;
    for (let a = 0; a < this.colleges.length; a += 1) {
      for (let b = a + 1; b < this.colleges.length; b += 1, position += 1) {
        if (metres[position] !== null && metres[position] !== undefined) pairs.push([a, b, metres[position]]);
      }
    }
    return pairs;
  }

  metresBetween(idA, idB, schoolYear) {
    const [low, high] = [this.position.get(idA), this.position.get(idB)].sort((x, y) => x - y);
    const count = this.colleges.length;
    const position = low * count - (low * (low + 1)) / 2 + high - low - 1;
    return this.metres.get(schoolYear)?.[position] ?? null;
  }

  // Others of the school year, nearest first: [college id, metres].
  nearest(id, schoolYear, count) {
    return this.colleges
      .map((college) => [college.college_id, this.metresBetween(id, college.college_id, schoolYear)])
      .filter(([other, metres]) => other !== id && metres !== null)
      .sort((x, y) => x[1] - y[1])
      .slice(0, count);
  }

  // What the portal did to the records of the city's list that are the collège's.
  editsOf(id) {
    return this.portalEdits.filter(
      (edit) => edit.dataset === "etablissements-scolaires-colleges" && edit.college_id === id,
    );
  }

  // The first and the last school year that the document has of a dataset; nothing where it has none.
  coverage(dataset) {
    const { college_school_years, sectors, results, social_positions } = this.document;
    const rows = {
      "etablissements-scolaires-colleges": college_school_years,
      "secteurs-scolaires-colleges": sectors,
      "fr-en-indicateurs-valeur-ajoutee-colleges": results,
      "fr-en-ips-colleges-ap2022": social_positions.filter((row) => row.series === "ap2022"),
      "fr-en-ips-colleges-ap2023": social_positions.filter((row) => row.series === "ap2023"),
    }[dataset];
    const years = [...new Set((rows ?? []).map((row) => row.school_year))].sort();
    return years.length ? [years[0], years.at(-1)] : [];
  }

  // The datasets some tables of the document descend from.
  sources(tables) {
    const wanted = new Set(tables.flatMap((table) => this.document.table_datasets[table]));
    return this.document.sources.filter((source) => wanted.has(source.dataset));
  }
}

// Tables are written as their column names once and a list a row, texts that repeat once in `codes`.
export const unpacked = (document) =>
  Object.fromEntries(
    Object.entries(document).map(([name, content]) => [
      name,
      content?.columns && content?.rows ? unpackedTable(content) : content,
    ]),
  );

function unpackedTable({ columns, codes, rows }) {
  const texts = columns.map((column) => codes[column]);
  return rows.map((row) =>
    Object.fromEntries(
      columns.map((column, index) => {
        const value = row[index];
        return [column, texts[index] && value !== null ? texts[index][value] : value];
      }),
    ),
  );
}

// Whether the document says something there: a column may be null, a row may lack it.
export const isGiven = (value) => value !== null && value !== undefined;

// "17-18" for "2017-2018", where there is little room.
export const shortYear = (schoolYear) => schoolYear.replace(/\d\d(\d\d)-\d\d(\d\d)/, "$1-$2");

// What a record's key says, without the fields that the portal left empty.
export const recordParts = (recordKey) => JSON.parse(recordKey).filter(isGiven).map(String);

// Where the portal shows the records of a dataset that hold these words.
export const recordsAddress = (source, words) => `${source.url}table/?q=${encodeURIComponent(words)}`;

function describeYears({ school_years, college_school_years, results, social_positions }) {
  const places = group(college_school_years, "school_year");
  const withResults = new Set(results.map((row) => row.school_year));
  const withIps = new Set(social_positions.map((row) => row.school_year));
  return school_years.map((year) => {
    const held = places.get(year.school_year) ?? [];
    return {
      ...year,
      isHeld: held.length > 0,
      isWithdrawn: held.length > 0 && held.every((row) => row.is_withdrawn),
      hasResults: withResults.has(year.school_year),
      hasIps: withIps.has(year.school_year),
    };
  });
}

function unpackDistances(packed) {
  const metres = new Map();
  let before = [];
  for (const entry of packed) {
    const current = entry.metres ?? [...before];
    for (const [position, value] of entry.changed ?? []) current[position] = value;
    metres.set(entry.school_year, current);
    before = current;
  }
  return metres;
}
