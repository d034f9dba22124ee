// Pages made of hostile descriptions, names and records: text stays text.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import test from "node:test";
import { launch, open, serve } from "../../dashboard/tests/harness.mjs";

const SITE = process.env.DOCS_SITE;

test("nothing hostile runs, on our pages or in the sites of others", async () => {
  const server = await serve(SITE, undefined, "/");
  const browser = await launch();
  try {
    const paths = readdirSync(SITE, { recursive: true }).filter((file) => file.endsWith(".html"));
    assert.ok(paths.includes("dbt/index.html") && paths.includes("lineage/index.html"));
    const opened = await open(browser, server.url, { ready: "body" });
    for (const path of [
      ...paths,
      "dbt/index.html#!/model/model.paris_colleges.dim_college",
      "lineage/index.html?model=model.paris_colleges.dim_college",
    ]) {
      await opened.page.goto(server.url + path);
      await opened.page.waitForTimeout(/^(dbt|lineage)/.test(path) ? 2000 : 0);
      assert.equal(await opened.page.evaluate(() => window.hostile), undefined, path);
      const serious = opened.complaints.filter((text) => /^(remote|dialog)/.test(text));
      assert.deepEqual(serious, [], path);
    }
  } finally {
    await browser.close();
    await server.close();
  }
});
