// Every view at every width and in both languages, light or dark: nothing complains, scrolls sideways, lies on
// something else or is cut, axe finds nothing, the view shows what the document holds, and does what visitors
// came for (behaviours.mjs).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import test from "node:test";
import { createLanguage } from "../src/i18n/index.js";
import behaviours, { figures, latest, moved } from "./behaviours.mjs";
import { plain, readDocument, running, visit } from "./harness.mjs";
import { inPage } from "./in-page.mjs";

const document = readDocument();
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const LANGUAGES = { fr: "fr-FR", en: "en-GB" };
const WIDTHS = [1440, 1024, 390];
const NARROWEST = 360; // of the phones that are sold
const THEMES = ["light", "dark"];
// The dark theme is other colours and nothing else (unit.test.mjs), so it changes with each setting instead of
// doubling them. On the sample every pair of a width, a language and a theme is there; the recorded states are
// read at each width once, both languages and both themes among them.
const SETTINGS = WIDTHS.flatMap((width, row) =>
  Object.keys(LANGUAGES).map((lang, column) => ({ width, lang, theme: THEMES[(row + column) % 2] })),
).filter(({ width, lang }) => document.is_synthetic || lang === (width < 500 ? "fr" : "en"));

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
      const table = selector.match(/^#(.+)-table$/);
      return table ? ask.rows(table[1]) : ask.all(selector).length;
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
      collisions: window.ask.collisions(),
      cut: window.ask.cut(),
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

// The page before its data are there, and where they do not come: something useful, and words for visitors.
async function withoutData(page, { language, lang }) {
  let answer;
  const asked = new Promise((resolve) => (answer = resolve));
  await page.route("**/dashboard.json", async (route) => (await asked, route.fulfill({ status: 500 })), {
    times: 1,
  });
  await page.evaluate(() => location.reload());
  await page.getByText("Le collège d’une adresse").waitFor();
  const early = await page.evaluate(() => ({
    links: ask.all("main a").length,
    scroll: window.document.documentElement.scrollWidth - window.document.documentElement.clientWidth,
    english: ask.texts("main [lang=en]").join(" "),
  }));
  assert.ok(early.links >= 3);
  assert.ok(early.english.includes("The collège of an address"));
  assert.equal(early.scroll, 0);
  answer();
  await page.locator("main [role=alert]").waitFor();
  const text = plain(await page.locator("body").innerText());
  assert.ok(text.includes(plain(language.t("page.failed"))), `${lang}: ${text}`);
  assert.doesNotMatch(text, /make|dashboard\.json|500/);
  await page.getByRole("button", { name: language.t("page.reload") }).click();
  await page.waitForSelector("body[data-ready]");
}

for (const { width, lang, theme } of SETTINGS)
  test(`every view at ${width} pixels, ${lang}, ${theme}`, async () => {
    const opened = await site.open({
      locale: LANGUAGES[lang],
      colorScheme: theme,
      viewport: { width, height: width < 500 ? 844 : 900 },
      hash: "#/sources",
      inPage,
    });
    const { page, complaints } = opened;
    const setting = { page, width, lang, theme, language: createLanguage(lang) };
    await withoutData(page, setting);
    complaints.length = 0;
    await page.evaluate(AXE);
    const [titles, headings] = [new Set(), new Set()];
    for (const [view, [hash, counts]] of Object.entries(VIEWS)) {
      const where = `${view} at ${width} pixels, ${lang}, ${theme}`;
      await visit(page, hash, view);
      if (view === "sector" && hasOutlines) await page.waitForSelector(".map.sectors svg");
      const found = await read(page, Object.keys(counts));
      assert.deepEqual(found.counts, counts, where);
      assert.equal(found.scroll, 0, `${where}: ${found.scroll} pixels too wide`);
      assert.deepEqual(found.collisions, [], where);
      assert.deepEqual(found.cut, [], where);
      assert.equal(found.lang, lang, where);
      assert.doesNotMatch(found.labels, FOREIGN[lang], where);
      assert.doesNotMatch(found.text, MISWRITTEN[lang], where);
      assert.doesNotMatch(found.text, /undefined|NaN|\[object|\bnull\b|\{\w+\}/, where);
      assert.equal(found.banners, document.is_synthetic ? 1 : 0, where);
      assert.equal(found.title.includes(setting.language.t("page.synthetic")), document.is_synthetic, where);
      titles.add(found.title);
      headings.add(found.heading);
      assert.deepEqual(await violations(page), [], where);
      if (width === 390) {
        await page.setViewportSize({ width: NARROWEST, height: 780 });
        assert.equal((await read(page, [])).scroll, 0, `${view} at ${NARROWEST} pixels`);
        await page.setViewportSize({ width, height: 844 });
      }
      await figures({ ...setting, where });
      for (const [name, behaves] of Object.entries(behaviours[view]))
        await behaves(setting).catch((error) => {
          error.message = `${where}: ${name}: ${error.message}`;
          throw error;
        });
      assert.deepEqual(complaints, [], where);
    }
    assert.equal(titles.size, Object.keys(VIEWS).length);
    assert.equal(headings.size, Object.keys(VIEWS).length);
    await opened.close();
  });
