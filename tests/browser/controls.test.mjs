// The controls of <tidegate-player>: what they say, what keys do, and that everybody can use them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { open } from "./chromium.mjs";
import { serveContent } from "./content.mjs";

const dist = fileURLToPath(new URL("../../player-wasm/element/dist/", import.meta.url));
const axe = readFileSync(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const page = (attributes, language = "en") => `<!doctype html><html lang="${language}"${language === "ar" ? ' dir="rtl"' : ""}><title>Controls</title>
<style>body{color-scheme:light dark}</style><script type="module" src="/player/tidegate-player.js"></script><main><h1>Controls</h1>
<tidegate-player id="p" muted controls style="width:640px;height:360px" ${attributes}></tidegate-player></main>`;

let browser, site;

before(async () => {
  site = await serveContent({
    folders: { "/player/": dist },
    pages: {
      "/favicon.ico": { type: "image/x-icon", body: "" },
      "/vod": page('src="/vod/index.m3u8" autoplay'),
      "/live": page('src="/live/a/index.m3u8" autoplay'),
      "/broken": page('src="/vod/text/0.vtt" autoplay'),
      "/ar": page('src="/live/b/index.m3u8" autoplay', "ar"),
      "/thumbnails.vtt": { body: "WEBVTT\n\n00:00.000 --> 01:00.000\nhalves.svg#xywh=110,10,80,45\n" },
      "/halves.svg": { type: "image/svg+xml", body: '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="90"><rect width="100" height="90" fill="#00f"/><rect x="100" width="100" height="90" fill="#f00"/></svg>' },
      "/de": page('src="/vod/index.m3u8"', "de"),
    },
  });
  browser = await open();
}, { timeout: 120_000 });

after(async () => {
  await browser?.close();
  site?.close();
});

async function visit(t, path, options = {}) {
  const tab = await browser.newPage({ viewport: { width: 800, height: 600 }, ...options });
  t.after(() => tab.close());
  await tab.goto(site.origin + path);
  await tab.waitForFunction(() => document.getElementById("p")?.shadowRoot?.querySelector("[part=bar]"));
  return tab;
}
const until = (tab, expression, timeout = 30_000) => tab.waitForFunction((text) => new Function("p", "part", `return ${text}`)(document.getElementById("p"), (name) => document.getElementById("p").shadowRoot.querySelector(`[part~=${name}]`)), expression, { timeout, polling: 100 });
const ask = (tab, expression) => tab.evaluate((text) => new Function("p", "part", `return ${text}`)(document.getElementById("p"), (name) => document.getElementById("p").shadowRoot.querySelector(`[part~=${name}]`)), expression);
/** What axe finds against WCAG 2.2 AA, shadow trees included. */
async function violations(tab) {
  await tab.evaluate(axe);
  return tab.evaluate(async () => {
    const { violations } = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 120)).join(" | ")}`);
  });
}

/** The pointer over a place, which it never keeps quite still on, until something is so. */
async function hover(tab, x, y, expression) {
  for (const end = Date.now() + 30_000; Date.now() < end; x += (Date.now() % 2) - 0.5) {
    await tab.mouse.move(x, y);
    if (await until(tab, expression, 1000).then(() => true, () => false)) return;
  }
  assert.fail(`${expression} never came`);
}

/** Colours in the picture over the bar: how many, and their sum. */
const LOOKED = "((c) => { if (c.hidden) return undefined; const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height); return { width: c.width, height: c.height, colours: new Set(new Uint32Array(data.buffer)).size, sum: data.reduce((a, b) => a + b, 0) }; })(part('thumbnail'))";

test("over the bar there is a picture of the moment under the pointer", { timeout: 60_000 }, async (t) => {
  const tab = await visit(t, "/vod");
  await until(tab, "p.duration > 0");
  const { x, y, width, height } = await tab.locator("tidegate-player [part=seek]").boundingBox();
  const seen = [];
  for (const share of [0.2, 0.8]) {
    await hover(tab, x + share * width, y + height / 2, `${LOOKED} && ${LOOKED}.sum !== ${seen.at(-1)?.sum ?? 0}`);
    seen.push(await ask(tab, LOOKED));
    const { colours, width: across, height: down } = seen.at(-1);
    assert.ok(colours > 50, `${colours} colours`);
    assert.ok(Math.abs(across / down - 16 / 9) < 0.02);
  }
  if (process.env.TIDEGATE_OUTPUT) await tab.screenshot({ path: join(process.env.TIDEGATE_OUTPUT, "thumbnail.png") });
  // The pieces that a page gives come first.
  await tab.evaluate(() => {
    const track = Object.assign(document.createElement("track"), { kind: "metadata", label: "thumbnails", src: "/thumbnails.vtt", default: true });
    document.getElementById("p").append(track);
  });
  await hover(tab, x + 0.5 * width, y + height / 2, `${LOOKED}?.colours === 1`);
  // Red, as the right half of the picture is: 255 of red and of alpha at each place.
  const { width: across, height: down, sum } = await ask(tab, LOOKED);
  assert.equal(sum, across * down * 510);
});

test("the bar shows how things are, and does what its buttons say", { timeout: 90_000 }, async (t) => {
  const tab = await visit(t, "/vod");
  await until(tab, "p.currentTime > 1");
  assert.equal(await ask(tab, "part('play').getAttribute('aria-label')"), "Pause");
  await ask(tab, "part('play').click()");
  await until(tab, "p.paused && part('play').getAttribute('aria-label') === 'Play' && !part('big-play').hidden");
  await ask(tab, "part('big-play').click()");
  await until(tab, "!p.paused && part('big-play').hidden");
  await ask(tab, "part('mute').click()");
  await until(tab, "!p.muted && part('mute').getAttribute('aria-label') === 'Mute'");
  assert.ok(/^0:\d\d \/ 1:00$/.test(await ask(tab, "part('time').textContent")));
  await ask(tab, "part('captions').click()");
  await until(tab, "p.textTracks[0].mode === 'showing' && part('captions').getAttribute('aria-pressed') === 'true'");
  await ask(tab, "part('settings').click()");
  await until(tab, "part('menu')");
  const items = await ask(tab, "[...part('menu').querySelectorAll('[role=menuitemradio]')].map((item) => item.textContent)");
  for (const name of ["360p", "180p", "English", "Deutsch", "Off", "1×", "150%"]) assert.ok(items.includes(name), `${name} in ${items}`);
  await ask(tab, "[...part('menu').querySelectorAll('button')].find((item) => item.textContent === '180p').click()");
  await until(tab, "!part('menu') && p.videoRenditions.selectedIndex === 0");
});

test("keys do what people expect of them", { timeout: 90_000 }, async (t) => {
  const tab = await visit(t, "/vod");
  await until(tab, "p.currentTime > 6");
  await tab.focus("#p");
  await tab.keyboard.press("k");
  await until(tab, "p.paused");
  const at = await ask(tab, "p.currentTime");
  await tab.keyboard.press("ArrowLeft");
  await until(tab, `Math.abs(p.currentTime - ${at - 5}) < .1`);
  await tab.keyboard.press("ArrowRight");
  await until(tab, `Math.abs(p.currentTime - ${at}) < .1`);
  await tab.keyboard.press(" ");
  await until(tab, "!p.paused");
  await tab.keyboard.press("m");
  await until(tab, "!p.muted");
  await tab.keyboard.press("ArrowDown");
  await until(tab, "Math.abs(p.volume - .95) < .01");
  await tab.keyboard.press("c");
  await until(tab, "p.textTracks[0].mode === 'showing'");
  await tab.keyboard.press("f");
  await until(tab, "document.fullscreenElement === p");
  await tab.keyboard.press("f");
  await until(tab, "document.fullscreenElement === null");
  await tab.keyboard.press("w");
  await until(tab, "part('why') && part('why').textContent.includes('Network')");
  await tab.keyboard.press("Escape");
  await until(tab, "!part('why')");
  // Through the bar with Tab, and through the menu with arrows.
  await ask(tab, "part('settings').focus()");
  await tab.keyboard.press("Enter");
  await until(tab, "part('menu')");
  await tab.keyboard.press("ArrowDown");
  await tab.keyboard.press("Enter");
  await until(tab, "p.videoRenditions.selectedIndex === 1");
});

test("the live button says whether it is live, and leads back there", { timeout: 90_000 }, async (t) => {
  const tab = await visit(t, "/live");
  await until(tab, "p.currentTime > 1 && part('live').dataset.state === 'live'");
  assert.equal(await ask(tab, "part('live').getAttribute('aria-label')"), "Live");
  await until(tab, "/^\\d+\\.\\d s$/.test(part('latency').textContent)");
  await ask(tab, "(p.currentTime = 3, 0)");
  await until(tab, "part('live').dataset.state === 'behind' && /^Go to live, \\d:\\d\\d behind$/.test(part('live').getAttribute('aria-label'))");
  await until(tab, "/^−0:\\d\\d$/.test(part('time').textContent)");
  await ask(tab, "part('live').click()");
  await until(tab, "part('live').dataset.state === 'live'");
});

test("what cannot be played is said in plain words, with a way on", { timeout: 60_000 }, async (t) => {
  const tab = await visit(t, "/broken");
  await until(tab, "part('notice').textContent.includes('There is no stream at this address.')");
  assert.deepEqual(await violations(tab), []);
  await ask(tab, "(p.setAttribute('src', '/vod/index.m3u8'), 0)");
  await until(tab, "part('notice').hidden && p.currentTime > .5");
});

test("axe finds nothing against WCAG 2.2 AA: playing, with the menu, with the panel, light and dark, live and not", { timeout: 120_000 }, async (t) => {
  for (const [path, colorScheme] of [["/vod", "light"], ["/live", "dark"]]) {
    const tab = await visit(t, path, { colorScheme });
    await until(tab, "p.currentTime > .5");
    await tab.mouse.move(300, 200);
    assert.deepEqual(await violations(tab), [], path);
    await ask(tab, "part('settings').click()");
    await until(tab, "part('menu')");
    assert.deepEqual(await violations(tab), [], `${path} with the menu`);
    await ask(tab, "part('why-item').click()");
    await until(tab, "part('why')?.querySelector('svg')");
    assert.deepEqual(await violations(tab), [], `${path} with the panel`);
  }
});

test("the language is that of the page, and its direction too", { timeout: 60_000 }, async (t) => {
  const arabic = await visit(t, "/ar");
  assert.equal(await ask(arabic, "part('play').getAttribute('aria-label') === 'تشغيل' || part('play').getAttribute('aria-label') === 'إيقاف مؤقت'"), true);
  assert.equal(await ask(arabic, "getComputedStyle(part('row')).direction"), "rtl");
  assert.ok(await ask(arabic, "part('play').getBoundingClientRect().left > part('fullscreen').getBoundingClientRect().left"));
  const german = await visit(t, "/de");
  assert.equal(await ask(german, "part('play').getAttribute('aria-label')"), "Wiedergeben");
  const sizes = await ask(german, "[...p.shadowRoot.querySelectorAll('[part=row] button')].filter((one) => !one.hidden).map((one) => Math.min(one.offsetWidth, one.offsetHeight))");
  assert.ok(sizes.every((size) => size >= 24), `${sizes}`);
});

test("every language has every word, and places for the same values", async () => {
  const source = readFileSync(new URL("../../player-wasm/element/src/controls/words.ts", import.meta.url), "utf8");
  const texts = [...source.matchAll(/^ {2}(\w\w): "(.*)",$/gm)];
  assert.ok(texts.length >= 6);
  const [, , english] = texts[0];
  const places = (text) => text.split("|").map((word) => (word.match(/\{\w\}/g) ?? []).sort().join());
  for (const [, language, text] of texts) assert.deepEqual(places(text), places(english), language);
});
