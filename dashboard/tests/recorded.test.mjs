// Facts of the recorded states 2021-05 and 2024-11, loaded in this order.
import assert from "node:assert/strict";
import test from "node:test";
import { plain, readDocument, running, visit } from "./harness.mjs";

const COUNTS = {
  "2017-2018": 115,
  "2018-2019": 115,
  "2019-2020": 114,
  "2020-2021": 114,
  "2021-2022": 114,
  "2023-2024": 114,
};
const document = readDocument();
const idOf = (name) => document.colleges.find((college) => college.college_name === name).college_id;

const site = running(document, { hash: "#/map" });

test("each year's map shows its collèges, the withdrawn years too", async () => {
  const { page } = site.opened;
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
    /Fermé/,
  );
});

test("the distances are right: longest 11.79 km in 2023-2024, mean 4.67 km, shortest 69 m", async () => {
  const { page } = site.opened;
  await visit(page, "#/map?year=2023-2024", "map");
  const tile = async (column) =>
    plain(await page.locator(`.tile[data-column="${column}"] dd`).first().textContent());
  assert.equal(await tile("college_count"), "114");
  assert.equal(await tile("longest_pair_km"), "11,79 km");
  assert.equal(await tile("mean_pair_km"), "4,67 km");
  assert.equal(await tile("shortest_pair_km"), "69 m");
  await visit(page, "#/distances?year=2023-2024", "distances");
  assert.match(await page.locator("#distances-table output").textContent(), /^6\s441 lignes/);
});

test("the feed shows the closure, the two renames and the move, and nothing that is none", async () => {
  const { page } = site.opened;
  await visit(page, "#/changes", "changes");
  const rows = await page.locator("#changes-table tbody tr").allInnerTexts();
  const told = (...words) => rows.filter((row) => words.every((word) => row.includes(word))).length;
  assert.equal(rows.length, 5, rows.join("\n"));
  assert.equal(told("2019-2020", "Fermé", "Eugene Delacroix"), 1);
  assert.equal(told("Renommé", "FRANCOISE SELIGMANN", "FRANCOISE SELIGMAN"), 1);
  assert.equal(told("2019-2020", "Renommé", "LA ROSE BLANCHE"), 1);
  assert.equal(
    told("2019-2020", "Déménagé", "34 RUE MARIE-GEORGES PICQUART", "101 RUE DE SAUSSURE", "245\u00a0m"),
    1,
  );
  assert.equal(told("2023-2024", "Point déplacé", "rose blanche", "245\u00a0m"), 1);
  assert.match(await page.locator(".feed").innerText(), /457 enregistrements retirés/);
});

test("ROSE BLANCHE's life line tells its story", async () => {
  const { page } = site.opened;
  await visit(page, `#/college/${idOf("ROSE BLANCHE")}`, "college");
  const events = (await page.locator(".life-events li").allInnerTexts()).map((text) =>
    text.replace(/\s+/g, " "),
  );
  assert.deepEqual(events, [
    "2017-2018 Première année connue : « LA ROSE BLANCHE », 34 RUE MARIE-GEORGES PICQUART",
    "2019-2020 Déménage : de « 34 RUE MARIE-GEORGES PICQUART » à « 101 RUE DE SAUSSURE » (245 m)",
    "2019-2020 Renommé : « LA ROSE BLANCHE » devient « ROSE BLANCHE »",
    "2023-2024 Son point sur la carte se déplace (245 m), l’adresse reste",
    "2023-2024 Dans la dernière liste connue",
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
  // Underlined where something changed, and nowhere else.
  const marked = await page
    .locator(".life-years li.event")
    .evaluateAll((items) => items.map((item) => item.title.slice(0, 9)));
  assert.deepEqual(marked, ["2019-2020", "2023-2024"]);
});

test("what the ministry does not publish is shown as such, with the reason once below the table", async () => {
  const { page } = site.opened;
  await visit(page, "#/map?year=2021-2022&measure=success&colleges.q=coysevox", "map");
  await page.locator("#colleges-table .missing").first().waitFor();
  assert.match(await page.locator("#colleges-table tbody tr").innerText(), /non publié/);
  const told = await page.locator("#colleges-table .reasons li").allInnerTexts();
  assert.deepEqual(told.map(plain), [
    "non publié (3) : Le ministère ne publie rien sur ce collège pour cette session.",
  ]);
});

test("a collège that closed in 2019 says that it closed before results began", async () => {
  const { page } = site.opened;
  await visit(page, `#/college/${idOf("EUGENE DELACROIX")}`, "college");
  const text = plain(await page.locator("main").innerText());
  assert.match(text, /sa dernière année est 2018-2019, les résultats commencent à la session 2022/);
  assert.ok(!text.includes("(UAI) du ministère"));
});

test("neighbours that are listed are on the map, those of other arrondissements too", async () => {
  const { page } = site.opened;
  await visit(page, `#/college/${idOf("ROSE BLANCHE")}`, "college");
  const listed = await page
    .locator(".neighbours a")
    .evaluateAll((links) => links.map((link) => link.hash.match(/c[0-9a-f]{12}/)[0]));
  const drawn = await page
    .locator(".map a.point")
    .evaluateAll((links) => links.map((link) => link.dataset.college));
  assert.equal(listed.length, 5);
  assert.deepEqual(
    listed.filter((id) => !drawn.includes(id)),
    [],
  );
});

test("the portal's errors: the missing address, the misspelled sectors, the moved point", async () => {
  const { page } = site.opened;
  await visit(page, "#/anomalies", "anomalies");
  const rows = (await page.locator("#anomalies-table tbody tr").allInnerTexts()).map(plain);
  const told = (...words) => rows.filter((row) => words.every((word) => row.includes(word))).length;
  assert.equal(told("Adresse manquante", "FRANCOISE SELIGMAN", "2020-2021"), 1);
  assert.equal(told("Nom modifié", "FRANCOISE SELIGMAN", "FRANCOISE SELIGMANN"), 1);
  assert.equal(told("Point déplacé", "ROSE BLANCHE", "toujours publié"), 1);
  assert.equal(told("Secteur sans collège", "ET GERARD PHILIPE"), 2);
  assert.deepEqual(site.opened.complaints, []);
});
