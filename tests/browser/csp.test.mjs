// Pages with a strict policy: the player runs in JavaScript where WebAssembly is forbidden, and needs nothing else of the page.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { open } from "./chromium.mjs";
import { serveContent } from "./content.mjs";

const dist = fileURLToPath(new URL("../../player-wasm/element/dist/", import.meta.url));
const sri = `sha384-${createHash("sha384").update(readFileSync(`${dist}tidegate-player.js`)).digest("base64")}`;
const body = (integrity = sri) => `<!doctype html><html lang="en"><title>x</title><script type="module" src="/player/tidegate-player.js" integrity="${integrity}" crossorigin></script>
<tidegate-player id="p" src="/vod/index.m3u8" muted autoplay controls></tidegate-player>`;
const POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; media-src blob:; img-src 'self'; style-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'";
const policed = (policy, text = body()) => ({ type: "text/html; charset=utf-8", body: text, headers: { "content-security-policy": policy } });

let browser, site;

before(async () => {
  site = await serveContent({
    folders: { "/player/": dist },
    pages: {
      "/favicon.ico": { type: "image/x-icon", body: "" },
      "/strict": policed(POLICY.replace("; require-trusted-types-for 'script'; trusted-types 'none'", "")),
      "/wasm": policed(POLICY.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'")),
      "/tampered": policed(POLICY, body(sri.replace(/.{8}$/, "AAAAAAA="))),
    },
  });
  browser = await open();
}, { timeout: 120_000 });

after(async () => {
  await browser?.close();
  site?.close();
});

/** Opens a page, and gathers what the policy stopped. */
async function visit(t, path) {
  const tab = await browser.newPage();
  t.after(() => tab.close());
  await tab.addInitScript(() => {
    globalThis.stopped = [];
    document.addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) => stopped.push(`${effectiveDirective} ${blockedURI}`));
  });
  await tab.goto(site.origin + path);
  return tab;
}
const plays = (tab) => tab.waitForFunction(() => document.getElementById("p").currentTime > 2, undefined, { timeout: 60_000, polling: 100 });

test("where WebAssembly is forbidden the engine runs as JavaScript, and decides", { timeout: 120_000 }, async (t) => {
  const tab = await visit(t, "/strict");
  await plays(tab);
  assert.equal(await tab.evaluate(() => import("/player/tidegate-player.js").then((module) => module.engineKind())), "script");
  assert.ok((await tab.evaluate(() => document.getElementById("p").decisions().length)) > 1);
  assert.ok(!site.asked.includes("/player/tidegate_player.wasm"));
  // Asking for WebAssembly is how it is found out that it is forbidden.
  assert.deepEqual((await tab.evaluate(() => stopped)).filter((one) => !one.startsWith("script-src wasm-eval")), []);
});

test("where it is allowed nothing else is needed, trusted types included", { timeout: 120_000 }, async (t) => {
  const before = site.asked.length;
  const tab = await visit(t, "/wasm");
  await plays(tab);
  assert.equal(await tab.evaluate(() => import("/player/tidegate-player.js").then((module) => module.engineKind())), "wasm");
  assert.ok(!site.asked.slice(before).includes("/player/tidegate-engine.js"));
  await tab.evaluate(() => document.getElementById("p").shadowRoot.querySelector("[part~=settings]").click());
  assert.deepEqual(await tab.evaluate(() => stopped), []);
});

test("a script with another hash does not run", { timeout: 60_000 }, async (t) => {
  const tab = await visit(t, "/tampered");
  await tab.waitForTimeout(500);
  assert.equal(await tab.evaluate(() => customElements.get("tidegate-player") === undefined), true);
});

test("both engines say the same to the same", async () => {
  const wasm = (await WebAssembly.instantiate(readFileSync(`${dist}tidegate_player.wasm`))).instance.exports;
  await import(new URL("../../player-wasm/element/dist/tidegate-engine.js", import.meta.url));
  const script = globalThis.__tidegateEngine();
  const encoder = new TextEncoder();
  const list = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360,CODECS=\"avc1.4d401e\"\na.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=2900000,RESOLUTION=1280x720,CODECS=\"avc1.4d401f\"\nb.m3u8\n";
  const media = `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI="i.mp4"\n${Array.from({ length: 40 }, (_, at) => `#EXTINF:2,\n${at}.m4s\n`).join("")}#EXT-X-ENDLIST\n`;
  const said = [wasm, script].map((engine) => {
    const log = [];
    let now = 0;
    const tell = (code, first, second, ...numbers) => {
      const [head, rest] = [encoder.encode(first), encoder.encode(second)];
      const at = engine.reserve(head.length + rest.length);
      new Uint8Array(engine.memory.buffer, at).set(head);
      new Uint8Array(engine.memory.buffer, at + head.length).set(rest);
      engine.handle(code, now, head.length, ...numbers, NaN, NaN, NaN, NaN);
    };
    engine.begin(1.7e12, NaN, NaN);
    tell(1, "http://h/x/index.m3u8", "");
    for (let step = 0; step < 400; step++) {
      for (let code; (code = engine.poll()); ) {
        const numbers = [...new Float64Array(engine.memory.buffer, engine.numbers(), 5)];
        const text = new TextDecoder().decode(new Uint8Array(engine.memory.buffer, engine.out(), engine.out_len()).slice());
        log.push([code, numbers, text]);
        if (code === 1) tell(2, text.trim(), text.includes("index") ? list : media, numbers[0]);
        else if (code === 2) tell(3, "\0".repeat(64), "", numbers[0], 90_000 + 7_000 * (step % 13), 20, 60 + (step % 17) * 9);
        else if (code === 4) tell(6, "", "", 1);
        else if (code === 5) tell(7, "", "", numbers[1]);
      }
      now += 100;
      tell(10, "", "", Math.max(0, now / 1000 - 1), step < 12 ? 4 : 0);
      engine.idle(50);
    }
    const count = engine.ask(1, 0);
    log.push([...new Float64Array(engine.memory.buffer, engine.numbers(), count)]);
    return log;
  });
  assert.ok(said[0].length > 20 && said[0].at(-1).length > 100);
  assert.deepEqual(said[1], said[0]);
});
