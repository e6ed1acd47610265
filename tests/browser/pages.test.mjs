// The watch page over a played edge: what is said of a stream that is live, planned, over, unknown, or described by somebody hostile.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { open } from "./chromium.mjs";
import { pages, violations } from "./pages.mjs";

const output = process.env.TIDEGATE_OUTPUT;
const HOSTILE = `<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>"'&lt;b&gt;`;
const INFO = {
  id: "demo", title: "Evening show", description: "Two hours of talk and music from the studio, with guests.\n\nTonight: how tides are predicted.", tags: ["talk", "music", "live from the studio"],
  language: "en", category: "Talk", poster: null, thumbnails: [], scheduled_start: null, live: true, since: "2026-11-25T18:00:00.000Z", session: "01kazzzzzz0000000001",
};
let edge, browser, info, count;

before(async () => {
  const answer = (path) => (path.endsWith("/info.json") ? info : path.endsWith("/viewers") ? count : path.endsWith(".m3u8") ? 503 : 404);
  [edge, browser] = await Promise.all([pages(answer), open()]);
}, { timeout: 60_000 });

after(async () => {
  await browser?.close();
  edge?.stop();
});

async function visit(path = "/watch?stream=demo", options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  await page.goto(edge.base + path);
  return page;
}

async function picture(page, name) {
  if (output) await page.screenshot({ path: join(output, `watch-${name}.png`) });
}

for (const [look, options] of [["light", {}], ["dark", { colorScheme: "dark" }], ["phone", { viewport: { width: 390, height: 844 }, hasTouch: true, deviceScaleFactor: 2 }]]) {
  test(`title, description, tags and viewers are there and accessible: ${look}`, { timeout: 60_000 }, async () => {
    [info, count] = [INFO, { stream: "demo", viewers: 1234 }];
    const page = await visit(undefined, options);
    await page.getByRole("heading", { name: "Evening show" }).waitFor();
    await page.getByText("1,234 watching").waitFor();
    await page.getByText("how tides are predicted").waitFor();
    assert.equal(await page.locator("#tags li").count(), 3);
    await picture(page, `live-${look}`);
    assert.deepEqual(await violations(page), []);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), "it fits");
    await page.context().close();
  });
}

test("a new title and a new number of viewers come by themselves", { timeout: 60_000 }, async () => {
  [info, count] = [INFO, 404];
  const page = await visit();
  await page.getByRole("heading", { name: "Evening show" }).waitFor();
  const changed = performance.now();
  info = { ...INFO, title: "Late show", tags: ["night"] };
  await page.getByRole("heading", { name: "Late show" }).waitFor({ timeout: 5_000 });
  assert.ok(performance.now() - changed < 5_000);
  assert.equal(await page.locator("#viewers").isVisible(), false, "without somebody who counts there is no number");
  await page.context().close();
});

test("it counts down to a planned start", { timeout: 60_000 }, async () => {
  const start = new Date(Date.now() + 26 * 3_600_000 + 90_000);
  [info, count] = [{ ...INFO, live: false, since: null, scheduled_start: start.toISOString() }, 404];
  for (const [look, options] of [["light", {}], ["phone", { viewport: { width: 390, height: 844 }, hasTouch: true, deviceScaleFactor: 2 }]]) {
    const page = await visit(undefined, options);
    await page.getByText("Starts soon").waitFor();
    assert.match(await page.locator("#countdown").innerText(), /^01\s+day\s+02\s+hours\s+01\s+minutes\s+\d\d\s+seconds$/);
    const before = await page.locator("#countdown").innerText();
    await page.waitForFunction((before) => document.getElementById("countdown").innerText !== before, before, { timeout: 5_000 });
    await picture(page, `planned-${look}`);
    assert.deepEqual(await violations(page), []);
    await page.context().close();
  }
});

test("offline and unknown streams say so", { timeout: 60_000 }, async () => {
  [info, count] = [{ ...INFO, live: false, since: null }, 404];
  const page = await visit();
  await page.locator("#curtain-title", { hasText: "Offline" }).waitFor();
  await picture(page, "offline");
  assert.deepEqual(await violations(page), []);
  info = 404;
  await page.getByText("There is no such stream").waitFor({ timeout: 10_000 });
  await page.context().close();
});

test("hostile texts are text, and hostile addresses are not followed", { timeout: 60_000 }, async () => {
  const poster = `https://example.com/");background:url(javascript:alert(1)`;
  [info, count] = [{ ...INFO, title: HOSTILE, description: HOSTILE, tags: [HOSTILE], poster, live: false }, { viewers: HOSTILE }];
  const page = await visit(`/watch?stream=${encodeURIComponent("../../" + HOSTILE)}`);
  await page.locator("#name", { hasText: "<img src=x" }).waitFor();
  await page.waitForTimeout(500);
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  assert.equal(await page.locator("img, main script").count(), 0);
  assert.ok(edge.asked.filter(({ path }) => path.includes("onerror")).every(({ path }) => /^\/(live|api\/v1\/streams)\/\.\.%2F\.\.%2F/.test(path)), "an id stays one word of the path");
  info = { ...INFO, live: false, poster: "javascript:window.pwned=1" };
  await page.waitForTimeout(3_000);
  assert.equal(await page.evaluate(() => document.getElementById("curtain").style.backgroundImage), "");
  await page.context().close();
});

test("what is shared can be copied, and a frame shows the picture alone", { timeout: 60_000 }, async () => {
  [info, count] = [INFO, 404];
  const page = await visit();
  await page.getByRole("button", { name: "Share" }).click();
  await page.getByText("<iframe src=").waitFor();
  await picture(page, "share");
  assert.deepEqual(await violations(page), []);
  const link = await page.locator("#link").innerText();
  assert.equal(link, `${edge.base}/watch?stream=demo`);
  await page.getByRole("button", { name: "Close" }).click();
  await page.goto(`${link}&embed`);
  await page.locator("tidegate-player").waitFor();
  assert.equal(await page.locator("h1").isVisible(), false);
  const { height, width } = await page.locator(".stage").boundingBox();
  assert.deepEqual([height, width], [900, 1280]);
  await page.context().close();
});
