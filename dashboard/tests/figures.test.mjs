// Every number of the pages, beside what SQL on the marts gives: FIGURES names a file of the latter.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { createLanguage } from "../src/i18n/index.js";
import { download, plain, readDocument, running, visit } from "./harness.mjs";

const sql = JSON.parse(readFileSync(process.env.FIGURES, "utf8"));
const document = readDocument();
const FORMATS = {
  count: (language, value) => language.number(value),
  plain: (language, value) => String(value),
  kilometres: (language, value) => language.kilometres(value),
  metres: (language, value) => language.metres(value),
  percent: (language, value) => language.percent(value, 1),
  rate: (language, value) => language.percent(value, Number.isInteger(value) ? 0 : 1),
  points: (language, value) => language.points(value),
  decimal: (language, value) => language.number(value, 1),
};
// One language, width and theme for each document: how a number is written hangs on the language alone (unit.test.mjs)
// and which number it is on the document.
const [lang, options] = document.is_synthetic
  ? ["en", { locale: "en-GB", viewport: { width: 1440, height: 900 }, colorScheme: "dark" }]
  : ["fr", { locale: "fr-FR", viewport: { width: 390, height: 844 }, colorScheme: "light" }];

const site = running(document);

// The text of every cell that a selector finds, by row.
const cellsOf = (page, selector) =>
  page
    .locator(selector)
    .evaluateAll((rows) =>
      rows.map((row) => [...row.children].map((cell) => cell.textContent.replace(/\s+/g, " ").trim())),
    );

// The rows of a table over all of its pages: the address of a row's first link, and the text of its cells.
async function rowsOf(page, name) {
  const table = page.locator(`#${name}-table`);
  const found = [];
  for (;;) {
    found.push(
      ...(await table.locator("tbody tr").evaluateAll((rows) =>
        rows.map((row) => ({
          href: row.querySelector("a")?.hash ?? "",
          cells: [...row.children].map((cell) => cell.textContent.replace(/\s+/g, " ").trim()),
        })),
      )),
    );
    const next = table.locator(".pager button").last();
    if (await next.isDisabled()) return found;
    await next.click();
  }
}

async function labelsOf(page, name) {
  const heads = page.locator(`#${name}-table thead th:not([hidden]) .sort`);
  return (await heads.allTextContents()).map(plain);
}

const idOf = (address) => address.match(/c[0-9a-f]{12}/)[0];

// RFC 4180 with semicolons, as the page writes it.
function parseCsv(text) {
  const fields = text.replace(/^\uFEFF/, "").matchAll(/(?:"((?:[^"]|"")*)"|([^;\r\n]*))(;|\r\n)/g);
  const rows = [[]];
  for (const [, quoted, bare, end] of fields) {
    rows.at(-1).push(quoted === undefined ? bare : quoted.replaceAll('""', '"'));
    if (end !== ";") rows.push([]);
  }
  return rows.slice(0, -1);
}

const language = createLanguage(lang);
const t = (key, values) => plain(language.t(key, values));
const shown = (format, value) =>
  value === null || value === undefined ? t("why.label") : plain(FORMATS[format](language, value));
// A badge of a small number of candidates may follow.
const same = (actual, format, value, where) =>
  assert.equal(actual.split(` ${t("small.label")}`)[0], shown(format, value), where);

const onPage = (name, body) =>
  test(`${name} (${lang}, ${options.viewport.width} pixels)`, async () => {
    const opened = await site.open({ ...options, hash: "#/sources", acceptDownloads: true });
    try {
      await body(opened.page);
      assert.deepEqual(opened.complaints, []);
    } finally {
      await opened.close();
    }
  });

// What a table gives as a file, its rows as text in no order, and the rows that SQL gives.
async function sameFile(page, name, wanted) {
  const file = await download(page, page.locator(`#${name}-table .downloads button`).first());
  const [head, ...rows] = parseCsv(file.text);
  const written = (value) => {
    if (value === null) return "";
    return typeof value === "number" && lang === "fr" ? String(value).replace(".", ",") : String(value);
  };
  const columns = Object.keys(wanted[0]);
  for (const column of columns.filter((each) => !head.includes(each)))
    assert.ok(
      wanted.every((row) => row[column] === null),
      `${name}: no column ${column}`,
    );
  const there = columns.filter((column) => head.includes(column));
  const lines = (all, of) => all.map((row) => there.map((column) => of(row, column)).join("|")).sort();
  assert.deepEqual(
    lines(rows, (row, column) => row[head.indexOf(column)]),
    lines(wanted, (row, column) => written(row[column])),
    name,
  );
}

async function sameTiles(page, tiles, where) {
  for (const [column, [format, value]] of Object.entries(tiles)) {
    const tile = page.locator(`.tile[data-column="${column}"] dd`).first();
    if (value === null && (await tile.count()) === 0) continue;
    same(plain(await tile.textContent()), format, value, `${where} ${column}`);
  }
}

onPage("the first page: tiles, tables and points are those of the marts", async (page) => {
  for (const [year, expected] of Object.entries(sql.years)) {
    const query = year === "latest" ? "" : `&year=${year}`;
    await visit(page, `#/map?lang=${lang}${query}`, "map");
    await sameTiles(page, expected.tiles, year);
    const ministry = page.locator('.tile[data-column="ips_mean"] dd.beside');
    assert.deepEqual(
      (await ministry.allTextContents()).map(plain),
      expected.ministry === null ? [] : [t("ips.ministry", { value: shown("decimal", expected.ministry) })],
    );
    for (const [name, keyOf] of [
      ["arrondissements", (row) => row.cells[0].replace(/\D/g, "")],
      ["colleges", (row) => idOf(row.href)],
    ]) {
      const labels = await labelsOf(page, name);
      const rows = await rowsOf(page, name);
      assert.equal(rows.length, Object.keys(expected[name]).length, `${year} ${name}`);
      for (const row of rows)
        for (const [label, format, value] of expected[name][keyOf(row)]) {
          const place = labels.indexOf(t(label));
          if (place < 0) assert.equal(value, null, `${year} ${name} ${label}`);
          else same(row.cells[place], format, value, `${year} ${name} ${keyOf(row)} ${label}`);
        }
    }
    for (const [measure, points] of Object.entries(expected.points)) {
      await visit(page, `#/map?lang=${lang}&measure=${measure}${query}`, "map");
      const drawn = await page
        .locator(".map a.point")
        .evaluateAll((all) => all.map((point) => [point.dataset.college, point.getAttribute("aria-label")]));
      assert.equal(drawn.length, Object.keys(points).length);
      for (const [id, label] of drawn) {
        const told = t("page.label", { name: t(`measure.${measure}`), value: shown(...points[id]) });
        assert.ok(plain(label).includes(told), `${year} ${measure}: ${label}, not ${told}`);
      }
    }
  }
  for (const [number, tiles] of Object.entries(sql.years.latest.arrondissement_tiles)) {
    await visit(page, `#/distances?lang=${lang}`, "distances");
    await visit(page, `#/map?lang=${lang}&arr=${number}`, "map");
    await sameTiles(page, tiles, `arrondissement ${number}`);
  }
});

onPage("the arrondissements: map, comparison and the table of all years", async (page) => {
  for (const [measure, values] of Object.entries(sql.arrondissements.maps)) {
    await visit(page, `#/arrondissements?lang=${lang}&measure=${measure}&arrs=7,19`, "arrondissements");
    if (options.viewport.width > 500) {
      const told = await page.locator(".choropleth svg text").allTextContents();
      const wanted = Object.entries(values).map(
        ([number, [format, value]]) =>
          plain(language.arrondissement(Number(number))) +
          (value === null ? t("why.short") : shown(format, value)),
      );
      assert.deepEqual(
        told.map((text) => text.replace(/\s/g, "")).sort(),
        wanted.map((text) => text.replace(/\s/g, "")).sort(),
      );
    }
  }
  const rows = await cellsOf(page, "table.compact tbody tr");
  const wanted = sql.arrondissements.compared.filter(([, , values]) => values.at(-1) !== null);
  assert.equal(rows.length, wanted.length);
  for (const [index, [label, format, values]] of wanted.entries()) {
    assert.ok(rows[index][0].startsWith(t(label)), rows[index][0]);
    values.forEach((value, place) => same(rows[index][place + 1], format, value, label));
  }
  await visit(page, `#/map?lang=${lang}`, "map");
  await visit(page, `#/arrondissements?lang=${lang}`, "arrondissements");
  const labels = await labelsOf(page, "arrondissement-years");
  const all = new Map(
    (await rowsOf(page, "arrondissement-years")).map(({ cells }) => [cells.slice(0, 2).join(), cells]),
  );
  assert.equal(all.size, sql.arrondissements.years.length);
  for (const [number, year, figures] of sql.arrondissements.years) {
    const cells = all.get([plain(language.arrondissement(number)), year].join());
    for (const [label, format, value] of figures)
      same(cells[labels.indexOf(t(label))], format, value, `${number} ${year} ${label}`);
  }
});

onPage("the sectors: what each is coloured by, and the figures of an answer", async (page) => {
  for (const [measure, values] of Object.entries(sql.sectors)) {
    await visit(page, `#/sector?lang=${lang}&measure=${measure}`, "sector");
    await page.waitForFunction(
      (name) => window.document.querySelector(".map.sectors svg")?.getAttribute("aria-label").includes(name),
      language.t(`measure.${measure}`),
    );
    const drawn = await page
      .locator(".map .sector")
      .evaluateAll((all) => all.map((path) => [path.dataset.sector, path.firstChild.textContent]));
    const told = new Map(drawn);
    for (const [sector, [format, value]] of Object.entries(values)) {
      const text = plain(told.get(sector));
      assert.ok(text.replace(/ \(.*\)$/, "").endsWith(shown(format, value)), `${sector} ${measure}: ${text}`);
    }
  }
  // A tap on a sector that is where its middle is.
  const point = await page.evaluate(() => {
    const map = window.document.querySelector(".map.sectors");
    map.scrollIntoView({ block: "center" });
    for (const path of map.querySelectorAll(".sector")) {
      const { x, y, width, height } = path.getBoundingClientRect();
      const middle = [x + width / 2, y + height / 2];
      if (window.document.elementFromPoint(...middle) === path) return middle;
    }
    throw new Error("no sector to tap");
  });
  await page.mouse.click(...point);
  await page.waitForSelector('.view[data-answered="found"]');
  const ids = await page
    .locator(".answer h2 a")
    .evaluateAll((links) => links.map((link) => link.hash.match(/c[0-9a-f]{12}/)[0]));
  const tiles = (await page.locator(".answer .tile dd").allTextContents()).map(plain);
  const figures = ids.flatMap((id) =>
    ["success", "value_added", "mentions", "ips"].map((measure) => sql.colleges[id].tiles[measure]),
  );
  assert.equal(tiles.length, figures.length);
  figures.forEach(([format, value], place) =>
    assert.equal(tiles[place].replace(/ \(.*\)$/, ""), shown(format, value), `answer, figure ${place}`),
  );
});

onPage("the distances: every pair in the file, the nearest and the farthest on the page", async (page) => {
  for (const [year, pairs] of Object.entries(sql.distances)) {
    await visit(page, `#/map?lang=${lang}`, "map");
    await visit(page, `#/distances?lang=${lang}&year=${year}`, "distances");
    await sameTiles(page, sql.years[year].tiles, year);
    const columns = [
      "display_name_a",
      "arrondissement_number_a",
      "display_name_b",
      "arrondissement_number_b",
    ];
    const named = pairs.map((pair) =>
      Object.fromEntries([...columns, "distance_m"].map((column, place) => [column, pair[place]])),
    );
    await sameFile(page, "distances", named);
    for (const [sort, expected] of [
      ["distance_m", pairs],
      ["-distance_m", pairs.toReversed()],
    ]) {
      await visit(page, `#/distances?lang=${lang}&year=${year}&distances.sort=${sort}`, "distances");
      await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
      const rows = await cellsOf(page, "#distances-table tbody tr");
      assert.equal(rows.length, 300);
      rows.forEach((cells, place) =>
        same(cells.at(-1), "metres", expected[place].at(-1), `${year} ${place}`),
      );
      await page.evaluate(() => dispatchEvent(new Event("afterprint")));
    }
  }
});

onPage("the changes and the portals' edits: every row, and how many of a load", async (page) => {
  await visit(page, `#/changes?lang=${lang}&type=all`, "changes");
  for (const [name, rows] of Object.entries(sql.tables)) await sameFile(page, name, rows);
  const titles = new Map(document.sources.map((source) => [source.dataset, plain(source.title)]));
  const feed = await cellsOf(page, ".feed li");
  const wanted = sql.feed.map(([moment, dataset, type, n]) =>
    [
      plain(language.date(moment)),
      t(`edit.group.${type}`, { n }),
      titles.get(dataset).replaceAll("'", "’"),
    ].join("|"),
  );
  assert.deepEqual(feed.map((cells) => cells.join("|")).sort(), wanted.sort());
  const labels = await labelsOf(page, "changes");
  const moved = labels.indexOf(t("column.moved"));
  const metres = (await rowsOf(page, "changes")).map(({ cells }) => cells[moved]);
  assert.deepEqual(
    metres.filter(Boolean).sort(),
    sql.tables.changes
      .filter((row) => row.moved_m !== null)
      .map((row) => shown("metres", row.moved_m))
      .sort(),
  );
  await visit(page, `#/anomalies?lang=${lang}`, "anomalies");
  for (const [kind, n] of Object.entries(sql.anomalies))
    same(plain(await page.locator(`.count[data-kind="${kind}"]`).textContent()), "count", n, kind);
  assert.equal(await page.locator(".count").count(), Object.keys(sql.anomalies).length);
  await visit(page, `#/anomalies?lang=${lang}&kind=all`, "anomalies");
  await sameFile(page, "anomalies", sql.anomaly_rows);
});

onPage("collèges side by side, and how far they are from each other", async (page) => {
  for (const { year, ids, rows, distances } of sql.compare) {
    await visit(page, `#/compare?lang=${lang}&c=${ids}${year ? `&year=${year}` : ""}`, "compare");
    const lines = await cellsOf(page, "table.side-by-side >> nth=0 >> tbody tr");
    for (const [label, format, values] of rows) {
      const line = lines.find(([head]) => head.startsWith(t(label)));
      if (!line)
        assert.ok(
          values.every((value) => value === null),
          `${year} ${label}`,
        );
      else
        values.forEach((value, place) =>
          same(line[place + 1], format, value, `${year} ${ids[place]} ${label}`),
        );
    }
    const matrix = await cellsOf(page, "table.side-by-side >> nth=1 >> tbody tr");
    distances.forEach((metres, one) =>
      metres.forEach((value, other) => {
        if (one !== other) same(matrix[one][other + 1], "metres", value, `${year} ${ids[one]} ${ids[other]}`);
      }),
    );
    await visit(page, `#/map?lang=${lang}`, "map");
  }
});

onPage("the pages of the collèges: figures, tables by year, neighbours", async (page) => {
  for (const [id, expected] of Object.entries(sql.colleges)) {
    await visit(page, `#/college/${id}?lang=${lang}`, `college/${id}`);
    const tiles = await page.evaluate(() =>
      [...window.document.querySelectorAll(".tile[data-measure]")].map((tile) => [
        tile.dataset.measure,
        ...[...tile.querySelectorAll("dd")].map((text) => text.textContent.replace(/\s+/g, " ").trim()),
      ]),
    );
    const isGiven = Object.values(expected.tiles).some(([, value]) => value !== null);
    const wanted = isGiven ? Object.keys(expected.tiles) : [];
    assert.deepEqual(tiles.map(([measure]) => measure).sort(), wanted.sort());
    for (const [measure, figure, beside] of tiles) {
      const [format, value, paris] = expected.tiles[measure];
      same(figure, format, value, `${id} ${measure}`);
      if (value === null) continue;
      const sign = { "-1": "below", 0: "level", 1: "above" }[Math.sign(value)];
      const told =
        measure === "value_added"
          ? t(`college.value_added_${sign}`, { n: language.number(Math.abs(value)) })
          : t("college.beside_paris", { value: shown(format, paris) });
      assert.equal(beside, told, `${id} ${measure}`);
    }
    const tables = await page.evaluate(() =>
      [...window.document.querySelectorAll("main section table")].map((table) =>
        [...table.tBodies[0].rows].map((row) =>
          [...row.cells].map((cell) => cell.textContent.replace(/\s+/g, " ").trim()),
        ),
      ),
    );
    // Before the figures of either table: the school year, and the session or the series.
    for (const name of ["results", "positions"].filter((each) => expected[each].length)) {
      const rows = tables.shift();
      assert.equal(rows.length, expected[name].length, `${id} ${name}`);
      expected[name].forEach((figures, line) =>
        figures.forEach(([format, value], place) =>
          same(rows[line][place + 2], format, value, `${id} ${name} ${rows[line][0]}, column ${place}`),
        ),
      );
    }
    assert.deepEqual(tables, [], id);
    const neighbours = await page
      .locator(".neighbours li")
      .evaluateAll((items) =>
        items.map((item) => [item.querySelector("a").hash, item.lastChild.textContent]),
      );
    const nearest = Object.values(expected.near).slice(0, neighbours.length);
    assert.equal(neighbours.length, Math.min(5, Object.keys(expected.near).length));
    neighbours.forEach(([href, text], place) => {
      same(plain(text), "metres", expected.near[idOf(href)], `${id} ${href}`);
      same(plain(text), "metres", nearest[place], `${id} neighbour ${place}`);
    });
    const hint = page.locator("section:has(.neighbours) .note");
    const told =
      expected.within === null ? t("why.no_neighbour") : t("college.neighbours_hint", { n: expected.within });
    assert.ok(plain(await hint.textContent()).startsWith(told), `${id}: ${told}`);
  }
});

onPage("the sources: which years each covers, how many records are held of it", async (page) => {
  const cells = await cellsOf(page, "main tbody tr");
  document.sources.forEach(({ dataset }, place) => {
    const held = sql.sources[dataset];
    if (!held) return assert.equal(cells[place].at(-1), "", dataset);
    const { first_school_year: first, last_school_year: last } = held;
    assert.equal(cells[place][1], first ? t("sources.span", { first, last }) : "–", dataset);
    return same(cells[place].at(-1), "count", held.rows_present, dataset);
  });
});
