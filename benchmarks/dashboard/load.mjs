// How soon the page answers: `node benchmarks/dashboard/load.mjs [FOLDER]` after `make dashboard`, by default
// site/dashboard. Files go out compressed, as web hosts send them, over a line that Chromium slows down.
// Prints a table of milliseconds; every load is a fresh profile without a cache.
import { createServer } from "node:http";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { cpus } from "node:os";
import { extname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { launch } from "../../dashboard/tests/harness.mjs";

const LOADS = 9;
const LINES = [
  ["50 Mb/s, 20 ms", 50, 20],
  ["1.6 Mb/s, 150 ms", 1.6, 150],
];
const VIEWS = ["#/map", "#/sector"];
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css" };
const site = resolve(process.argv[2] ?? fileURLToPath(new URL("../../site/dashboard", import.meta.url)));

const files = new Map(
  readdirSync(site, { recursive: true })
    .map((name) => [name, join(site, name)])
    .filter(([, path]) => existsSync(path) && statSync(path).isFile())
    .map(([name, path]) => [`/${name}`, gzipSync(readFileSync(path))]),
);
const server = createServer((request, response) => {
  const name = decodeURIComponent(request.url.split(/[?#]/)[0]).replace(/\/$/, "/index.html");
  const content = files.get(name);
  if (!content) return response.writeHead(404).end();
  return response
    .writeHead(200, {
      "content-type": TYPES[extname(name)] ?? "application/json",
      "content-encoding": "gzip",
      "content-length": content.length,
    })
    .end(content);
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));

// The page is there for a reader when the view is drawn and two frames later the thread is free to answer.
const WATCH = () => {
  const told = (window.told = { longest: 0 });
  new PerformanceObserver((list) => {
    for (const task of list.getEntries()) told.longest = Math.max(told.longest, task.duration);
  }).observe({ type: "longtask", buffered: true });
  new MutationObserver((_, observer) => {
    if (!document.body?.dataset.ready) return;
    observer.disconnect();
    requestAnimationFrame(() => requestAnimationFrame(() => (told.interactive = performance.now())));
  }).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-ready"] });
};

async function load(browser, hash, [, megabits, latency]) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "fr-FR" });
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.emulateNetworkConditions", {
    offline: false,
    latency,
    downloadThroughput: (megabits * 1e6) / 8,
    uploadThroughput: (megabits * 1e6) / 16,
  });
  let received = 0;
  session.on("Network.loadingFinished", ({ encodedDataLength }) => (received += encodedDataLength));
  await page.addInitScript(WATCH);
  await page.goto(`http://127.0.0.1:${server.address().port}/${hash}`, { waitUntil: "commit" });
  await page.waitForFunction(() => window.told.interactive, null, { timeout: 60_000 });
  const found = await page.evaluate(() => ({
    interactive: window.told.interactive,
    longest: window.told.longest,
    paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
  }));
  await context.close();
  return { ...found, received };
}

const middle = (values) => values.toSorted((a, b) => a - b)[(values.length - 1) / 2];
const spread = (values) =>
  `${Math.round(middle(values))} (${Math.round(Math.min(...values))} to ${Math.round(Math.max(...values))})`;

const browser = await launch();
try {
  console.log(`${cpus().length} × ${cpus()[0].model}, Chromium ${browser.version()}, ${LOADS} loads each\n`);
  console.log("| line | view | first words | answers | longest task | received before it answers |");
  console.log("| --- | --- | ---: | ---: | ---: | ---: |");
  for (const line of LINES)
    for (const hash of VIEWS) {
      const loads = [];
      for (let each = 0; each < LOADS; each += 1) loads.push(await load(browser, hash, line));
      const of = (name) => loads.map((found) => found[name]);
      console.log(
        `| ${line[0]} | ${hash} | ${spread(of("paint"))} ms | ${spread(of("interactive"))} ms |` +
          ` ${Math.round(middle(of("longest")))} ms | ${Math.round(middle(of("received")) / 1000)} kB |`,
      );
    }
} finally {
  await browser.close();
  server.close();
}
