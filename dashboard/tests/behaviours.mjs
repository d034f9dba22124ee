// What a visitor came for, view by view. Each is asked at every width and in both languages (grid.test.mjs): what it finds on the page is compared with the document.
import assert from "node:assert/strict";
import { createLanguage } from "../src/i18n/index.js";
import { accented, plain, readDocument, visit } from "./harness.mjs";
import { address, expected, years as outlined } from "./places.mjs";

const document = readDocument();
const latestOf = (rows) =>
  rows
    .map((row) => row.school_year)
    .sort()
    .at(-1);
export const latest = latestOf(document.college_school_years);
const rowsOf = (year) => document.college_school_years.filter((row) => row.school_year === year);
const nameOf = new Map(document.colleges.map((college) => [college.college_id, college.display_name]));
const published = {
  success: latestOf(document.results),
  value_added: latestOf(document.results),
  mentions: latestOf(document.results),
  ips: latestOf(document.social_positions),
  nearest: latest,
};
export const moved = document.changes.find((change) => change.change_type === "relocated");
const four = document.colleges.slice(0, 4).map((college) => college.college_id);
const closedBefore = document.colleges.find(
  (college) =>
    !college.is_open && college.last_school_year < document.results.map((row) => row.school_year).sort()[0],
);

// Spaces of all kinds are one here; grid.test.mjs asks for the French ones.
const says =
  ({ language }) =>
  (key, values) =>
    plain(language.t(key, values));

export const map = {
  async "each measure opens on its latest published year and says which"({ page }) {
    const found = await page.evaluate(
      (measures) =>
        measures.map((measure) => {
          ask.choose("measure", measure);
          return {
            title: ask.first("section.card:has(.map) h2").textContent,
            points: ask.all(".map a.point").length,
            hollow: ask.all(".map [stroke-dasharray] a").length,
          };
        }),
      Object.keys(published),
    );
    Object.values(published).forEach((year, place) => {
      assert.ok(found[place].title.endsWith(year), found[place].title);
      assert.equal(found[place].points, rowsOf(latest).length);
      assert.ok(found[place].hollow < rowsOf(latest).length / 4, `${found[place].hollow} hollow`);
    });
    const years = await page.evaluate(() => ({
      tiles: ask.texts(".tile dt"),
      heads: ask.texts("#colleges-table thead th:not([hidden]) .of-year"),
      missing: ask.all(".tile .missing").length,
    }));
    for (const tile of years.tiles) assert.match(tile, /20\d\d-20\d\d/);
    assert.ok(years.heads.filter((year) => year === published.success).length >= 3, years.heads);
    assert.equal(years.missing, 0);
  },

  async "the ministry's own figure stands beside the mean"({ page, ...setting }) {
    const row = document.paris_years.findLast((each) => each.ips_mean !== null);
    const told = row.ips_department_public;
    const wanted =
      told === null ? [] : [says(setting)("ips.ministry", { value: setting.language.number(told, 1) })];
    const found = await page.evaluate(() => ask.texts('.tile[data-column="ips_mean"] .beside'));
    assert.deepEqual(found, wanted);
  },

  async "names are written as people write them, a reason once below the table"({ page, ...setting }) {
    const found = await page.evaluate(() => ({
      names: ask.texts("#colleges-table tbody th a"),
      cells: ask.texts("#colleges-table .missing"),
      wanted: [...new Set(ask.all("#colleges-table .missing").map((cell) => cell.dataset.reason))],
      reasons: ask.texts("#colleges-table .reasons li"),
    }));
    const names = new Set(nameOf.values());
    assert.equal(found.names.length, 25);
    for (const name of found.names) assert.ok(names.has(name) && name !== name.toUpperCase(), name);
    for (const cell of found.cells) assert.equal(cell, says(setting)("why.label"));
    assert.equal(found.reasons.length, found.wanted.length);
  },

  async "zoomed by button and keyboard it draws streets and remembers, and a link shows the same"({ page }) {
    const count = () => page.evaluate(() => ask.all(".map a.point").length);
    await page.locator("#zoom-in").focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => /zoom=/.test(location.hash));
    const shown = await count();
    assert.ok(shown > 0 && shown < rowsOf(latest).length, `${shown}`);
    if (outlined.length) await page.locator(".map .blocks").waitFor({ state: "attached" });
    const hash = await page.evaluate(() => location.hash);
    await visit(page, "#/sources", "sources");
    await visit(page, hash, "map");
    assert.equal(await count(), shown);
    await page.evaluate(() => ask.click("#zoom-all"));
    assert.equal(await count(), rowsOf(latest).length);
  },

  async "arrow keys walk from point to point"({ page }) {
    const reached = await page.evaluate(() => {
      ask.first(".map a.point[tabindex='0']").focus();
      return ["ArrowDown", "ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown"].map((key) => {
        ask.press(key);
        return window.document.activeElement.dataset.college;
      });
    });
    assert.ok(new Set(reached).size >= 2, reached);
    assert.equal(await page.locator(".map a.point[tabindex='0']").count(), 1);
    assert.equal(await page.locator(".tip").isVisible(), true);
  },

  async "the filter holds for map, tables and files: CSV for French Excel, named for it"({ page, lang }) {
    const found = await page.evaluate(async () => {
      ask.choose("measure", "success");
      ask.choose("arrondissement", "19");
      const [csv, metadata] = ask.all("#colleges-table .downloads button");
      return {
        points: ask.all(".map a.point").length,
        rows: ask.rows("colleges"),
        arrondissements: ask.rows("arrondissements"),
        csv: await ask.file(csv),
        metadata: await ask.file(metadata),
      };
    });
    const there = rowsOf(latest).filter((row) => row.arrondissement_number === 19).length;
    assert.deepEqual([found.points, found.rows, found.arrondissements], [there, there, 1]);
    const { name, bytes, text } = found.csv;
    assert.deepEqual(bytes.slice(0, 3), [0xef, 0xbb, 0xbf]);
    const ending = lang === "en" ? "latest_arrondissement-19_en" : "dernieres-donnees_arrondissement-19";
    const synthetic = document.is_synthetic ? "SYNTHETIC_" : "";
    assert.equal(name, `paris-colleges_${synthetic}colleges_${ending}.csv`);
    const [head, ...lines] = text.trimEnd().split("\r\n");
    assert.match(head, /^\uFEFF?display_name;arrondissement_number;success_rate_pct_20\d\d-20\d\d;/);
    assert.equal(lines.length, there);
    const { ips } = document.social_positions.find(
      (row) =>
        row.school_year === published.ips &&
        rowsOf(latest).some(
          (each) => each.college_id === row.college_id && each.arrondissement_number === 19,
        ) &&
        row.ips % 1,
    );
    assert.ok(text.includes(`;${String(ips).replace(".", lang === "fr" ? "," : ".")};`), String(ips));
    assert.equal(JSON.parse(found.metadata.text).url, name);
    assert.equal(found.metadata.name, `${name}-metadata.json`);
  },

  async "in print the tables are whole, every figure has its year and no control is left"({ page }) {
    await page.evaluate(() => {
      ask.click(".reset");
      dispatchEvent(new Event("beforeprint"));
    });
    await page.emulateMedia({ media: "print" });
    const found = await page.evaluate(() => ({
      rows: ask.all("#colleges-table tbody tr").length,
      controls: ["#year", "#find", "#language", ".zoom", "nav"].filter(ask.isShown),
      years: ask.all(".tile dt").map((tile) => tile.innerText),
      banner: ask.isShown("aside.synthetic"),
      ground: getComputedStyle(window.document.body).backgroundColor,
    }));
    await page.emulateMedia({ media: null });
    await page.evaluate(() => dispatchEvent(new Event("afterprint")));
    assert.equal(found.rows, rowsOf(latest).length);
    assert.deepEqual(found.controls, []);
    for (const text of found.years) assert.match(text, /20\d\d-20\d\d/);
    assert.equal(found.banner, document.is_synthetic);
    assert.equal(found.ground, "rgb(255, 255, 255)");
    assert.equal(await page.locator("#colleges-table tbody tr").count(), 25);
  },

  async "the language changes in place, and back"({ page, lang }) {
    const other = { fr: "en", en: "fr" }[lang];
    const found = await page.evaluate(() =>
      [1, 2].map(() => {
        ask.click("#language");
        const { title, documentElement, activeElement } = window.document;
        return { lang: documentElement.lang, focused: activeElement.id, title };
      }),
    );
    [other, lang].forEach((wanted, turn) => {
      assert.deepEqual([found[turn].lang, found[turn].focused], [wanted, "language"]);
      assert.ok(found[turn].title.includes(createLanguage(wanted).t("page.title")), found[turn].title);
    });
  },
};

export const sector = {
  async "an address leads to its collège, with its figures and their years, and stays with the reader"({
    page,
    ...setting
  }) {
    await page.locator("#find").fill(address);
    await page.locator("#find").press("Enter");
    await page.waitForSelector('.view[data-answered="found"]');
    const found = await page.evaluate(() => ({
      title: ask.texts(".answer h2")[0],
      text: ask.texts(".answer")[0],
      tiles: ask.texts(".answer .tile dt"),
      chosen: ask.all(".map .sector.chosen").length,
      address: decodeURIComponent(location.href),
    }));
    assert.ok(found.title.includes(expected), found.title);
    assert.ok(found.text.includes("rectorat"));
    assert.equal(found.tiles.length, 4);
    for (const tile of found.tiles) assert.match(tile, /\(20\d\d-20\d\d\)/);
    assert.ok(found.chosen > 0 || !outlined.length);
    assert.ok(!found.address.toLowerCase().includes(address.split(",")[0].split(" ").at(-1)));
    assert.ok(found.text.includes(says(setting)("sector.information")));
  },

  async "without the device's position a sentence says so"({ page, ...setting }) {
    await page.evaluate(() => ask.click("#position"));
    await page.waitForSelector(".notice[role=alert]:not([hidden])");
    assert.deepEqual(await page.evaluate(() => ask.texts(".notice[role=alert]")), [
      says(setting)("sector.no_position"),
    ]);
  },
};

export const arrondissements = {
  async "a choropleth, each of them over the years, and up to four side by side"({ page, width, language }) {
    const values = document.arrondissement_years.filter((row) => row.success_rate_pct !== null);
    const year = latestOf(values);
    const found = await page.evaluate(async () => {
      ask.choose("measure", "success");
      const read = () => ({
        labels: ask.texts(".choropleth text"),
        points: Number(ask.first(".multiples svg").dataset.points),
        heads: ask.texts("table.compact thead th"),
        charts: ask.texts("section:has(table.compact) h3"),
        rows: ask.rows("arrondissement-years"),
        pressed: ask.all(".choices [aria-pressed=true]").length,
      });
      const before = read();
      ask
        .all('.choropleth path[data-arrondissement="5"]')
        .at(-1)
        .dispatchEvent(new MouseEvent("click", { bubbles: true }));
      ask.click("#arr-1");
      ask.click("#arr-2");
      return { before, after: read(), message: ask.texts(".view [role=status]").join(" ") };
    });
    const of = (numbers) =>
      document.arrondissement_years.filter((row) => numbers.includes(row.arrondissement_number)).length;
    assert.equal(found.before.points, values.length);
    const told = found.before.labels.join(" ").replace(/\s/g, "");
    for (const row of values.filter((each) => each.school_year === year))
      assert.equal(told.includes(language.percent(row.success_rate_pct, 1).replace(/\s/g, "")), width > 500);
    const names = (...numbers) => numbers.map((number) => language.arrondissement(number));
    assert.deepEqual(found.before.heads.slice(1), [...names(7, 19), "Paris"]);
    assert.equal(found.before.rows, of([7, 19]));
    assert.equal(found.before.charts.length, 1);
    assert.deepEqual(found.after.heads.slice(1), [...names(7, 19, 5, 1), "Paris"]);
    assert.equal(found.after.rows, of([7, 19, 5, 1]));
    assert.equal(found.after.pressed, 4);
    assert.ok(found.message.includes(plain(language.t("arrondissements.full", { n: 4 }))), found.message);
  },
};

export const compare = {
  async "collèges are added by name up to four, and each column has room"({ page, ...setting }) {
    const found = await page.evaluate((name) => {
      const field = ask.first("#compare-search");
      field.value = name;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      ask.first(".hits button").click();
      return {
        chips: ask.texts(".chips li"),
        widths: [...ask.first("table.side-by-side tbody tr").querySelectorAll("td")].map(
          (cell) => cell.getBoundingClientRect().width,
        ),
        distances: ask.texts("table.side-by-side:nth-of-type(1) tbody").length,
        text: ask.texts(".view")[0],
        address: decodeURIComponent(location.hash),
        alone: [1, 2, 3].map(() => ask.click(".chips button") ?? ask.texts(".view")[0]).at(-1),
      };
    }, nameOf.get(four[3]));
    assert.equal(found.chips.length, 4);
    four.forEach((id, place) => assert.ok(found.chips[place].includes(nameOf.get(id)), found.chips[place]));
    assert.equal(found.widths.length, 4);
    assert.ok(Math.min(...found.widths) > 70, found.widths);
    assert.equal(found.distances, 2);
    assert.ok(found.text.includes(says(setting)("compare.full")));
    assert.ok(found.address.includes(`c=${four.join(",")}`), found.address);
    assert.ok(found.alone.includes(says(setting)("compare.few")), found.alone);
  },
};

export const distances = {
  async "sorts by a click, finds a pair by two names without accents, turns pages"({ page, ...setting }) {
    const [one, other] = rowsOf(latest).map((row) => row.college_name);
    const found = await page.evaluate(
      (query) => {
        const head = ask.all("#distances-table thead th").at(-1);
        const before = head.ariaSort;
        head.querySelector(".sort").click();
        const after = head.ariaSort;
        ask.choose("distances-search", query);
        const rows = ask.rows("distances");
        const [row] = ask.texts("#distances-table tbody tr");
        const { hash } = location;
        ask.choose("distances-search", "zzzz");
        const [none] = ask.texts("#distances-table tbody tr");
        ask.choose("distances-search", "");
        ask.all("#distances-table .pager button").at(-1).click();
        return { before, after, rows, row, hash, none, next: location.hash };
      },
      `${accented(one.toLowerCase())} ${other}`,
    );
    assert.deepEqual([found.before, found.after], ["ascending", "descending"]);
    assert.ok(found.rows >= 1);
    for (const { college_id: id } of rowsOf(latest).slice(0, 2))
      assert.ok(found.row.includes(nameOf.get(id)), found.row);
    assert.match(found.hash, /distances\.sort=-distance_m/);
    assert.equal(found.none, says(setting)("table.empty"));
    assert.match(found.next, /distances\.page=2/);
  },
};

export const changes = {
  async "is filtered by kind, and the portals' edits are told load by load"({ page }) {
    const kinds = [...new Set(document.changes.map((change) => change.change_type))];
    const found = await page.evaluate(
      (all) => ({
        rows: all.map((kind) => {
          ask.choose("type", kind);
          return ask.rows("changes");
        }),
        groups: ask.all(".feed li").length,
        edits: ask.rows("edits"),
        first: ask.texts("#edits-table tbody tr:first-child > *")[0],
      }),
      kinds,
    );
    assert.deepEqual(
      found.rows,
      kinds.map((kind) => document.changes.filter((change) => change.change_type === kind).length),
    );
    const groups = document.portal_edits.map((edit) =>
      [edit.detected_at, edit.dataset, edit.edit_type].join(),
    );
    assert.equal(found.groups, new Set(groups).size);
    assert.equal(found.edits, document.portal_edits.length);
    // Which record comes first, where a phone shows it.
    assert.match(found.first, /\w/);
  },
};

export const anomalies = {
  async "counts each kind, says how to report it, and leaves as a CSV"({ page, ...setting }) {
    const found = await page.evaluate(async () => {
      const here = ask.texts("nav [aria-current=page]");
      const counts = ask
        .all(".count")
        .map((count) => [count.dataset.kind, Number(count.textContent.replace(/\D/g, ""))]);
      ask.choose("kind", "all");
      return {
        here,
        counts: Object.fromEntries(counts),
        rows: ask.rows("anomalies"),
        links: ask.all("main ul a[rel~=external]").map((link) => link.href),
        text: ask.texts("main")[0],
        csv: await ask.file(ask.first("#anomalies-table .downloads button")),
      };
    });
    assert.deepEqual(found.here, [says(setting)("view.anomalies")]);
    const wanted = {};
    for (const { kind } of document.anomalies) wanted[kind] = (wanted[kind] ?? 0) + 1;
    assert.deepEqual(found.counts, wanted);
    assert.equal(found.rows, document.anomalies.length);
    assert.equal(found.links.length > 0, !document.is_synthetic);
    assert.ok(found.text.includes(says(setting)("anomalies.report_text")));
    const [head, ...lines] = found.csv.text.trimEnd().split("\r\n");
    assert.deepEqual(found.csv.bytes.slice(0, 3), [0xef, 0xbb, 0xbf]);
    assert.match(head, /^\uFEFF?kind;record;/);
    assert.equal(lines.length, document.anomalies.length);
    assert.ok(lines.every((line) => line.split(";")[0] in wanted));
    assert.match(found.csv.name, setting.lang === "en" ? /all_en\.csv$/ : /all\.csv$/);
  },
};

export const college = {
  async "opens on its results, and leads to what the ministry has of it"({ page, ...setting }) {
    const found = await page.evaluate(() => {
      const top = (selector) => ask.first(selector).getBoundingClientRect().top + scrollY;
      return {
        heading: ask.texts("h1")[0],
        tiles: ask.texts(".tile[data-measure] dt"),
        first: top(".tile[data-measure]"),
        screen: innerHeight,
        below: [".charts, .chart", ".map", ".life-years", ".facts"].map(top),
        links: ask
          .all(".actions a[rel~=external]")
          .map((link) => [link.href, ask.squeezed(link.textContent)]),
      };
    });
    const { uai, display_name: name } = document.colleges.find(
      (each) => each.college_id === moved.college_id,
    );
    assert.equal(found.heading, name);
    assert.equal(found.tiles.length, 4);
    for (const tile of found.tiles) assert.match(tile, /20\d\d-20\d\d/);
    assert.ok(found.first < found.screen, `results ${found.first} pixels down`);
    for (const top of found.below) assert.ok(top > found.first);
    const t = says(setting);
    assert.deepEqual(
      found.links.map(([, text]) => text),
      document.is_synthetic ? [] : [t("college.directory_record"), t("college.directory_search")],
    );
    if (!document.is_synthetic) {
      assert.match(found.links[0][0], new RegExp(`^https://data\\.education\\.gouv\\.fr/.*\\?q=${uai}$`));
      assert.match(found.links[1][0], /^https:\/\/www\.education\.gouv\.fr\/annuaire\?/);
    }
  },

  async "its life line marks what changed alone; listed neighbours are on its map"({ page }) {
    const found = await page.evaluate(() => ({
      marked: ask.all(".life-years li.event").map((item) => item.title.slice(0, 9)),
      listed: ask.all(".neighbours a").map((link) => link.hash.match(/c[0-9a-f]{12}/)[0]),
      drawn: ask.all(".map a.point").map((link) => link.dataset.college),
    }));
    const years = document.changes
      .filter((change) => change.college_id === moved.college_id)
      .map((change) => change.school_year);
    assert.deepEqual(found.marked, [...new Set(years)].sort());
    assert.equal(found.listed.length, 5);
    assert.deepEqual(
      found.listed.filter((id) => !found.drawn.includes(id)),
      [],
    );
  },

  async "one that closed before the first results says so"({ page, ...setting }) {
    if (!closedBefore) return;
    await visit(page, `#/college/${closedBefore.college_id}`, `college/${closedBefore.college_id}`);
    const text = (await page.evaluate(() => ask.texts("main")))[0];
    const { session } = document.results.toSorted((a, b) => a.session - b.session)[0];
    const told = says(setting)("why.closed_before", { year: closedBefore.last_school_year, session });
    assert.ok(text.includes(told), `${told}: ${text}`);
  },
};

export const sources = {
  async "say first which years they cover, then the portal's date, then ours"({ page, ...setting }) {
    const heads = await page.evaluate(() => ask.texts("main thead th"));
    const t = says(setting);
    const wanted = ["title_column", "covers", "processed", "extracted"].map((name) => t(`sources.${name}`));
    assert.deepEqual(heads.slice(0, 4), wanted);
  },
};

// Of every view with figures: each has its citation, its address, and is an SVG and a PNG of its own, in the
// colours of the page, with no words beyond its edges.
export async function figures({ page, lang, theme, where }) {
  const found = await page.evaluate(async () => {
    const drawn = ask.all("main svg[role]:not(.legend svg)");
    const tools = ask.all(".figure-tools").map((each) => [...each.querySelectorAll("button")]);
    const files = [];
    for (const [cite, link, svg] of tools) {
      const file = await ask.file(svg);
      const holder = window.document.createElement("div");
      holder.innerHTML = file.text;
      window.document.body.append(holder);
      const frame = holder.firstChild.getBoundingClientRect();
      const lines = [...holder.firstChild.children].filter((child) => child.tagName === "text");
      const wide = lines.filter((line) => line.getBoundingClientRect().right > frame.right + 1);
      files.push({
        name: file.name,
        ground: holder.querySelector("rect").getAttribute("fill"),
        isWhole: !file.text.includes("var(--"),
        wide: wide.map((line) => line.textContent),
        cited: ask.squeezed(await ask.copy(cite)),
        linked: await ask.copy(link),
      });
      holder.remove();
    }
    const png = tools.length ? await ask.file(tools[0][3]) : null;
    const address = location.href;
    return { drawn: drawn.length, files, png, address };
  });
  assert.equal(found.files.length, found.drawn, where);
  for (const { name, ground, isWhole, wide, cited, linked } of found.files) {
    assert.match(name, lang === "en" ? /_en\.svg$/ : /(?<!_en)\.svg$/, where);
    assert.ok(isWhole, `${where}: ${name}`);
    assert.deepEqual(wide, [], `${where}: ${name}`);
    const words = ["Open Database License", "Licence Ouverte", lang === "en" ? "data of" : "données du"];
    assert.ok(words.slice(0, 2).some((word) => cited.includes(word)) && cited.includes(words[2]), cited);
    assert.ok(cited.endsWith(found.address) && linked === found.address, cited);
    const dark = Number.parseInt(ground.replace(/[#\srgb(]/g, "").slice(0, 2), 16) < 128;
    assert.equal(dark, theme === "dark", `${where}: ${ground}`);
  }
  if (found.png) assert.deepEqual(found.png.bytes, [0x89, 0x50, 0x4e, 0x47], where);
}

export default { map, sector, arrondissements, compare, distances, changes, anomalies, college, sources };
