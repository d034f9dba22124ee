// What is asked of the browser and not of the document, in one setting and on one document: keys, the clipboard,
// downloads, printing, no JavaScript. What could differ is in behaviours.mjs and page.test.mjs.
import assert from "node:assert/strict";
import test from "node:test";
import { download, plain, readDocument, running, testOnPage, visit } from "./harness.mjs";

const document = readDocument();
const site = running(document);
const onPage = testOnPage(site);

onPage(
  "a figure's citation and address are copied, its SVG and PNG saved",
  {
    hash: "#/arrondissements?arrs=7",
    acceptDownloads: true,
    permissions: ["clipboard-read", "clipboard-write"],
  },
  async (page) => {
    const tools = page.locator(".figure-tools").first().locator("button");
    await tools.nth(0).click();
    await page.getByText("Citation copiée").waitFor();
    const cited = plain(await page.evaluate(() => navigator.clipboard.readText()));
    for (const words of ["Ville de Paris", "ODbL", "données du", page.url()])
      assert.ok(cited.includes(words), cited);
    await tools.nth(1).click();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), page.url());
    const svg = await download(page, tools.nth(2));
    assert.match(svg.name, /arrondissements-success_.*\.svg$/);
    assert.ok(svg.text.includes("Ville de Paris") && !svg.text.includes("var(--"), svg.text.slice(0, 300));
    const png = await download(page, tools.nth(3));
    assert.equal(png.content.subarray(1, 4).toString(), "PNG");
    assert.ok(png.content.length > 10_000);
  },
);

test("without JavaScript the page says what it is and where the data are", async () => {
  const context = await site.browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(site.server.url);
  assert.match(await page.locator("main").innerText(), /Le collège d’une adresse/);
  assert.ok((await page.locator("main a").count()) >= 3);
  await context.close();
});

onPage(
  "a wrong address shows a page, not an error",
  { hash: "#/college/c000000000000?year=1999-2000&measure=x" },
  async (page) => {
    await page.getByText("Aucun collège ne porte l’identifiant c000000000000").waitFor();
    await visit(page, "#/map?year=1999-2000&arr=99&measure=x&colleges.sort=zz&colleges.page=-4", "map");
    await page.getByText("Aucun collège ne correspond.").waitFor();
  },
);

onPage("the map is walked by arrow keys and opens a collège by Enter", { hash: "#/map" }, async (page) => {
  assert.equal(await page.locator(".map a.point[tabindex='0']").count(), 1);
  await page.locator(".map a.point[tabindex='0']").focus();
  const first = await page.evaluate(() => window.document.activeElement.dataset.college);
  const reached = new Set([first]);
  for (const key of ["ArrowDown", "ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown"]) {
    await page.keyboard.press(key);
    reached.add(await page.evaluate(() => window.document.activeElement.dataset.college));
  }
  assert.ok(reached.size >= 3, `${reached.size} reached`);
  assert.equal(await page.locator(".map a.point[tabindex='0']").count(), 1);
  assert.equal(await page.locator(".tip").isVisible(), true);
  const college = await page.evaluate(() => window.document.activeElement.dataset.college);
  await page.keyboard.press("Enter");
  await page.waitForSelector(`body[data-ready="college/${college}"]`);
  assert.ok(await page.evaluate(() => window.document.activeElement.tagName === "H1"));
});

onPage(
  "Tab leads from the top to the content, and the skip link shortens the way",
  { hash: "#/map" },
  async (page) => {
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => window.document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => window.document.activeElement.id), "year");
  },
);

onPage("a definition is one click away, in the words of the dbt docs", { hash: "#/map" }, async (page) => {
  const button = page.locator("#colleges-table .definition[aria-label*='Réussite']");
  await button.click();
  const text = document.definitions["fct_college_result.success_rate_pct"];
  const shown = plain(await page.locator("#definition").innerText());
  assert.ok(shown.includes(plain(text.en)) && shown.includes(plain(text.fr)), shown);
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#definition").isVisible(), false);
  assert.ok(await button.evaluate((element) => element === window.document.activeElement));
});

onPage("the page prints to a PDF", { hash: "#/map" }, async (page) => {
  assert.ok((await page.pdf({ format: "A4" })).length > 10_000);
});
