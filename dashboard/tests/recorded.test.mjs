// Facts of the recorded states 2021-05 and 2024-11, loaded in this order.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { after, before } from "node:test";
import { launch, open, serve, visit } from "./harness.mjs";

const COUNTS = {
  "2017-2018": 115,
  "2018-2019": 115,
  "2019-2020": 114,
  "2020-2021": 114,
  "2021-2022": 114,
  "2023-2024": 114,
};
const document = JSON.parse(readFileSync(process.env.DASHBOARD_DOCUMENT, "utf8"));
const idOf = (name) => document.colleges.find((college) => college.college_name === name).college_id;

let server;
let browser;
let opened;
before(async () => {
  server = await serve(process.env.DASHBOARD_SITE, document);
  browser = await launch();
  opened = await open(browser, server.url, { hash: "#/map" });
});
after(async () => {
  await browser?.close();
  await server?.close();
});

test("each year's map shows its collèges, the withdrawn years too", async () => {
  const { page } = opened;
  for (const [year, count] of Object.entries(COUNTS)) {
    await visit(page, `#/map?year=${year}`, "map");
    await page.waitForFunction(
      (wanted) => window.document.querySelector(".year-value").textContent === wanted,
      year,
    );
    assert.equal(await page.locator(".map a.point").count(), count, year);
    assert.equal(
      await page.getByText("ne publie plus cette année").count(),
      year === "2023-2024" ? 0 : 1,
      year,
    );
  }
  await visit(page, "#/map?year=2018-2019", "map");
  assert.match(
    await page.locator(`.map a.point[data-college="${idOf("EUGENE DELACROIX")}"]`).getAttribute("aria-label"),
    /Fermé depuis/,
  );
});

test("the distances are right: longest 11.79 km in 2023-2024, mean 4.67 km, shortest 69 m", async () => {
  const { page } = opened;
  await visit(page, "#/map?year=2023-2024", "map");
  const tiles = await page.locator(".tile dd").allTextContents();
  assert.deepEqual(tiles.slice(0, 4), ["114", "11,79 km", "4,67 km", "69 m"]);
  await visit(page, "#/distances?year=2023-2024", "distances");
  assert.match(await page.locator("#distances-table output").textContent(), /^6\s441 lignes/);
});

test("the feed shows the closure, the two renames and the move, and nothing that is none", async () => {
  const { page } = opened;
  await visit(page, "#/changes", "changes");
  const rows = await page.locator("#changes-table tbody tr").allInnerTexts();
  const told = (...words) => rows.filter((row) => words.every((word) => row.includes(word))).length;
  assert.equal(rows.length, 5, rows.join("\n"));
  assert.equal(told("2019-2020", "Fermé", "EUGENE DELACROIX"), 1);
  assert.equal(told("Renommé", "FRANCOISE SELIGMANN", "FRANCOISE SELIGMAN"), 1);
  assert.equal(told("2019-2020", "Renommé", "LA ROSE BLANCHE"), 1);
  assert.equal(
    told("2019-2020", "Déménagé", "34 RUE MARIE-GEORGES PICQUART", "101 RUE DE SAUSSURE", "245 m"),
    1,
  );
  assert.equal(told("2023-2024", "Point déplacé", "ROSE BLANCHE", "245 m"), 1);
  assert.match(await page.locator(".feed").innerText(), /457 enregistrements retirés/);
});

test("ROSE BLANCHE's life line tells its story", async () => {
  const { page } = opened;
  await visit(page, `#/college/${idOf("ROSE BLANCHE")}`, "college");
  const events = (await page.locator(".life-events li").allInnerTexts()).map((text) =>
    text.replace(/\s+/g, " "),
  );
  assert.deepEqual(events, [
    "2017-2018 Première année détenue : « LA ROSE BLANCHE », 34 RUE MARIE-GEORGES PICQUART",
    "2019-2020 Déménage : de « 34 RUE MARIE-GEORGES PICQUART » à « 101 RUE DE SAUSSURE » (245 m)",
    "2019-2020 Renommé : « LA ROSE BLANCHE » devient « ROSE BLANCHE »",
    "2023-2024 Son point sur la carte se déplace (245 m), l’adresse reste",
    "2023-2024 Dans la dernière liste détenue",
  ]);
  const cells = await page
    .locator(".life-years li")
    .evaluateAll((items) => items.map((item) => item.classList[0]));
  assert.deepEqual(cells, [
    "withdrawn",
    "withdrawn",
    "withdrawn",
    "withdrawn",
    "withdrawn",
    "not-held",
    "present",
  ]);
});

test("what the ministry does not publish is shown as such, with the reason", async () => {
  const { page } = opened;
  await visit(page, "#/map?year=2021-2022&measure=success&colleges.q=coysevox", "map");
  assert.match(
    await page.locator("#colleges-table tbody tr").innerText(),
    /non publié[^]*Le ministère ne publie rien sur ce collège pour cette session/,
  );
  assert.deepEqual(opened.complaints, []);
});
