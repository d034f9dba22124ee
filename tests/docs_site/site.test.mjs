// The built site in a real browser: every page of ours, by a server under a path and from the file.
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { pathToFileURL } from "node:url";
import { launch, open, serve } from "../../dashboard/tests/harness.mjs";

const SITE = process.env.DOCS_SITE;
const BASE = "/somewhere/deep/";
const OTHERS = ["dbt/", "lineage/", "dashboard/"];

const pages = readdirSync(SITE, { recursive: true })
  .filter((file) => file.endsWith(".html") && !OTHERS.some((other) => file.startsWith(other)))
  .sort();
const manifest = JSON.parse(readFileSync(process.env.DOCS_MANIFEST, "utf8"));

let server;
let browser;
before(async () => {
  server = await serve(SITE, undefined, BASE);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.close();
});

// Every page of ours in turn, none of which may complain.
async function onEachPage(url, options, body) {
  const opened = await open(browser, url, { hash: pages[0], ready: "footer", ...options });
  try {
    for (const path of pages) {
      await opened.page.goto(url + path);
      await body(opened.page, path);
      assert.deepEqual(opened.complaints, [], path);
    }
  } finally {
    await opened.close();
  }
}

test("there is a page of every kind", () => {
  for (const path of ["index.html", "en/index.html", "data/index.html", "data/dim_college.html"])
    assert.ok(pages.includes(path), path);
  assert.ok(pages.length > 30, pages);
});

const ids = new Map();
const links = [];
const linked = (page) =>
  page.evaluate(() => ({
    ids: [...document.querySelectorAll("[id]")].map((element) => element.id),
    links: [...document.querySelectorAll("[href], [src]")].map(
      (element) => element.getAttribute("href") ?? element.getAttribute("src"),
    ),
  }));

test("every page from its file, printed too", () =>
  onEachPage(`${pathToFileURL(SITE)}/`, {}, async (page, path) => {
    const styled = await page.evaluate(() => document.styleSheets[0]?.href?.startsWith("file:"));
    assert.ok(styled, path);
    await page.emulateMedia({ media: "print" });
    assert.equal(await page.locator("header nav").isVisible(), false, path);
    assert.match(await page.locator(".synthetic").textContent(), /synth/i, path);
    const found = await linked(page);
    ids.set(path, new Set(found.ids));
    links.push(...found.links.map((link) => [path, link]));
  }));

test("no dead link, inside the site or into the sites of others", () => {
  assert.ok(links.length > 1000);
  const nodes = { ...manifest.nodes, ...manifest.sources };
  for (const [path, link] of links) {
    if (/^[a-z]+:/.test(link)) {
      assert.match(link, /^https:\/\//, `${path} → ${link}`);
      continue;
    }
    assert.doesNotMatch(link, /^\//, `${path} → ${link}: not relative`);
    const target = new URL(link, `http://site/${path}`);
    const file = decodeURIComponent(target.pathname.slice(1));
    assert.ok(existsSync(join(SITE, file)) && /\.\w+$/.test(file), `${path} → ${link}`);
    const fragment = decodeURIComponent(target.hash.slice(1));
    if (file === "dbt/index.html" && fragment) {
      const [, type, node] = fragment.match(/^!\/([a-z]+)\/(.*)$/);
      const known = type === "exposure" ? manifest.exposures : nodes;
      assert.ok(node in known, `${path} → ${link}`);
    } else if (file === "lineage/index.html") {
      const model = target.searchParams.get("model");
      if (model) assert.ok(model in nodes, `${path} → ${link}`);
    } else if (fragment) {
      assert.ok(ids.get(file).has(fragment), `${path} → ${link}`);
    }
  }
});

test("the home page is in the browser's language, and the one chosen is kept on the way", async () => {
  const { page, complaints, close } = await open(browser, server.url, { ready: "footer", locale: "en-GB" });
  const path = () => new URL(page.url()).pathname.slice(BASE.length);
  const language = () => page.getAttribute("html", "lang");
  try {
    await page.waitForURL(/en\/index\.html$/);
    await page.click("text=Français");
    assert.deepEqual([path(), await language()], ["index.html", "fr"]);
    await page.click("nav >> text=Données");
    assert.deepEqual([path(), await language()], ["data/index.html", "en"]);
    await page.click("nav >> text=Home");
    assert.deepEqual([path(), await language()], ["index.html", "fr"]);
    await page.goto(server.url);
    assert.equal(await language(), "fr");
    await page.click("text=English");
    assert.deepEqual([path(), await language()], ["en/index.html", "en"]);
    await page.click("nav >> text=Quality");
    await page.click("nav >> text=Home");
    assert.equal(await language(), "en");
    assert.deepEqual(complaints, []);
  } finally {
    await close();
  }
});

for (const where of ["server", "file"])
  test(`search finds by name, by part of a name and by keyboard (${where})`, async () => {
    const url = where === "server" ? server.url : `${pathToFileURL(SITE)}/`;
    const { page, complaints, close } = await open(browser, url, {
      hash: "data/dim_college.html",
      ready: "footer",
    });
    try {
      const search = page.getByRole("combobox");
      await search.fill("success rate");
      const found = page.locator("#search-results li");
      await found.first().waitFor();
      assert.match(await found.first().textContent(), /success_rate/);
      await search.fill("réunion d’aucune chose");
      await page.getByText("Nothing found").waitFor();
      await search.fill("fct_college_change");
      await found.first().waitFor();
      await search.press("ArrowDown");
      assert.equal(await found.first().getAttribute("aria-selected"), "true");
      await search.press("Enter");
      await page.waitForURL(/fct_college_change\.html/);
      assert.deepEqual(complaints, []);
    } finally {
      await close();
    }
  });

// The sites of others complain in the console about themselves; they must not ask anybody else.
for (const [name, follow, shows] of [
  ["column lineage", "#lineage >> text=Column lineage", ".react-flow__node >> text=dim_college"],
  ["dbt docs", "#lineage >> text=dbt docs", "h1 >> text=dim_college"],
])
  for (const where of ["server", "file"])
    test(`${name}: a mart's link opens the mart, and nothing remote (${where})`, async () => {
      const url = where === "server" ? server.url : `${pathToFileURL(SITE)}/`;
      const opened = await open(browser, url, { hash: "data/dim_college.html", ready: "footer" });
      try {
        await opened.page.click(follow);
        await opened.page.waitForSelector(shows);
        await opened.page.waitForTimeout(2000); // a tracker would have its say by now
        await opened.page.click("text=← paris-colleges");
        await opened.page.waitForURL(/\/en\/index\.html$/);
        const serious = opened.complaints.filter((text) => /^(remote|dialog)/.test(text));
        assert.deepEqual(serious, []);
      } finally {
        await opened.close();
      }
    });
