// The dashboard over a played edge: every page, on a screen and a phone, in light and dark.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { open } from "./chromium.mjs";
import { TOKEN, figures, pages, violations } from "./pages.mjs";

const output = process.env.TIDEGATE_OUTPUT;
const HOSTILE = `<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>"'&lt;b&gt;`;
const stream = (id, title, more = {}) => ({
  id, revision: 3, title, description: `What ${title} is about.`, tags: ["news", "studio"], language: "en", category: "Talk", visibility: "public", poster: null,
  scheduled_start: null, dvr_window_s: 3600, latency_mode: "low", viewer_thresholds: [100, 1000], viewer_count: "public", enabled: true, playback: { access: "public" }, created: "2026-11-20T09:00:00.000Z", live: false, ...more,
});
const session = {
  id: "01kazzzzzz0000000001", state: "live", started: "2026-11-25T18:00:00.000Z", ended: null, duration_s: 5400, playlist: "/live/demo/01kazzzzzz0000000001/index.m3u8", peak_viewers: 402,
  input: { video: { codec: "avc1.64001f", width: 1920, height: 1080, frame_rate_milli: 30000, bitrate_bps: 4_500_000 }, audio: { codec: "mp4a.40.2", sample_rate_hz: 48000, channels: 2 } },
  renditions: [
    { id: "source", codec: "avc1.64001f", bitrate_bps: 4_700_000, kind: "video", width: 1920, height: 1080 },
    { id: "high", codec: "avc1.64001f", bitrate_bps: 2_800_000, kind: "video", width: 1280, height: 720 },
    { id: "audio", codec: "mp4a.40.2", bitrate_bps: 128_000, kind: "audio", sample_rate_hz: 48000, channels: 2 },
  ],
};
let edge, browser, hostile = false, empty = false;
const complaints = [];

function answer(path, params, { method, body }) {
  const title = hostile ? HOSTILE : "Evening show";
  if (path.endsWith("/viewers")) return empty ? 404 : { stream: "demo", at: "2026-11-25T19:30:00Z", viewers: 231, peak_today: 402, by: {}, ingest: { at: "2026-11-25T19:30:00Z", bitrate_bps: 4_700_000, frames_per_s_milli: 30_000, drift_ms: 3, late_parts: 0, part_ms: { p50: 15, p99: 34 }, put_ms: { p50: 9, p99: 31 } }, lost: [] };
  if (path.endsWith("/analytics")) return empty ? 404 : figures(params);
  if (path === "/api/v1/streams" && method === "POST") return stream(body.id ?? "made-up", body.title);
  if (path === "/api/v1/streams") {
    const more = hostile ? { tags: [HOSTILE], visibility: HOSTILE, id: "../../" + HOSTILE } : {};
    return { items: [stream("demo", title, { live: true, ...more }), stream("studio", "Studio", { tags: [] }), stream("archive", "From the archive", { visibility: "private" })], next: null };
  }
  if (path.endsWith("/live")) return { state: "live", health: hostile ? HOSTILE : "healthy", since: "2026-11-25T18:00:00.000Z", session };
  if (path.endsWith("/sessions")) return { items: [session, { ...session, state: "ended", duration_s: 7260, id: "01kazzzzzz0000000000" }], next: null };
  if (path.endsWith("/keys") && method === "POST") return { id: "k2", name: body.name ?? "", key: "sk_0123456789abcdef", created: "2026-11-25T19:00:00.000Z" };
  if (path.endsWith("/keys")) return { items: [{ id: "k1", name: hostile ? HOSTILE : "OBS in the studio", created: "2026-11-20T09:00:00.000Z", expires: null }] };
  if (path === "/api/v1/webhooks") return { items: [{ id: "w1", url: hostile ? HOSTILE : "https://example.com/hook", events: [hostile ? HOSTILE : "stream.live"], created: "2026-11-20T09:00:00.000Z" }] };
  if (path === "/api/v1/undelivered") return { items: [], next: null };
  if (/^\/api\/v1\/streams\/[^/]+$/.test(path)) return stream("demo", title, hostile ? { description: HOSTILE, tags: [HOSTILE], category: HOSTILE } : {});
  return 404;
}

before(async () => {
  [edge, browser] = await Promise.all([pages(answer), open()]);
}, { timeout: 60_000 });

after(async () => {
  await browser?.close();
  edge?.stop();
});

/** A page of the dashboard with the token that a person has entered before. */
async function signedIn(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  await context.addInitScript(([token, base]) => {
    sessionStorage.setItem("tidegate.token", token);
    sessionStorage.setItem("tidegate.edge", base);
  }, [TOKEN, edge.base]);
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(String(error)));
  return page;
}

const PLACES = [
  ["streams", "#/", ".stream"],
  ["figures", "#/streams/demo", ".chart canvas"],
  ["live", "#/streams/demo/live", ".facts dd"],
  ["publish", "#/streams/demo/publish", ".line"],
  ["settings", "#/streams/demo/settings", "form.fields input"],
  ["sessions", "#/streams/demo/sessions", "td"],
  ["webhooks", "#/webhooks", ".line"],
];

async function visit(page, [name, hash, ready]) {
  await page.goto(`${edge.base}/dashboard${hash}`);
  await page.locator(ready).first().waitFor({ timeout: 20_000 });
  if (name === "figures") await page.locator(".world path.watched").first().waitFor({ timeout: 20_000 });
}

for (const [look, options] of [
  ["light", {}],
  ["dark", { colorScheme: "dark" }],
  ["phone", { viewport: { width: 390, height: 844 }, hasTouch: true, deviceScaleFactor: 2 }],
]) {
  test(`every page is accessible and fits: ${look}`, { timeout: 180_000 }, async () => {
    const page = await signedIn(options);
    for (const place of PLACES) {
      await visit(page, place);
      if (output) await page.screenshot({ path: join(output, `dashboard-${place[0]}-${look}.png`), fullPage: true });
      assert.deepEqual(await violations(page), [], `${place[0]}, ${look}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(wide <= 0, `${place[0]} is ${wide} px wider than the screen`);
    }
    await page.context().close();
    assert.deepEqual(complaints, []);
  });
}

test("the way of a picture is there hop by hop, and how start-up times and stalls are spread", { timeout: 60_000 }, async () => {
  const page = await signedIn();
  await visit(page, PLACES[1]);
  const hops = await page.locator(".ladder li b").allInnerTexts();
  // What is left of the latency that players tell is theirs.
  assert.deepEqual(hops, ["15 ms", "9 ms", "3.4 ms", "1.9 ms", "1.62 s", "1.65 s"]);
  const spread = (label) => page.getByRole("list", { name: label }).getByRole("listitem").allInnerTexts();
  const columns = await spread("How start-up times are spread");
  assert.ok(columns.length >= 9 && columns.some((text) => text.includes("200 ms to 300 ms")), columns.join());
  assert.ok((await spread("How long stalls are")).length >= 8);
  await page.context().close();
});

test("a token opens it, a wrong one does not, and it goes with the tab", { timeout: 60_000 }, async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${edge.base}/dashboard`);
  await page.fill("#token", "wrong");
  await page.click("button[type=submit]");
  await page.getByText("This token is not known here").waitFor();
  if (output) await page.screenshot({ path: join(output, "dashboard-login.png") });
  assert.deepEqual(await violations(page), []);
  await page.fill("#token", TOKEN);
  await page.click("button[type=submit]");
  await page.locator(".stream").first().waitFor();
  assert.equal(await page.evaluate(() => localStorage.length + document.cookie.length), 0, "nothing outlives the tab");
  assert.ok(!page.url().includes(TOKEN));
  const other = await context.newPage();
  await other.goto(`${edge.base}/dashboard`);
  await other.locator("#token").waitFor();
  await page.click("#sign-out");
  await page.locator("#token").waitFor();
  await context.close();
});

test("hostile texts are text", { timeout: 120_000 }, async () => {
  hostile = true;
  const page = await signedIn();
  for (const place of [...PLACES, ["strange", `#/streams/${encodeURIComponent("../../tokens?x=" + HOSTILE)}/${encodeURIComponent(HOSTILE)}`, ".tabs"]]) {
    await visit(page, place);
    await page.waitForTimeout(300);
    assert.equal(await page.evaluate(() => window.pwned), undefined, place[0]);
    assert.equal(await page.locator("img[src=x], main script").count(), 0, place[0]);
  }
  const strange = edge.asked.filter(({ path }) => path.startsWith("/api/") && path.includes("tokens"));
  assert.ok(strange.length > 0 && strange.every(({ path }) => path.startsWith("/api/v1/streams/")), "an id stays one word of the path");
  hostile = false;
  await page.context().close();
});

test("a stream is made, changed, given a key, and its figures are taken away as a file", { timeout: 120_000 }, async () => {
  const page = await signedIn();
  await visit(page, PLACES[0]);
  await page.getByRole("button", { name: "New stream" }).click();
  await page.getByLabel("Name in addresses").fill("morning");
  await page.getByRole("textbox", { name: "Title" }).fill("Morning show");
  assert.deepEqual(await violations(page), []);
  await page.getByRole("button", { name: "Make it" }).click();
  await page.waitForURL(/#\/streams\/morning\/publish$/);
  const made = edge.asked.findLast(({ method, path }) => method === "POST" && path === "/api/v1/streams");
  assert.deepEqual([made.body.id, made.body.title, made.body.visibility], ["morning", "Morning show", "public"]);
  await page.getByRole("button", { name: "New key" }).click();
  await page.getByText("sk_0123456789abcdef").waitFor();
  await page.getByRole("img", { name: /for an app on a phone/ }).waitFor();
  assert.deepEqual(await violations(page), []);
  if (output) await page.screenshot({ path: join(output, "dashboard-key.png") });
  await page.getByRole("button", { name: "Close" }).click();
  await page.getByText("sk_0123456789abcdef").waitFor({ state: "detached" });
  await visit(page, PLACES[4]);
  await page.getByRole("textbox", { name: "Title" }).fill("Late show");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Viewers see it within 5 s").waitFor();
  const change = edge.asked.findLast(({ method }) => method === "PATCH");
  assert.deepEqual([change.body, change.headers["if-match"]], [{ title: "Late show" }, '"1"']);
  await visit(page, PLACES[1]);
  for (const format of ["CSV", "JSON"]) {
    const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: format }).click()]);
    assert.match(file.suggestedFilename(), new RegExp(`^demo-.*\\.${format.toLowerCase()}$`));
  }
  await page.getByRole("button", { name: "24 h" }).click();
  const hours = () => {
    const query = new URLSearchParams(edge.asked.findLast(({ path }) => path.endsWith("/analytics")).query);
    return Math.round((Date.parse(query.get("to")) - Date.parse(query.get("from"))) / 3_600_000);
  };
  for (let waited = 0; hours() !== 24 && waited < 20_000; waited += 100) await page.waitForTimeout(100);
  assert.equal(hours(), 24);
  await page.context().close();
});

test("without figures it says so", { timeout: 60_000 }, async () => {
  empty = true;
  const page = await signedIn();
  await page.goto(`${edge.base}/dashboard#/streams/demo`);
  await page.getByText("No figures in this range yet").waitFor();
  if (output) await page.screenshot({ path: join(output, "dashboard-empty.png") });
  assert.deepEqual(await violations(page), []);
  empty = false;
  await page.context().close();
});
