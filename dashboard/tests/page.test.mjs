// The built page in a real browser, on the document DASHBOARD_DOCUMENT names: what is the same at every width, in
// both languages, light and dark. What could differ is in behaviours.mjs.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { accented, download, plain, readDocument, running, testOnPage, visit } from "./harness.mjs";

const SITE = process.env.DASHBOARD_SITE;
const document = readDocument();

const heldYears = [...new Set(document.college_school_years.map((row) => row.school_year))];
const rowsOf = (year) => document.college_school_years.filter((row) => row.school_year === year);
const moved = document.changes.find((change) => change.change_type === "relocated");
const site = running(document);

const onPage = testOnPage(site);

const points = (page) => page.locator(".map a.point");
const countOf = (page, name) =>
  page
    .locator(`#${name}-table output`)
    .textContent()
    .then((text) => Number(text.split("·")[0].replace(/\D/g, "")));

onPage(
  "the map, its tile and its table show every school year's collèges",
  { hash: "#/map" },
  async (page) => {
    for (const year of heldYears) {
      await visit(page, `#/map?year=${year}`, "map");
      await page.waitForFunction(
        (wanted) => window.document.querySelector(".year-value").textContent === wanted,
        year,
      );
      assert.equal(await points(page).count(), rowsOf(year).length, year);
      assert.equal(await page.locator(".tile dd").first().textContent(), String(rowsOf(year).length), year);
      assert.equal(await countOf(page, "colleges"), rowsOf(year).length, year);
      const isWithdrawn = rowsOf(year).every((row) => row.is_withdrawn);
      assert.equal(await page.getByText("ne publie plus cette année").count(), isWithdrawn ? 1 : 0, year);
    }
  },
);

onPage("a year without the city's list says so and counts nothing", { hash: "#/map" }, async (page) => {
  const gap = document.school_years.map((year) => year.school_year).find((year) => !heldYears.includes(year));
  await visit(page, `#/map?year=${gap}`, "map");
  await page.getByText("Aucune extraction ne contient").waitFor();
  assert.match(await page.locator(".tile dd").first().textContent(), /non publié/);
});

onPage(
  "the slider walks the years by keyboard and the address follows",
  { hash: `#/map?year=${heldYears[0]}` },
  async (page) => {
    await page.locator("#year").focus();
    await page.keyboard.press("ArrowRight");
    const second = document.school_years[1].school_year;
    assert.equal(await page.locator(".year-value").textContent(), second);
    assert.match(await page.locator("#year").getAttribute("aria-valuetext"), new RegExp(second));
    assert.match(page.url(), new RegExp(`year=${second}`));
    assert.ok(await page.evaluate(() => window.document.activeElement.id === "year"));
  },
);

onPage(
  "a chosen year hides what it has nothing of, says so once, and leads to where there is some",
  { hash: `#/map?year=${heldYears[0]}&measure=ips` },
  async (page) => {
    const notice = page.locator(".notice.absent");
    assert.match(plain(await notice.textContent()), /Pour .*, ces mesures ne sont pas publiées\..* IPS en /);
    assert.equal(await page.locator("#colleges-table .missing").count(), 0);
    await points(page).last().hover(); // the last drawn: none lies over it
    assert.match(
      await page.locator(".tip").textContent(),
      /Les séries d’avant la rentrée 2022 ne sont pas comparables/,
    );
    await notice.locator("a", { hasText: "IPS" }).click();
    await page.waitForFunction(() => location.hash.includes("measure=ips"));
    const latest = document.social_positions
      .map((row) => row.school_year)
      .sort()
      .at(-1);
    assert.ok(page.url().includes(`year=${latest}`));
  },
);

onPage(
  "the address is the state: a copy of it shows the same, and Back goes back",
  { hash: "#/map" },
  async (page) => {
    await page.locator("#measure").selectOption("ips");
    await page.locator("#arrondissement").selectOption("20");
    await page.locator("#colleges-search").fill("a");
    const [address, shown] = [page.url(), await page.locator("main").innerText()];
    await page.reload();
    await page.waitForSelector("body[data-ready]");
    assert.equal(page.url(), address);
    assert.equal(await page.locator("main").innerText(), shown);
    await page.goBack();
    await page.waitForFunction(() => window.document.querySelector("#arrondissement").value === "");
  },
);

onPage(
  "a collège is found by a name it no longer has, and has a page of its own",
  { hash: "#/map" },
  async (page) => {
    const renamed = document.changes.find(
      (change) => change.change_type === "renamed" && change.college_id === moved.college_id,
    );
    await page.locator("#find").fill(accented(renamed.from_value.toLowerCase()));
    await page.locator(".hits a").first().click();
    await page.waitForSelector(`body[data-ready="college/${moved.college_id}"]`);
    const life = await page.locator(".life-events").innerText();
    for (const words of [
      renamed.from_value,
      renamed.to_value,
      moved.from_value,
      moved.to_value,
      "Déménage",
      "Renommé",
    ])
      assert.ok(life.includes(words), `${words} in ${life}`);
    assert.equal(await page.locator(".life-years li").count(), document.school_years.length);
    assert.equal(await page.locator(".neighbours li").count(), 5);
  },
);

onPage(
  "downloads hold the whole table, and the metadata beside it its source, licence and date",
  { hash: `#/map?year=${heldYears[0]}`, acceptDownloads: true },
  async (page) => {
    const buttons = page.locator("#colleges-table .downloads button");
    const csv = await download(page, buttons.nth(0));
    const lines = csv.text.trimEnd().split("\r\n");
    assert.equal(lines.length - 1, rowsOf(heldYears[0]).length);
    assert.match(lines[0], /^\uFEFFdisplay_name;arrondissement_number;/);
    assert.ok(lines[0].split(";").includes("address"), lines[0]);
    const metadata = await download(page, buttons.nth(1));
    assert.equal(metadata.name, `${csv.name}-metadata.json`);
    const described = JSON.parse(metadata.text);
    assert.equal(described.url, csv.name);
    assert.deepEqual(
      described.tableSchema.columns.map((column) => column.name),
      lines[0].slice(1).split(";"),
    );
    for (const words of [
      "Ville de Paris",
      "Open Database License (ODbL) 1.0",
      "partage à l’identique",
      "Licence Ouverte 2.0",
      document.sources[0].extracted_at,
    ])
      assert.ok(plain(metadata.text).includes(words), words);
    const geoJson = await download(page, buttons.nth(2));
    const collection = JSON.parse(geoJson.text);
    assert.equal(collection.features.length, rowsOf(heldYears[0]).length);
    assert.ok(collection.features.every((feature) => feature.geometry.type === "Point"));
    assert.equal(collection.sources[0].extracted_at, document.sources[0].extracted_at);
    for (const file of [csv, metadata, geoJson])
      assert.equal(file.name.includes("SYNTHETIC"), document.is_synthetic);
    assert.equal(/synthétiques/.test(metadata.text), document.is_synthetic);
    await visit(page, "#/distances", "distances");
    const pairs = JSON.parse(
      (await download(page, page.locator("#distances-table .downloads button").nth(2))).text,
    );
    assert.equal(pairs.features.length, document.paris_years.findLast((row) => row.pair_count).pair_count);
    assert.equal(pairs.features[0].geometry.type, "LineString");
  },
);

test("what the first page asks for is below 1 MB, and everything together on the wire", () => {
  const assets = readdirSync(join(SITE, "assets")).map((name) => readFileSync(join(SITE, "assets", name)));
  const first = [
    ...assets,
    readFileSync(join(SITE, "index.html")),
    readFileSync(process.env.DASHBOARD_DOCUMENT),
  ];
  const written = first.reduce((sum, content) => sum + content.length, 0);
  assert.ok(written < 1_000_000, `${written} bytes`);
  const folder = dirname(process.env.DASHBOARD_DOCUMENT);
  const beside = document.sector_files.map((name) => readFileSync(join(folder, name)));
  const sent = (contents) => contents.reduce((sum, content) => sum + gzipSync(content).length, 0);
  assert.ok(sent(first) < 250_000, `${sent(first)} bytes compressed`);
  assert.ok(sent([...first, ...beside]) < 1_000_000);
});
