// What needs no browser: the address, folding, files, languages.
import assert from "node:assert/strict";
import test from "node:test";
import { folded, matches } from "../src/dom.js";
import { toCsv, toGeoJson } from "../src/files.js";
import { createLanguage, LANGUAGES } from "../src/i18n/index.js";
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

test("both languages say everything", () => {
  assert.deepEqual(Object.keys(LANGUAGES.fr).sort(), Object.keys(LANGUAGES.en).sort());
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
  assert.equal(french.kilometres(11.794), "11,79 km");
  assert.equal(french.kilometres(0.069), "69 m");
  assert.equal(english.points(3), "+3 pts");
});

test("CSV quotes what it must, defuses formulas and says where it comes from", () => {
  const rows = [
    { name: 'A "B", C\nD', km: 1.5 },
    { name: "=1+1", km: null },
  ];
  const text = toCsv(french, "Les collèges\r\nx", columns, rows, origin);
  assert.equal(text.codePointAt(0), 0xfeff);
  const lines = text.slice(1).split("\r\n");
  const notes = lines.filter((line) => line.startsWith("#"));
  assert.match(notes.join("\n"), /Ville de Paris, 2026-11-22T07:00:00Z, ODbL/);
  assert.match(notes.join("\n"), /partage à l’identique/);
  assert.equal(lines.slice(notes.length).join("\r\n"), 'name,km\r\n"A ""B"", C\nD",1.5\r\n\'=1+1,\r\n');
});

test("GeoJSON has the same inside, and a null geometry where there is none", () => {
  const document = JSON.parse(
    toGeoJson(
      french,
      "Collèges",
      columns,
      [{ name: "A", km: null }],
      { ...origin, isSynthetic: true },
      () => null,
    ),
  );
  assert.equal(document.features[0].geometry, null);
  assert.deepEqual(document.features[0].properties, { name: "A", km: null });
  assert.equal(document.sources[0].extracted_at, "2026-11-22T07:00:00Z");
  assert.match(document.warning, /synthétiques/);
});
