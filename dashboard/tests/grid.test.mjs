// Every view at every width, in both languages, light and dark: nothing complains, nothing scrolls sideways,
// axe finds nothing, and the view shows what the document holds.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import test from "node:test";
import { readDocument, running, visit } from "./harness.mjs";

const document = readDocument();
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const LANGUAGES = { fr: "fr-FR", en: "en-GB" };
const WIDTHS = [1440, 1024, 390];
const NARROWEST = 360; // of the phones that are sold
const THEMES = ["light", "dark"];
// axe is slow, so it reads half of the combinations: among them every pair of a width, a language and a theme.
const isReadByAxe = (width, lang, theme) =>
  (WIDTHS.indexOf(width) + Object.keys(LANGUAGES).indexOf(lang) + THEMES.indexOf(theme)) % 2 === 0;

const latest = document.college_school_years
  .map((row) => row.school_year)
  .sort()
  .at(-1);
const moved = document.changes.find((change) => change.change_type === "relocated");
const compared = document.colleges.slice(0, 3);
const hasOutlines = document.sector_files.some((name) => name.startsWith("outlines"));
const count = (rows, isCounted = () => true) => rows.filter(isCounted).length;

// Of each view: its address, and what it shows of the document. A table by the number of its rows, anything
// else by the number of elements.
const VIEWS = {
  map: [
    "#/map",
    {
      "#colleges-table": count(document.college_school_years, (row) => row.school_year === latest),
      "#arrondissements-table": document.arrondissements.length,
      ".map a.point": count(document.college_school_years, (row) => row.school_year === latest),
    },
  ],
  sector: ["#/sector", { ".map.sectors svg": hasOutlines ? 1 : 0, "#position": 1 }],
  arrondissements: [
    "#/arrondissements?arrs=7,19",
    {
      "#arrondissement-years-table": count(document.arrondissement_years, (row) =>
        [7, 19].includes(row.arrondissement_number),
      ),
      "table.compact thead th": 4,
      ".choices button": document.arrondissements.length,
      ".multiples svg": 1,
    },
  ],
  compare: [
    `#/compare?c=${compared.map((college) => college.college_id)}`,
    { ".chips li": 3, "table.side-by-side": 2, ".charts .chart": 5 },
  ],
  distances: [
    "#/distances",
    { "#distances-table": document.paris_years.find((row) => row.school_year === latest).pair_count },
  ],
  changes: [
    "#/changes",
    {
      "#changes-table": count(document.changes, (change) => change.change_type !== "respelled"),
      "#edits-table": document.portal_edits.length,
    },
  ],
  anomalies: [
    "#/anomalies",
    {
      "#anomalies-table": count(document.anomalies, (row) => row.kind !== "withdrawn"),
      ".count": new Set(document.anomalies.map((row) => row.kind)).size,
    },
  ],
  college: [
    `#/college/${moved.college_id}`,
    { ".life-years li": document.school_years.length, ".neighbours li": 5, ".map svg": 1 },
  ],
  sources: [
    "#/sources",
    { "main tbody tr": document.sources.length, details: Object.keys(document.definitions).length },
  ],
};

// Words of the other language, and marks that a language writes otherwise.
const FOREIGN = {
  fr: /\b(The|Year|Search|Neighbours|Results|Download|with|of)\b/,
  en: /\b(Les|Année|Rechercher|Voisins|Résultats|Télécharger|avec)\b/,
};
const MISWRITTEN = {
  fr: /[^\s] [:;!?»%]|« |(^|\s)-\d/m,
  en: /«|(^|\s)-\d/m,
};

const site = running(document);

// All that is asked of a view at once: one way into the page and back.
const read = (page, selectors) =>
  page.evaluate((wanted) => {
    const shown = (selector) => {
      const output = window.document.querySelector(`${selector} output`);
      if (!output) return window.document.querySelectorAll(selector).length;
      return Number(output.textContent.split("·")[0].replace(/\D/g, ""));
    };
    const root = window.document.documentElement;
    return {
      scroll: root.scrollWidth - root.clientWidth,
      lang: root.lang,
      title: window.document.title,
      heading: window.document.querySelector("main h1").textContent,
      text: window.document.querySelector("main").innerText,
      labels: [
        ...window.document.querySelectorAll("main h1, main h2, main label, main button, main .intro, nav a"),
      ]
        .map((element) => element.textContent)
        .join("\n"),
      banners: window.document.querySelectorAll("aside.synthetic").length,
      counts: Object.fromEntries(wanted.map((selector) => [selector, shown(selector)])),
    };
  }, selectors);

const violations = (page) =>
  page.evaluate(async () => {
    const result = await window.axe.run(window.document, {
      resultTypes: ["violations"],
      rules: { "target-size": { enabled: true }, "scrollable-region-focusable": { enabled: true } },
    });
    return result.violations.map(
      ({ id, nodes }) =>
        `${id}: ${nodes
          .slice(0, 3)
          .map((node) => node.html.slice(0, 160))
          .join(" | ")}`,
    );
  });

for (const width of WIDTHS)
  for (const [lang, locale] of Object.entries(LANGUAGES))
    for (const theme of THEMES)
      test(`every view at ${width} pixels, ${lang}, ${theme}`, async () => {
        const opened = await site.open({
          locale,
          colorScheme: theme,
          viewport: { width, height: width < 500 ? 844 : 900 },
          hash: "#/sources",
        });
        const { page, complaints } = opened;
        await page.evaluate(AXE);
        const [titles, headings] = [new Set(), new Set()];
        for (const [view, [hash, counts]] of Object.entries(VIEWS)) {
          await visit(page, hash, view);
          if (view === "sector" && hasOutlines) await page.waitForSelector(".map.sectors svg");
          const found = await read(page, Object.keys(counts));
          assert.deepEqual(found.counts, counts, view);
          assert.equal(found.scroll, 0, `${view}: ${found.scroll} pixels too wide`);
          assert.equal(found.lang, lang, view);
          assert.doesNotMatch(found.labels, FOREIGN[lang], view);
          assert.doesNotMatch(found.text, MISWRITTEN[lang], view);
          assert.doesNotMatch(found.text, /undefined|NaN|\[object|\bnull\b|\{\w+\}/, view);
          assert.equal(found.banners, document.is_synthetic ? 1 : 0, view);
          titles.add(found.title);
          headings.add(found.heading);
          if (isReadByAxe(width, lang, theme)) assert.deepEqual(await violations(page), [], view);
          if (width === 390 && theme === "light") {
            await page.setViewportSize({ width: NARROWEST, height: 780 });
            assert.equal((await read(page, [])).scroll, 0, `${view} at ${NARROWEST} pixels`);
            await page.setViewportSize({ width, height: 844 });
          }
          assert.deepEqual(complaints, [], view);
        }
        assert.equal(titles.size, Object.keys(VIEWS).length);
        assert.equal(headings.size, Object.keys(VIEWS).length);
        await opened.close();
      });
