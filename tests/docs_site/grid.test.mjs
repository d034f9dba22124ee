// Every page of ours at every width, light and dark: nothing complains, nothing scrolls sideways, axe finds
// nothing. The home page is in two languages, each a page; the others are in one.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import test, { after, before } from "node:test";
import { launch, open, serve } from "../../dashboard/tests/harness.mjs";

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
const pages = process.env.PAGES === "kinds" ? [...first.values()] : all;
// axe is slow. It reads every page once, by turns in each combination; and one page of each kind, its details
// open, in all combinations for what width and colours can spoil.
const RULES = {
  "target-size": { enabled: true },
  "scrollable-region-focusable": { enabled: true },
  "color-contrast": { enabled: true },
};
const COMBINATIONS = WIDTHS.flatMap((width) => THEMES.map((theme) => [width, theme]));

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

// A page is loaded once; its width and colours then change as a reader's do.
async function look(page, path) {
  await page.goto(server.url + path);
  const isFirst = first.get(kindOf(path)) === path;
  if (isFirst)
    await page.evaluate(() => document.querySelectorAll("details").forEach((each) => (each.open = true)));
  await page.evaluate(AXE);
  for (const [turn, [width, theme]] of COMBINATIONS.entries()) {
    const where = `${path} at ${width} pixels, ${theme}`;
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme: theme });
    const found = await page.evaluate(() => ({
      scroll: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      background: getComputedStyle(document.body).backgroundColor,
    }));
    assert.equal(found.scroll, 0, `${where}: ${found.scroll} pixels too wide`);
    const [red] = found.background.match(/\d+/g);
    assert.equal(Number(red) < 128, theme === "dark", `${where}: ${found.background}`);
    if (turn === pages.indexOf(path) % COMBINATIONS.length)
      assert.deepEqual(await violations(page, { rules: RULES }), [], where);
    else if (isFirst) assert.deepEqual(await violations(page, { runOnly: Object.keys(RULES) }), [], where);
  }
  const text = await page.locator("body").innerText();
  assert.equal((await page.locator(".synthetic").count()) > 0, IS_SYNTHETIC, path);
  assert.ok(text.length > 300, path);
  return {
    lang: await page.getAttribute("html", "lang"),
    heading: await page.locator("h1").first().innerText(),
  };
}

for (const [lang, locale] of [
  ["fr", "fr-FR"],
  ["en", "en-GB"],
])
  test(`every page that is in ${lang}`, async () => {
    const own = pages.filter((path) => (path === "index.html") === (lang === "fr"));
    const opened = await open(browser, server.url, { hash: own[0], ready: "footer", locale });
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
