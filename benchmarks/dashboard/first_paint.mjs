// First contentful paint of the built page, served on loopback: `node benchmarks/dashboard/first_paint.mjs`
// after `make dashboard`. Prints milliseconds of eleven loads, each in a fresh browser profile.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { launch, open, serve } from "../../dashboard/tests/harness.mjs";

const LOADS = 11;
const site = fileURLToPath(new URL("../../site/dashboard", import.meta.url));
const text = readFileSync(`${site}/data/dashboard.json`, "utf8");
const document = JSON.parse(text);

const server = await serve(site, document);
const browser = await launch();
const paints = [];
try {
  for (let load = 0; load < LOADS; load += 1) {
    const { page, close } = await open(browser, server.url, { hash: "#/map" });
    paints.push(
      await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime),
    );
    await close();
  }
} finally {
  await browser.close();
  await server.close();
}
paints.sort((a, b) => a - b);
console.log(
  `${document.colleges.length} collèges, ${document.school_years.length} school years, ` +
    `data ${Math.round(gzipSync(text).length / 1000)} kB gzip: first contentful paint ` +
    `median ${Math.round(paints[(LOADS - 1) / 2])} ms, ` +
    `${Math.round(paints[0])} to ${Math.round(paints.at(-1))} ms over ${LOADS} loads`,
);
