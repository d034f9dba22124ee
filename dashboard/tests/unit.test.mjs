// What needs no browser: the address, folding, files, languages.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { breakYears, parisPoints } from "../src/components/over-time.js";
import { Store } from "../src/data.js";
import { folded, matches } from "../src/dom.js";
import { csvMetadata, fileName, toCsv, toGeoJson } from "../src/files.js";
import { chosenLanguage, createLanguage, LANGUAGES } from "../src/i18n/index.js";
import { innerPoint } from "../src/geometry.js";
import { measure } from "../src/measures.js";
import { format, linkTo, parse } from "../src/state.js";

const origin = {
  isSynthetic: false,
  exportedAt: "2026-11-22T08:00:00Z",
  sources: [
    {
      publisher: "Ville de Paris",
      title: "Collèges",
      url: "https://example.org/",
      licence: "ODbL",
      licence_url: "https://example.org/l",
      extracted_at: "2026-11-22T07:00:00Z",
    },
  ],
  attribution: "Ville de Paris",
  licence: { name: "ODbL", url: "https://example.org/l" },
  isShareAlike: true,
  otherLicences: [],
  describe: (source) => `${source.publisher}, ${source.extracted_at}, ${source.licence}`,
};
const columns = [
  { key: "name", value: (row) => row.name },
  { key: "km", value: (row) => row.km },
];
const french = createLanguage("fr");

test("an address survives a round trip, whatever is searched for", () => {
  const state = { view: "map", id: null, params: { year: "2018-2019", "colleges.q": 'a&b="é#?' } };
  assert.deepEqual(parse(format(state)), state);
});

test("an unknown or incomplete address is the map", () => {
  for (const hash of ["", "#", "#/nothing", "#/college", "#/map/x", "#content"])
    assert.equal(parse(hash).view, "map");
  assert.equal(parse("#/college/c0123456789ab").id, "c0123456789ab");
});

test("a link keeps language and year and drops what belongs to the view", () => {
  const state = parse("#/map?lang=en&year=2018-2019&arr=4&colleges.q=x");
  assert.equal(linkTo(state, "changes"), "#/changes?lang=en&year=2018-2019");
});

test("searching knows neither accents nor case nor order", () => {
  assert.ok(matches(folded("HELENE BOUCHER 75020"), "boucher hélène"));
  assert.ok(matches(folded("D' IVRY"), "d'ivry"));
  assert.ok(!matches(folded("HELENE"), "helenes"));
});

test("both languages say everything, and nothing that no view asks for", () => {
  assert.deepEqual(Object.keys(LANGUAGES.fr).sort(), Object.keys(LANGUAGES.en).sort());
  const folder = fileURLToPath(new URL("../src", import.meta.url));
  const source = readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith(".js") && !/i18n.(fr|en)\.js$/.test(name))
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join("\n");
  const literal = [...source.matchAll(/\bt\("([^"]+)"/g)].map(([, key]) => key);
  assert.deepEqual(
    literal.filter((key) => !(key in LANGUAGES.fr)),
    [],
  );
  // Keys that are put together: `reason.${reason}`, `${table}.title`.
  const composed = [...source.matchAll(/`(\w*)((?:[\w.]|\$\{[^}]*\})+)`/g)]
    .map(([text]) => text.slice(1, -1))
    .filter((text) => text.includes(".") && text.includes("${"))
    .map((text) => new RegExp(`^${text.replaceAll(".", "\\.").replace(/\$\{[^}]*\}/g, "[\\w.]+")}$`));
  assert.deepEqual(
    Object.keys(LANGUAGES.fr).filter(
      (key) => !source.includes(`"${key}"`) && !composed.some((pattern) => pattern.test(key)),
    ),
    [],
  );
  const holes = (text) =>
    JSON.stringify(text)
      .match(/\{\w+\}/g)
      ?.filter((hole) => hole !== "{n}")
      .sort() ?? [];
  for (const key of Object.keys(LANGUAGES.fr))
    assert.deepEqual(new Set(holes(LANGUAGES.fr[key])), new Set(holes(LANGUAGES.en[key])), key);
});

test("numbers and ordinals follow the language", () => {
  const english = createLanguage("en");
  assert.deepEqual([1, 2].map(french.arrondissement), ["1er", "2e"]);
  assert.deepEqual([1, 2, 3, 4, 11, 12, 13].map(english.arrondissement), [
    "1st",
    "2nd",
    "3rd",
    "4th",
    "11th",
    "12th",
    "13th",
  ]);
  assert.equal(french.kilometres(11.794), "11,79\u00a0km");
  assert.equal(french.kilometres(0.069), "69\u00a0m");
  assert.equal(english.points(3), "+3\u00a0pts");
  assert.equal(french.points(-14.5), "\u221214,5\u00a0pt");
  assert.equal(english.number(-1.25, 1), "\u22121.3");
});

test("no French line begins with a colon or breaks within guillemets", () => {
  for (const key of Object.keys(LANGUAGES.fr)) {
    const said = french.t(key, { n: 2 });
    assert.ok(!/ [:;!?»]/.test(said) && !/« /.test(said), `${key}: ${said}`);
  }
});

test("the language: the address's, else the browser's, else French", () => {
  assert.equal(chosenLanguage({ lang: "fr" }, ["en-US"]), "fr");
  assert.equal(chosenLanguage({}, ["de-DE", "en-US", "fr"]), "en");
  assert.equal(chosenLanguage({}, ["fr-CA", "en"]), "fr");
  assert.equal(chosenLanguage({}, ["de"]), "fr");
  assert.equal(chosenLanguage({ lang: "xx" }, []), "fr");
});

test("CSV: semicolons, a byte order mark, no comments; formulas are text, decimals are the language's", () => {
  const rows = [
    { name: 'A "B"; C\nD', km: 1.5 },
    { name: "=1+1", km: null },
  ];
  const text = toCsv(french, columns, rows);
  assert.equal(text.codePointAt(0), 0xfeff);
  assert.equal(text.slice(1), 'name;km\r\n"A ""B""; C\nD";1,5\r\n\'=1+1;\r\n');
  assert.match(toCsv(createLanguage("en"), columns, rows), /1\.5/);
  const dated = [columns[0], { ...columns[1], note: () => "2022-2023" }];
  assert.match(toCsv(french, dated, rows), /^\uFEFFname;km_2022-2023\r\n/);
});

test("the metadata beside a CSV: source, licence, dates, columns, number of rows", () => {
  const described = JSON.parse(
    csvMetadata(french, {
      title: "Les collèges",
      url: "x.csv",
      columns,
      rows: [{ name: "A", km: 1 }],
      origin,
    }),
  );
  assert.equal(described.url, "x.csv");
  assert.match(described["dc:source"][0], /Ville de Paris, 2026-11-22T07:00:00Z, ODbL/);
  assert.match(described["dc:license"], /partage à l’identique/);
  assert.equal(described["schema:numberOfItems"], 1);
  assert.equal(described.dialect.delimiter, ";");
  assert.deepEqual(
    described.tableSchema.columns.map((column) => column.name),
    ["name", "km"],
  );
});

test("the metadata tell a column of numbers whose first row has none, and stand without any row", () => {
  const datatypes = (rows) =>
    JSON.parse(
      csvMetadata(french, { title: "Les collèges", url: "x.csv", columns, rows, origin }),
    ).tableSchema.columns.map((column) => column.datatype?.format.decimalChar);
  const rows = [
    { name: "A", km: null },
    { name: "B", km: 1.5 },
  ];
  assert.deepEqual(datatypes(rows), [undefined, ","]);
  const nested = [...columns, { key: "of", value: (row) => row.of.value }];
  const none = csvMetadata(french, { title: "Rien", url: "x.csv", columns: nested, rows: [], origin });
  assert.equal(JSON.parse(none)["schema:numberOfItems"], 0);
});

test("a file is named for its filters, and as the latest where columns are of their latest year", () => {
  const dated = [columns[0], { ...columns[1], note: () => "2022-2023" }];
  const named = (params, its = dated, name = "colleges") =>
    fileName({ ...french, store: { isSynthetic: false }, state: () => ({ params }) }, name, its);
  assert.equal(named({}), "paris-colleges_colleges_dernieres-donnees");
  assert.equal(
    named({ arrs: "4,19" }, columns, "arrondissement-years"),
    "paris-colleges_arrondissement-years_arrondissement-4-19",
  );
  assert.equal(
    named({ year: "2022-2023", arr: "19", "colleges.q": "césaire", "colleges.page": "2", measure: "ips" }),
    "paris-colleges_colleges_2022-2023_arrondissement-19_césaire",
  );
});

test("GeoJSON has the same inside, and a null geometry where there is none", () => {
  const document = JSON.parse(
    toGeoJson(
      french,
      "Collèges",
      [...columns, { key: "ips", value: (row) => row.ips, note: () => "2022-2023" }],
      [{ name: "A", km: null, ips: 91.5 }],
      { ...origin, isSynthetic: true },
      () => null,
    ),
  );
  assert.equal(document.features[0].geometry, null);
  assert.deepEqual(document.features[0].properties, { name: "A", km: null, "ips_2022-2023": 91.5 });
  assert.equal(document.sources[0].extracted_at, "2026-11-22T07:00:00Z");
  assert.match(document.warning, /synthétiques/);
});

// A store of one collège that the latest list lacks: its results and indices stand in other years.
const college = { college_id: "a", college_name: "A" };
const positions = [
  { college_id: "a", school_year: "2022-2023", series: "ap2022", ips: 100 },
  { college_id: "a", school_year: "2023-2024", series: "ap2023", ips: 101 },
];
const store = Object.assign(Object.create(Store.prototype), {
  document: { social_positions: positions },
  years: [
    { school_year: "2022-2023", hasResults: true, hasIps: true },
    { school_year: "2023-2024", hasIps: true },
    { school_year: "2024-2025", isHeld: true },
  ],
  schoolYear: new Map(),
  result: new Map([["a|2022-2023", { success_rate_pct: 88 }]]),
  socialPosition: new Map(positions.map((row) => [`a|${row.school_year}`, row])),
  parisYear: new Map(positions.map((row) => [row.school_year, { ips_mean: row.ips }])),
});

test("a collège that the latest list lacks has the latest of each measure, as the others have", () => {
  assert.equal(store.latestRow(college), null);
  const row = store.latestRow(college, { ...college, school_year: store.latestYear });
  assert.deepEqual([row.result.success_rate_pct, row.social.ips, row.isLatest], [88, 101, true]);
});

test("the dark theme is other colours alone, so that no layout and no text depends on it", () => {
  const source = new URL("../src/", import.meta.url);
  const files = readdirSync(source, { recursive: true }).filter((name) => /\.(css|js)$/.test(name));
  const asking = files
    .map((name) => [name, readFileSync(new URL(name, source), "utf8")])
    .filter(([, text]) => /prefers-color-scheme|light-dark\(/.test(text));
  assert.deepEqual(asking.map(([name]) => name).sort(), ["base.css", "components/map-colors.js"]);
  const [, css] = asking.find(([name]) => name === "base.css");
  const blocks = [...css.matchAll(/@media \(prefers-color-scheme: dark\) \{\s*:root \{(.*?)\}\s*\}/gs)];
  assert.equal(blocks.length, css.split("prefers-color-scheme").length - 1);
  for (const [, declarations] of blocks)
    for (const line of declarations.trim().split("\n")) assert.match(line, /^\s*--[\w-]+: #[0-9a-f]{3,6};$/);
});

test("a curve of the social position is cut where another series begins, no other curve is", () => {
  const series = parisPoints(store, measure("ips"))
    .filter((point) => point.value !== null)
    .map((point) => point.series);
  assert.deepEqual(series, ["ap2022", "ap2023"]);
  assert.deepEqual(breakYears(store, measure("ips")), ["2023-2024"]);
  assert.deepEqual(breakYears(store, measure("success")), []);
});

test("the label of an outline stands well inside it, a wood at its end or not", () => {
  // A square, and a long arm to its east that draws the centroid out of it.
  const ring = [
    [2.0, 48.0],
    [2.2, 48.0],
    [2.2, 48.09],
    [3.0, 48.09],
    [3.0, 48.11],
    [2.2, 48.11],
    [2.2, 48.2],
    [2.0, 48.2],
    [2.0, 48.0],
  ];
  for (const outline of [
    { type: "Polygon", coordinates: [ring] },
    { type: "MultiPolygon", coordinates: [[ring], [ring.slice(0, 3)]] },
  ]) {
    const [x, y] = innerPoint(outline);
    assert.ok(x > 2.02 && x < 2.18 && y > 48.02 && y < 48.18, `${x}, ${y}`);
  }
});
