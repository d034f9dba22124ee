// Every number of the pages, beside what SQL on the marts gives: FIGURES names a file of the latter.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { createLanguage } from "../src/i18n/index.js";
import { plain, readDocument, running, visit } from "./harness.mjs";

const sql = JSON.parse(readFileSync(process.env.FIGURES, "utf8"));
const document = readDocument();
const FORMATS = {
  count: (language, value) => language.number(value),
  kilometres: (language, value) => language.kilometres(value),
  percent: (language, value) => language.percent(value, 1),
  rate: (language, value) => language.percent(value, Number.isInteger(value) ? 0 : 1),
  points: (language, value) => language.points(value),
  decimal: (language, value) => language.number(value, 1),
};

const site = running(document);

// The cells of a table by the key in its first column, over all of its pages.
async function cellsOf(page, name, keyOf) {
  const table = page.locator(`#${name}-table`);
  const found = new Map();
  for (;;) {
    const rows = await table.locator("tbody tr").evaluateAll((lines) =>
      lines.map((line) => ({
        href: line.querySelector("a")?.hash ?? "",
        cells: [...line.children].map((cell) => cell.innerText),
      })),
    );
    for (const row of rows) found.set(keyOf(row), row.cells.map(plain));
    const next = table.locator(".pager button").last();
    if (await next.isDisabled()) return found;
    await next.click();
  }
}

async function labelsOf(page, name) {
  const heads = page.locator(`#${name}-table thead th:not([hidden]) .sort`);
  return (await heads.allInnerTexts()).map(plain);
}

for (const [lang, locale, viewport] of [
  ["fr", "fr-FR", { width: 1440, height: 900 }],
  ["en", "en-GB", { width: 390, height: 844 }],
]) {
  test(`the numbers of every table and tile are those of the marts (${lang}, ${viewport.width} pixels)`, async () => {
    const language = createLanguage(lang);
    const opened = await site.open({
      locale,
      viewport,
      colorScheme: lang === "en" ? "dark" : "light",
    });
    const { page } = opened;
    const shown = (format, value) =>
      value === null ? language.t("why.label") : plain(FORMATS[format](language, value));
    let compared = 0;
    const same = (actual, format, value, where) => {
      // A badge of a small number of candidates may follow.
      assert.equal(actual.split(` ${language.t("small.label")}`)[0], shown(format, value), where);
      compared += 1;
    };
    for (const [year, expected] of Object.entries(sql.years)) {
      const query = year === "latest" ? "" : `&year=${year}`;
      await visit(page, `#/map?lang=${lang}${query}`, "map");
      for (const [column, [format, value]] of Object.entries(expected.tiles)) {
        const tile = page.locator(`.tile[data-column="${column}"] dd`).first();
        if (value === null && (await tile.count()) === 0) continue;
        same(plain(await tile.innerText()), format, value, `${year} ${column}`);
      }
      const tables = [
        ["arrondissements", (row) => row.cells[0].replace(/\D/g, "")],
        ["colleges", (row) => row.href.match(/c[0-9a-f]{12}/)[0]],
      ];
      for (const [name, keyOf] of tables) {
        const labels = await labelsOf(page, name);
        const cells = await cellsOf(page, name, keyOf);
        assert.equal(cells.size, Object.keys(expected[name]).length, `${year} ${name}`);
        for (const [key, row] of Object.entries(expected[name]))
          for (const [label, format, value] of row) {
            const place = labels.indexOf(plain(language.t(label)));
            if (place < 0) assert.equal(value, null, `${year} ${name} ${label}`);
            else same(cells.get(key)[place], format, value, `${year} ${name} ${key} ${label}`);
          }
      }
    }
    for (const [id, expected] of Object.entries(sql.colleges)) {
      await visit(page, `#/college/${id}?lang=${lang}`, `college/${id}`);
      for (const [measure, [format, value]] of Object.entries(expected)) {
        const tile = page.locator(`.tile[data-measure="${measure}"] dd`).first();
        same(plain(await tile.innerText()), format, value, `${id} ${measure}`);
      }
    }
    await visit(page, `#/anomalies?lang=${lang}`, "anomalies");
    for (const [kind, value] of Object.entries(sql.anomalies))
      same(plain(await page.locator(`.count[data-kind="${kind}"]`).innerText()), "count", value, kind);
    assert.ok(compared > 500, `${compared} compared`);
    assert.deepEqual(opened.complaints, []);
    await opened.close();
  });
}
