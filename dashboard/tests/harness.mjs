// What the browser tests share: a server on loopback, Chromium, and a page that is watched.
import assert from "node:assert/strict";
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, extname, join, normalize } from "node:path";
import test, { after, before } from "node:test";
import { chromium } from "playwright-core";
import { unpacked } from "../src/data.js";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
};
const BASE = "/paris-colleges/dashboard/"; // a path below the root, as on a project's pages

// The exported document, its tables as lists of objects.
export const readDocument = () => unpacked(JSON.parse(readFileSync(process.env.DASHBOARD_DOCUMENT, "utf8")));

// `dashboard.json` is served as `document`, the other data from beside the exported one, everything else
// from the built page.
export async function serve(directory, document, base = BASE) {
  const exported = document && dirname(process.env.DASHBOARD_DOCUMENT);
  const data = JSON.stringify(document);
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url.split(/[?#]/)[0]);
    if (document && path === `${base}data/dashboard.json`)
      return response.writeHead(200, { "content-type": TYPES[".json"] }).end(data);
    const name = normalize(path.startsWith(base) ? path.slice(base.length) || "index.html" : "none");
    const file = exported && name.startsWith("data/") ? join(exported, name.slice(5)) : join(directory, name);
    if (!existsSync(file) || !statSync(file).isFile()) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" });
    return createReadStream(file).pipe(response);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${server.address().port}${base}`,
    close: () => new Promise((closed) => server.close(closed)),
  };
}

export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });

// A page whose requests beyond `url` are refused and remembered, and so is everything it complains of.
// `hash` may be any address below `url`; `ready` is what the page shows once it is drawn; `inPage` runs in it first.
export async function open(
  browser,
  url,
  { hash = "", ready = "body[data-ready]", inPage = null, ...options } = {},
) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    reducedMotion: "reduce",
    locale: "fr-FR",
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  if (inPage) await page.addInitScript(inPage);
  const complaints = [];
  await context.route("**/*", (route) => {
    const address = route.request().url();
    if (address.startsWith(url) || /^(data|blob):/.test(address)) return route.continue();
    complaints.push(`remote request: ${address}`);
    return route.abort();
  });
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on(
    "console",
    (message) =>
      ["error", "warning"].includes(message.type()) && complaints.push(`console: ${message.text()}`),
  );
  page.on("dialog", (dialog) => complaints.push(`dialog: ${dialog.message()}`) && dialog.dismiss());
  await page.goto(url + hash);
  await page.waitForSelector(ready, { state: "attached" });
  return { page, complaints, close: () => context.close() };
}

// The built page on this document and a browser, for all tests of a file; with `options`, a page too.
export function running(document, options) {
  const site = { open: (of) => open(site.browser, site.server.url, of) };
  before(async () => {
    site.server = await serve(process.env.DASHBOARD_SITE, document);
    site.browser = await launch();
    if (options) site.opened = await site.open(options);
  });
  after(async () => {
    await site.browser?.close();
    await site.server?.close();
  });
  return site;
}

// A test with a page of its own that must not complain.
export const testOnPage = (site) => (name, options, body) =>
  test(name, async () => {
    const opened = await site.open(options);
    try {
      await body(opened.page);
      assert.deepEqual(opened.complaints, []);
    } finally {
      await opened.close();
    }
  });

// What a button downloads.
export async function download(page, button) {
  const [file] = await Promise.all([page.waitForEvent("download"), button.click()]);
  const content = readFileSync(await file.path());
  return { name: file.suggestedFilename(), content, text: content.toString("utf8") };
}

// Spaces of any kind as one plain space.
export const plain = (text) => text.replace(/\s+/g, " ").trim();

// With accents that a reader may or may not type.
export const accented = (text) => text.replaceAll("e", "é").replaceAll("a", "à");

// Within the page: another address, as a link or a bookmark would give it.
export async function visit(page, hash, view) {
  await page.evaluate((to) => (location.hash = to), hash);
  await page.waitForSelector(`body[data-ready^="${view}"]`);
}
