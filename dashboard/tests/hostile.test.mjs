// Names that want to do harm, and documents that lack what others have.
import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { download, launch, open, plain, readDocument, serve, visit } from "./harness.mjs";

const SITE = process.env.DASHBOARD_SITE;
const original = JSON.stringify(readDocument());
const NAMES = [
  `<script>alert(1)</script>`,
  `"><img src=x onerror=alert(1)>`,
  `L'"ÉCOLE" & \`\${1}\` {n} </title>`,
  "X".repeat(80),
  "MOT ".repeat(20).trim(),
  "=HYPERLINK(1)",
  "javascript:alert(1)",
];

let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

async function onDocument(document, body, options = {}) {
  const server = await serve(SITE, document);
  const opened = await open(browser, server.url, { hash: "#/map", ...options });
  try {
    await body(opened.page);
    assert.deepEqual(opened.complaints, []);
  } finally {
    await opened.close();
    await server.close();
  }
}

function withNames() {
  const document = JSON.parse(original);
  const nameOf = new Map(
    document.colleges.slice(0, NAMES.length).map((college, index) => [college.college_id, NAMES[index]]),
  );
  const rename = (row) =>
    nameOf.has(row.college_id) &&
    Object.assign(row, {
      college_name: nameOf.get(row.college_id),
      display_name: nameOf.get(row.college_id),
      address: nameOf.get(row.college_id),
    });
  document.colleges.forEach(rename);
  document.college_school_years.forEach(rename);
  const ids = [...nameOf.keys()];
  const year = document.college_school_years.at(-1).school_year;
  for (const [index, id] of ids.entries()) {
    const change = {
      college_id: id,
      school_year: year,
      from_value: NAMES[index],
      to_value: NAMES[index],
      moved_m: null,
    };
    document.changes.push({ ...change, change_type: "renamed" });
    document.portal_edits.push({
      dataset: "etablissements-scolaires-colleges",
      record_key: JSON.stringify([NAMES[index], year]),
      college_id: id,
      field: NAMES[index],
      old_value: NAMES[index],
      new_value: NAMES[index],
      edit_type: "edited",
      detected_at: "2026-11-22T08:00:00Z",
    });
    document.anomalies.push({
      kind: "name_changed",
      dataset: "etablissements-scolaires-colleges",
      record_key: JSON.stringify([NAMES[index], year]),
      college_id: id,
      school_year: year,
      published_value: NAMES[index],
      contradicting_value: NAMES[index],
      is_withdrawn: false,
      first_extracted_at: null,
      last_extracted_at: null,
    });
    document.sectors.push({
      sector_name: NAMES[index],
      school_year: year,
      college_id: id,
      is_shared: true,
      is_withdrawn: false,
    });
  }
  return { document, ids };
}

test("hostile and endless names are text everywhere", async () => {
  const { document, ids } = withNames();
  await onDocument(
    document,
    async (page) => {
      const views = [
        "#/map",
        "#/distances",
        "#/changes",
        "#/anomalies",
        "#/arrondissements",
        `#/compare?c=${ids.slice(0, 4)}`,
        ...ids.map((id) => `#/college/${id}`),
      ];
      for (const hash of views) {
        await visit(page, hash, hash.match(/\w+/)[0]);
        assert.equal(await page.locator("main script, main img").count(), 0, hash);
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, hash);
      }
      for (const [index, id] of ids.entries()) {
        await visit(page, `#/college/${id}`, `college/${id}`);
        assert.equal(await page.locator("h1").textContent(), NAMES[index]);
      }
      await visit(page, "#/map", "map");
      await page.locator(`.map a.point[data-college="${ids[0]}"]`).focus();
      assert.match(await page.locator(".tip").textContent(), /<script>alert\(1\)<\/script>/);
    },
    { viewport: { width: 390, height: 844 } },
  );
});

test("hostile addresses are text, too", async () => {
  await onDocument(JSON.parse(original), async (page) => {
    const evil = encodeURIComponent(`"><img src=x onerror=alert(1)>`);
    await visit(page, `#/college/${evil}`, "college");
    await visit(page, `#/compare?c=${evil}`, "compare");
    await visit(page, `#/map?year=${evil}&colleges.q=${evil}&arr=${evil}&colleges.sort=${evil}`, "map");
    assert.equal(await page.locator("main img").count(), 0);
  });
});

test("without results, outlines, changes and IPS every view still stands and says what is missing", async () => {
  const document = JSON.parse(original);
  Object.assign(document, {
    results: [],
    social_positions: [],
    changes: [],
    portal_edits: [],
    anomalies: [],
    sectors: [],
  });
  for (const row of document.arrondissements) row.boundary = null;
  for (const row of [...document.arrondissement_years, ...document.paris_years])
    Object.assign(row, {
      result_college_count: 0,
      success_rate_pct: null,
      success_rate_value_added_points: null,
      mention_rate_pct: null,
      ips_mean: null,
      ips_weighted: null,
      ips_department_public: null,
    });
  const id = document.colleges[0].college_id;
  await onDocument(document, async (page) => {
    for (const measure of ["nearest", "success", "value_added", "mentions", "ips"])
      await visit(page, `#/map?measure=${measure}`, "map");
    await visit(page, "#/map?measure=ips", "map");
    await page.getByText("Rien n’est publié").waitFor();
    assert.ok((await page.locator(".map a.point").count()) > 0);
    for (const hash of [
      `#/college/${id}`,
      "#/changes",
      "#/anomalies",
      "#/arrondissements",
      `#/compare?c=${id},${document.colleges[1].college_id}`,
      "#/distances",
    ])
      await visit(page, hash, hash.match(/\w+/)[0]);
  });
});

test("a collège without point, address or UAI is not on the map and is in the table", async () => {
  const document = JSON.parse(original);
  const { college_id: id, school_year: year } = document.college_school_years.at(-1);
  const lost = {
    longitude: null,
    latitude: null,
    address: null,
    arrondissement_number: null,
    insee_code: null,
  };
  for (const row of [...document.colleges, ...document.college_school_years].filter(
    (each) => each.college_id === id,
  ))
    Object.assign(row, lost, row.uai && { uai: null });
  for (const row of document.neighbourhoods.filter((each) => each.college_id === id))
    Object.assign(row, { nearest_college_id: null, nearest_km: null, colleges_within_1_km: null });
  await onDocument(document, async (page) => {
    await visit(page, `#/map?year=${year}`, "map");
    const count = document.college_school_years.filter((row) => row.school_year === year).length;
    assert.equal(await page.locator(".map a.point").count(), count - 1);
    assert.match(await page.locator("#colleges-table output").textContent(), new RegExp(`^${count} `));
    await visit(page, `#/college/${id}`, "college");
    await page.getByText("non relié à l’annuaire du ministère").waitFor();
  });
});

test("a rate of few candidates is marked on the map, in the table and on the collège's page", async () => {
  const document = JSON.parse(original);
  const result = document.results.findLast((row) =>
    document.college_school_years.some(
      (place) => place.college_id === row.college_id && place.school_year === row.school_year,
    ),
  );
  for (const row of document.results) row.is_small_sample = false;
  Object.assign(result, { is_small_sample: true, candidates: 12 });
  const { college_id: id, school_year: year } = result;
  await onDocument(document, async (page) => {
    await visit(page, `#/map?year=${year}&measure=success`, "map");
    assert.match(
      await page.locator(`.map a.point[data-college="${id}"]`).getAttribute("aria-label"),
      /petit effectif/,
    );
    assert.equal(await page.locator(".map a.point[aria-label*='petit effectif']").count(), 1);
    await page.locator(".legend .sign.small").waitFor();
    await visit(page, `#/college/${id}`, "college");
    const badge = plain(await page.locator(".badge.small").first().textContent());
    assert.match(badge, /^petit effectif.*12 candidats : un seul déplace le taux de 8,3 points/);
  });
});

test("the ministry's figure of Paris stands beside the mean, on the first page and on a collège's", async () => {
  const document = JSON.parse(original);
  const row = document.paris_years.findLast((each) => each.ips_mean !== null);
  row.ips_department_public = 117.2;
  const id = document.social_positions.find((each) => each.school_year === row.school_year).college_id;
  await onDocument(document, async (page) => {
    const tile = plain(await page.locator('.tile[data-column="ips_mean"]').textContent());
    assert.ok(tile.includes(row.school_year) && tile.includes("selon le ministère : 117,2"), tile);
    assert.ok(tile.includes(String(row.ips_mean.toFixed(1)).replace(".", ",")), tile);
    await visit(page, "#/map?arr=19", "map");
    const own = plain(await page.locator('.tile[data-column="ips_mean"]').textContent());
    assert.ok(!own.includes("selon le ministère"), own);
    await visit(page, `#/college/${id}`, "college");
    const cells = await page.locator("table").last().locator("tbody td").allTextContents();
    assert.ok(cells.includes("117,2"), cells);
  });
});

test("the curves of the arrondissements break with the series, as those of a collège do", async () => {
  const document = JSON.parse(original);
  const years = [...new Set(document.social_positions.map((row) => row.school_year))].sort();
  for (const row of document.social_positions) row.series = row.school_year === years[0] ? "old" : "new";
  const { arrondissement_number: number } = document.arrondissement_years.find(
    (row) => row.school_year === years[0] && row.ips_mean !== null,
  );
  await onDocument(document, async (page) => {
    await visit(page, `#/arrondissements?measure=ips&arrs=${number}`, "arrondissements");
    assert.equal(await page.locator('.chart svg g[stroke-width="2.2"] > path').count(), 4); // two of it, two of Paris
    await page.locator(".chart svg").getByText("rupture de série").waitFor();
    const paris = page.locator('.multiples svg g[stroke="var(--line)"] > path');
    assert.equal(await paris.count(), 2 * document.arrondissements.length);
  });
});

test("sectors coloured by the results of another year say which, in the figure's title too", async () => {
  const document = JSON.parse(original);
  const held = document.sector_files.map((name) => name.match(/^outlines-(.*)\.json$/)?.[1]).filter(Boolean);
  const year = held.sort().at(-1);
  document.results = document.results.filter((row) => row.school_year < year);
  const coloured = document.results
    .map((row) => row.school_year)
    .sort()
    .at(-1);
  await onDocument(
    document,
    async (page) => {
      await visit(page, `#/sector?year=${year}&measure=success`, "sector");
      const svg = page.locator(".map.sectors svg");
      assert.ok((await svg.getAttribute("aria-label")).endsWith(`(${coloured})`));
      const file = await download(page, page.locator(".figure-tools button").nth(2));
      assert.ok(file.text.includes(`(${coloured})`));
      assert.match(file.text, /Couleurs\s:/);
    },
    { acceptDownloads: true },
  );
});

test("why a school year is not counted is told in words; what names no record is of no extraction", async () => {
  const document = JSON.parse(original);
  const anomaly = {
    dataset: "etablissements-scolaires-colleges",
    record_key: null,
    college_id: null,
    school_year: null,
    published_value: "20-21",
    is_withdrawn: false,
    first_extracted_at: null,
    last_extracted_at: null,
  };
  document.anomalies = ["partial_school_year", "implausible_school_year", "unknown_label"].map((reason) => ({
    ...anomaly,
    kind: "school_year_unusable",
    contradicting_value: reason,
  }));
  await onDocument(document, async (page) => {
    await visit(page, "#/anomalies", "anomalies");
    const text = plain(await page.locator("#anomalies-table tbody").innerText());
    assert.ok(text.includes("ne se lit pas comme une année scolaire"), text);
    assert.ok(!/_school_year|unknown_label|publié le/.test(text), text);
  });
});

test("a collège of doubtful identity is told by the other's name, in the table and in the file", async () => {
  const document = JSON.parse(original);
  const [one, other] = document.colleges;
  document.anomalies = ["contested", "other_uai", "name_of_another"].map((why) => ({
    kind: "identity_in_doubt",
    dataset: "etablissements-scolaires-colleges",
    record_key: null,
    college_id: one.college_id,
    school_year: null,
    published_value: one.college_name,
    contradicting_value: `${other.college_name} (${why}, ${other.college_id})`,
    is_withdrawn: false,
    first_extracted_at: null,
    last_extracted_at: null,
  }));
  await onDocument(
    document,
    async (page) => {
      await visit(page, "#/anomalies", "anomalies");
      const file = await download(page, page.locator("#anomalies-table .downloads button").first());
      for (const text of [await page.locator("#anomalies-table tbody").innerText(), file.text]) {
        assert.ok(plain(text).includes(`${other.display_name} portait ce nom l’année précédente`), text);
        assert.ok(!/contested|other_uai|\bc[0-9a-f]{12}\b/.test(text), text);
      }
    },
    { acceptDownloads: true },
  );
});

test("a collège that closed before the first results says so, not that it lacks an identifier", async () => {
  const document = JSON.parse(original);
  const first = document.results.map((row) => row.school_year).sort()[0];
  const years = document.college_school_years.map((row) => row.school_year).filter((year) => year < first);
  const last = years.sort().at(-1);
  const college = document.colleges[0];
  Object.assign(college, { is_open: false, last_school_year: last, uai: null });
  for (const table of ["results", "social_positions"])
    document[table] = document[table].filter((row) => row.college_id !== college.college_id);
  await onDocument(document, async (page) => {
    await visit(page, `#/college/${college.college_id}`, "college");
    const text = plain(await page.locator("main").innerText());
    assert.ok(text.includes(`sa dernière année est ${last}, les résultats commencent à la session`), text);
    assert.ok(!text.includes("identifiant (UAI)"));
  });
});

test("data that cannot be loaded are said to be, in words", async () => {
  const server = await serve("/nonexistent", {});
  await server.close();
  const served = await serve(SITE, {});
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.route("**/dashboard.json", (route) => route.fulfill({ status: 500 }));
  await page.goto(served.url);
  await page.getByText("could not be loaded. Check your connection").waitFor();
  assert.ok(!/make|dashboard\.json|500/.test(await page.locator("body").innerText()));
  await page.getByRole("button", { name: "Reload the page" }).waitFor();
  await context.close();
  await served.close();
});
