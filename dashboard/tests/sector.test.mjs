// A parent's way: from the address to the collège, by typing, by tapping and by the device's position.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { isInRange, readAddress, streetKey } from "../src/address.js";
import { readDocument, running, testOnPage } from "./harness.mjs";
import { FOLDER, address, expected, inside, outlines, sector, streets, whole, years } from "./places.mjs";

const document = readDocument();
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

const site = running(document);

const answered = (page) => page.waitForSelector('.view[data-answered="found"]');

const onPage = testOnPage(site);

onPage("an address on a phone: type it, press Enter, read the collège", { ...PHONE }, async (page) => {
  const requests = [];
  page.on("request", (request) => requests.push(request.url()));
  await page.locator("#find").fill(address);
  await page.locator("#find").press("Enter");
  await answered(page);
  assert.ok((await page.locator(".answer h2").textContent()).includes(expected));
  assert.match(await page.locator(".answer").textContent(), /rectorat/);
  assert.equal(await page.locator(".answer .tile").count(), 4);
  assert.ok((await page.locator(".map .sector.chosen").count()) > 0 || !years.length);
  const typed = encodeURIComponent(whole.name.toLowerCase().split(" ").at(-1)).toLowerCase();
  assert.ok(!page.url().toLowerCase().includes(typed));
  assert.ok(requests.every((url) => url.startsWith(site.server.url) && !url.toLowerCase().includes(typed)));
  const overflow = await page.evaluate(
    () => window.document.documentElement.scrollWidth - window.document.documentElement.clientWidth,
  );
  assert.ok(overflow <= 0, `${overflow} px too wide`);
  if (process.env.SCREENSHOTS)
    await page.screenshot({ path: `${process.env.SCREENSHOTS}/phone.png`, fullPage: true });
});

onPage("arrow keys walk through the hits, Enter follows one", {}, async (page) => {
  // The index of streets arrives after the first hits are shown and walked through.
  let send;
  const sent = new Promise((resolve) => (send = resolve));
  await page.route("**/streets.json", async (route) => (await sent, route.continue()));
  const arrived = page.waitForResponse("**/streets.json");
  await page.locator("#find").fill(expected);
  await page.locator(".hits a").first().waitFor();
  await page.locator("#find").press("ArrowDown");
  const isWithin = () => window.document.activeElement.closest(".hits") !== null;
  assert.ok(await page.evaluate(isWithin));
  const walked = await page.evaluate(() => window.document.activeElement.textContent);
  send();
  await (await arrived).finished();
  await page.evaluate(() => new Promise((drawn) => setTimeout(drawn, 100)));
  assert.ok(await page.evaluate(isWithin));
  assert.equal(await page.evaluate(() => window.document.activeElement.textContent), walked);
  while ((await page.evaluate(() => window.document.activeElement.id)) !== "find")
    await page.keyboard.press("ArrowUp");
  await page.locator("#find").fill(expected);
  await page.keyboard.press("ArrowDown");
  assert.ok(await page.evaluate(isWithin));
  await page.keyboard.press("ArrowUp");
  assert.equal(await page.evaluate(() => window.document.activeElement.id), "find");
  await page.locator("#find").press("Enter");
  await page.waitForSelector('body[data-ready^="college/"]');
});

onPage("a name with “collège”, a postcode", {}, async (page) => {
  await page.locator("#find").fill(expected.toLowerCase());
  await page.locator(".hits a").first().waitFor();
  assert.ok((await page.locator(".hits a").first().textContent()).includes(expected));
  const arrondissement = document.colleges[0].arrondissement_number;
  await page.locator("#find").fill(`750${String(arrondissement).padStart(2, "0")}`);
  const there = document.colleges.filter((college) => college.arrondissement_number === arrondissement);
  assert.equal(await page.locator(".hits a").count(), Math.min(8, there.length));
});

onPage("a street that no rule reads gets the likely ones", { ...PHONE }, async (page) => {
  const letters = whole.name.split(" ");
  const last = letters.pop();
  const misspelt = [...letters, `${last.slice(0, -1)}X`].join(" ");
  await page.locator("#find").fill(`7 ${misspelt}`);
  await page.locator(".hits a", { hasText: whole.name }).first().waitFor();
});

onPage(
  "a tap on the map gives the collège of the sector, in French and in English",
  { hash: `#/sector?year=${years.at(-1)}` },
  async (page) => {
    await page.waitForSelector(".map .sector");
    const path = page.locator(`.map .sector[data-sector="${sector.name}"]`);
    assert.equal(await page.locator(".map .sector").count(), outlines.sectors.length);
    const colours = new Set(
      await page.locator(".map .sector").evaluateAll((all) => all.map((each) => each.getAttribute("fill"))),
    );
    assert.ok(colours.size > 10, `${colours.size} colours`);
    assert.ok((await path.locator("title").textContent()).length > 3);
    await page.context().grantPermissions(["geolocation"]);
    await page.context().setGeolocation({ longitude: inside[0], latitude: inside[1] });
    await page.locator("#position").click();
    await answered(page);
    const name = document.colleges[sector.colleges[0]].display_name;
    assert.ok((await page.locator(".answer h2").textContent()).includes(name));
    const circle = await page.locator(".map .here").boundingBox();
    await page.mouse.click(circle.x + circle.width / 2, circle.y + circle.height / 2);
    await answered(page);
    assert.ok((await page.locator(".answer h2").textContent()).includes(name));
    assert.match(await page.locator(".history").textContent(), /depuis/);
    if (process.env.SCREENSHOTS)
      await page.screenshot({ path: `${process.env.SCREENSHOTS}/desk.png`, fullPage: true });
    await page.locator("#language").click();
    await page.waitForSelector("html[lang=en]");
    await answered(page);
    assert.match(await page.locator(".history").textContent(), /since/);
  },
);

onPage("a year without outlines says so", { hash: "#/map" }, async (page) => {
  const missing = document.school_years.map((year) => year.school_year).find((year) => !years.includes(year));
  await page.evaluate((to) => (location.hash = to), `#/sector?year=${missing}`);
  await page.waitForSelector(".view .notice:not([hidden])");
  assert.ok((await page.locator(".view").textContent()).includes(missing));
  assert.equal(await page.locator(".map .sector").count(), 0);
});

test("the index of streets is small", () => {
  const size = gzipSync(readFileSync(join(FOLDER, "streets.json"))).length;
  assert.ok(size < 110_000, `${size} bytes`);
});

test("addresses are read as the command reads them", () => {
  const of = (text) => Object.values(readAddress(text));
  assert.deepEqual(of("12 bis rue Clovis 75005 Paris"), [12, "BIS", "RUE CLOVIS", 5]);
  assert.deepEqual(of("12B, rue Clovis - Paris 5e"), [12, "B", "RUE CLOVIS", 5]);
  assert.deepEqual(of("rue Clovis 5ème"), [null, null, "RUE CLOVIS", 5]);
  assert.deepEqual(of("1 rue de Passy 75116"), [1, null, "RUE DE PASSY", 16]);
  assert.deepEqual(of("8 place de Paris, France"), [8, null, "PLACE DE PARIS", null]);
  assert.deepEqual(of("rue du 8 Mai 1945"), [null, null, "RUE DU 8 MAI 1945", null]);
  const key = (street) => streetKey(street, streets.spelling);
  assert.equal(key("r. de l’Hôpital-St-Louis"), key("RUE DE L HOPITAL SAINT LOUIS"));
  assert.equal(key("bd gal Kœnig"), key("BOULEVARD DU GENERAL KOENIG"));
  assert.equal(key("Rue Lafayette"), key("RUE LA FAYETTE"));
  assert.notEqual(key("PLACE DE LA PAIX"), key("RUE DE LA PAIX"));
});

test("ranges end as the command has them end", () => {
  const range = [0, 3, 21, 1, "A", null];
  const at = (number, repetition = null, changed = range) => isInRange({ number, repetition }, changed);
  assert.deepEqual(
    [at(3), at(3, "BIS"), at(5), at(4), at(21, "TER"), at(23), at(null)],
    [false, true, true, false, true, false, false],
  );
  assert.equal(at(21, "QUATER", [0, 3, 21, 1, "A", "B"]), false);
});
