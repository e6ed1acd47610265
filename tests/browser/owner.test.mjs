// An owner on a real platform: signs in with the token that `tidegate up` has printed, sees the demo live, and renames it while a viewer watches.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { open } from "./chromium.mjs";
import { violations } from "./pages.mjs";
import { up } from "./platform.mjs";

const output = process.env.TIDEGATE_OUTPUT;
/** How long anything on this machine may take to appear. */
const PATIENCE = 60_000;
let browser, platform, page;

before(async () => {
  [platform, browser] = await Promise.all([up(), open()]);
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
}, { timeout: 120_000 });

after(async () => {
  await browser?.close();
  await platform?.stop();
});

test("the printed token opens the dashboard, and the demo is live there", { timeout: 2 * PATIENCE }, async () => {
  await page.goto(platform.dashboard);
  await page.fill("#token", platform.token);
  await page.click("button[type=submit]");
  const demo = page.locator(".stream", { hasText: "Demo" });
  await demo.locator('.pill[data-state="live"]').waitFor({ timeout: PATIENCE });
  assert.equal(await page.locator(".stream").count(), 2, "the demo and the studio");
  await demo.click();
  await page.getByRole("link", { name: "Live", exact: true }).click();
  await page.locator(".facts dd", { hasText: "pictures/s" }).first().waitFor({ timeout: PATIENCE });
  await page.waitForFunction(() => document.querySelector("tidegate-player")?.shadowRoot?.querySelector("video")?.videoWidth > 0, undefined, { timeout: PATIENCE });
  if (output) await page.screenshot({ path: join(output, "owner-live.png"), fullPage: true });
  assert.deepEqual(await violations(page), []);
});

test("a new title reaches a viewer who watches", { timeout: 2 * PATIENCE }, async (t) => {
  const viewer = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await viewer.goto(platform.watch);
  await viewer.getByRole("heading", { name: "Demo" }).waitFor({ timeout: PATIENCE });
  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByRole("textbox", { name: "Title" }).fill("Tides <b>tonight</b>");
  await page.getByRole("textbox", { name: "Tags" }).fill("sea, night");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.").waitFor({ timeout: PATIENCE });
  const saved = performance.now();
  await viewer.getByRole("heading", { name: "Tides <b>tonight</b>" }).waitFor({ timeout: PATIENCE });
  t.diagnostic(`the viewer has the new title after ${((performance.now() - saved) / 1000).toFixed(1)} s (bar: 5 s)`);
  assert.equal(await viewer.locator("#tags li").count(), 2);
  if (output) await viewer.screenshot({ path: join(output, "owner-watch.png") });
  await viewer.close();
});

test("a key that is made here opens the studio", { timeout: 2 * PATIENCE }, async () => {
  await page.goto(`${platform.dashboard}#/streams/studio/publish`);
  await page.getByRole("button", { name: "New key" }).click();
  const shown = page.locator("dialog code");
  await shown.first().waitFor({ timeout: PATIENCE });
  const [server, key] = await shown.allInnerTexts();
  assert.match(server, /^rtmp:\/\/127\.0\.0\.1:\d+\/live$/);
  assert.ok(key.length > 20);
  await page.getByRole("button", { name: "Close" }).click();
  await page.locator(".line").first().waitFor({ timeout: PATIENCE });
});
