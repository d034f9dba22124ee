// Every page of ours at every width, light and dark: nothing complains, scrolls sideways, lies on something else or
// is cut, axe finds nothing, and the page does what its readers came for. The home page is in two languages, each a
// page; the others are in one.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import test, { after, before } from "node:test";
import { launch, open, plain, serve } from "../../dashboard/tests/harness.mjs";
import { inPage } from "../../dashboard/tests/in-page.mjs";

const SITE = process.env.DOCS_SITE;
const IS_SYNTHETIC = process.env.IS_SYNTHETIC === "1";
const fromDashboard = createRequire(new URL("../../dashboard/package.json", import.meta.url));
const AXE = readFileSync(fromDashboard.resolve("axe-core/axe.min.js"), "utf8");
const OTHERS = ["dbt/", "lineage/", "dashboard/"];
const WIDTHS = [1440, 1024, 390];
const THEMES = ["light", "dark"];

const all = readdirSync(SITE, { recursive: true })
  .filter((file) => file.endsWith(".html") && !OTHERS.some((other) => file.startsWith(other)))
  .sort();
const kindOf = (path) => {
  const [folder, name] = path.split("/");
  return ["data", "docs"].includes(folder) && name !== "index.html" ? folder : path;
};
const first = new Map(all.toReversed().map((path) => [kindOf(path), path]));
const isFirst = (path) => first.get(kindOf(path)) === path;
const pages = process.env.PAGES === "kinds" ? [...first.values()] : all;
// One page of each kind, its details open, is read at every width in both themes. The dark theme is other colours and
// nothing else (dashboard/tests/unit.test.mjs), so the other pages change it with the width. axe is slow: it reads
// every page once, by turns in each combination, and those of all combinations for what width and colours can spoil.
const RULES = {
  "target-size": { enabled: true },
  "scrollable-region-focusable": { enabled: true },
  "color-contrast": { enabled: true },
};
const combinationsOf = (path) =>
  WIDTHS.flatMap((width, row) =>
    THEMES.map((theme) => [width, theme]).filter(
      (_, column) => isFirst(path) || (row + column + pages.indexOf(path)) % 2 === 0,
    ),
  );

let server;
let browser;
before(async () => {
  server = await serve(SITE, undefined, "/somewhere/deep/");
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.close();
});

const violations = (page, options) =>
  page.evaluate(async (given) => {
    const result = await window.axe.run(document, { resultTypes: ["violations"], ...given });
    return result.violations.map(
      ({ id, nodes }) => `${id}: ${nodes.length} × ${nodes[0].html.slice(0, 200)}`,
    );
  }, options);

// Of a home page: the question stands on the first screen, and the years a dataset covers before the portal's
// date and ours.
function home({ path, found, width }) {
  const [question, heads] =
    path === "index.html"
      ? [
          "Quel est le collège de mon adresse ?",
          ["Années couvertes", "Publié le", "Dernier changement constaté"],
        ]
      : ["Which collège is mine?", ["Covers", "Published", "Last change seen"]];
  if (found.question) {
    assert.equal(plain(found.question.text), question);
    assert.ok(found.question.bottom <= found.screen, `the question is ${found.question.bottom} pixels down`);
  }
  const places = heads.map((head) => found.heads.map(plain).indexOf(head));
  assert.ok(places[0] > 0 && places.toSorted((a, b) => a - b).join() === places.join(), found.heads);
  assert.equal(found.tiles.length, 5, width);
  assert.match(found.tiles.join(" "), /20\d\d-20\d\d/);
}

// Of a table's page: what an analytics engineer looks for stands on it, one click away at most.
function table({ path, found, width }) {
  const name = path.match(/(\w+)\.html$/)[1];
  assert.equal(found.side, width >= 1000, "tables beside the page");
  const contents = ["Files", "Columns", "First rows", "Lineage", "SQL"];
  assert.deepEqual(found.contents.slice(0, contents.length), contents);
  assert.ok(found.lineage > 1, "a lineage of one box");
  assert.ok(found.sql.includes("select"), path);
  assert.deepEqual(found.columnHeads, [
    "Column",
    "Description",
    "Type",
    "Field of the portal, or other origin",
    "Tests",
  ]);
  for (const fact of ["Owner", "Tests", "Rows", "Licence"]) assert.ok(found.facts.includes(fact), fact);
  assert.match(found.edited, /SQL last edited 20\d\d-\d\d-\d\d/);
  assert.match(found.cite, new RegExp(`Table ${name} of paris-colleges`));
  assert.ok(found.away.includes(`lineage/index.html?model=model.paris_colleges.${name}`), found.away);
  assert.ok(found.away.includes(`dbt/index.html#!/model/model.paris_colleges.${name}`), found.away);
  assert.equal(found.dataset, "Dataset");
}

// Search by a few letters: what it finds is on the screen.
async function search(page) {
  const found = await page.evaluate(async () => {
    const input = ask.first("[role=combobox]");
    input.value = "dim_college";
    input.dispatchEvent(new Event("input", { bubbles: true }));
    for (let waited = 0; !ask.first("#search-results li") && waited < 100; waited += 1)
      await new Promise((later) => setTimeout(later, 20));
    const box = ask.first("#search-results").getBoundingClientRect();
    const answer = {
      text: ask.texts("#search-results li")[0],
      isThere: box.left >= 0 && box.right <= document.documentElement.clientWidth + 1,
    };
    input.value = "";
    input.dispatchEvent(new Event("input", { bubbles: true }));
    return answer;
  });
  assert.match(found.text, /^table dim_college/);
  assert.ok(found.isThere);
}

const read = (page) =>
  page.evaluate(() => {
    const question = ask.first(".question a");
    return {
      scroll: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      background: getComputedStyle(document.body).backgroundColor,
      collisions: ask.collisions(),
      cut: ask.cut(),
      screen: innerHeight,
      question: question && {
        text: question.textContent,
        bottom: question.getBoundingClientRect().bottom + scrollY,
      },
      heads: ask.texts("main thead th"),
      tiles: ask.texts(".tile"),
      side: ask.isShown("nav.side"),
      contents: ask.texts(".contents a"),
      lineage: ask.all(".lineage rect").filter((box) => box.getBoundingClientRect().width > 20).length,
      sql: ask.texts("#sql pre").join(),
      columnHeads: ask.texts("#columns thead th"),
      facts: ask.texts("dt"),
      edited: ask.texts("dd").join(" "),
      cite: ask.texts(".cite").join(),
      away: ask
        .all("#lineage a")
        .map((link) => link.getAttribute("href"))
        .join(" "),
      dataset: JSON.parse(ask.first("script[type='application/ld+json']")?.textContent ?? "{}")["@type"],
    };
  });

// A page is loaded once; its width and colours then change as a reader's do.
async function look(page, path) {
  await page.goto(server.url + path);
  if (isFirst(path))
    await page.evaluate(() => document.querySelectorAll("details").forEach((each) => (each.open = true)));
  await page.evaluate(AXE);
  const combinations = combinationsOf(path);
  for (const [turn, [width, theme]] of combinations.entries()) {
    const where = `${path} at ${width} pixels, ${theme}`;
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme: theme });
    const found = await read(page);
    assert.equal(found.scroll, 0, `${where}: ${found.scroll} pixels too wide`);
    assert.deepEqual(found.collisions, [], where);
    assert.deepEqual(found.cut, [], where);
    if (["index.html", "en/index.html"].includes(path)) home({ path, found, width });
    if (path.startsWith("data/") && !path.endsWith("index.html")) table({ path, found, width });
    if (isFirst(path)) await search(page);
    const [red] = found.background.match(/\d+/g);
    assert.equal(Number(red) < 128, theme === "dark", `${where}: ${found.background}`);
    if (turn === pages.indexOf(path) % combinations.length)
      assert.deepEqual(await violations(page, { rules: RULES }), [], where);
    else if (isFirst(path))
      assert.deepEqual(await violations(page, { runOnly: Object.keys(RULES) }), [], where);
  }
  const text = await page.locator("body").innerText();
  assert.equal((await page.locator(".synthetic").count()) > 0, IS_SYNTHETIC, path);
  assert.ok(text.length > 300, path);
  return {
    lang: await page.getAttribute("html", "lang"),
    heading: await page.locator("h1").first().innerText(),
  };
}

test("the dark theme is the dashboard's", () => {
  const css = readFileSync(new URL("../../docs_site/style.css", import.meta.url), "utf8");
  assert.doesNotMatch(css, /prefers-color-scheme|light-dark\(/);
});

for (const [lang, locale] of [
  ["fr", "fr-FR"],
  ["en", "en-GB"],
])
  test(`every page that is in ${lang}`, async () => {
    const own = pages.filter((path) => (path === "index.html") === (lang === "fr"));
    const opened = await open(browser, server.url, { hash: own[0], ready: "footer", locale, inPage });
    const headings = new Set();
    for (const path of own) {
      const found = await look(opened.page, path);
      assert.equal(found.lang, lang, path);
      assert.deepEqual(opened.complaints, [], path);
      headings.add(found.heading);
    }
    assert.equal(headings.size, own.length);
    await opened.close();
  });
