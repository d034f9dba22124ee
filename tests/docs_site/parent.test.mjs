// The site's first page on a phone: one tap, one address, and the collège stands there.
import assert from "node:assert/strict";
import test from "node:test";
import { launch, open, serve } from "../../dashboard/tests/harness.mjs";

const { DOCS_SITE, ADDRESS, COLLEGES } = process.env;
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

for (const [start, question] of [
  ["index.html", "Quel est le collège de mon adresse ?"],
  ["en/index.html", "Which collège is mine?"],
])
  test(`from ${start} to the answer in two actions`, async () => {
    const server = await serve(DOCS_SITE, undefined, "/");
    const browser = await launch();
    try {
      const { page, complaints } = await open(browser, server.url, { hash: start, ready: "footer", ...PHONE });
      const link = page.locator("main a", { hasText: question });
      const { y, height } = await link.boundingBox();
      assert.ok(y + height <= PHONE.viewport.height, `not on the first screen: ${y} px down`);
      assert.ok(height >= 24, `${height} px high`);

      await link.tap();

      await page.waitForSelector("body[data-ready]");
      const box = await page.locator("#find").boundingBox();
      assert.ok(box.y + box.height <= PHONE.viewport.height, `the search box is ${box.y} px down`);

      await page.locator("#find").fill(ADDRESS);
      await page.locator("#find").press("Enter");

      await page.waitForSelector('.view[data-answered="found"]');
      const answer = await page.locator(".answer").textContent();
      for (const name of COLLEGES.split("|")) assert.ok(answer.includes(name), `${name}: ${answer}`);
      assert.deepEqual(complaints, []);
    } finally {
      await browser.close();
      await server.close();
    }
  });
