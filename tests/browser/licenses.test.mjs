// Media under keys of others: the browser's own clear keys open it, and licences are asked for as key systems want it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { open } from "./chromium.mjs";
import { KEY, KEY_ID, encrypted, serveContent } from "./content.mjs";
import { ask, until, visit as visitPage } from "./visit.mjs";

const dist = fileURLToPath(new URL("../../player-wasm/element/dist/", import.meta.url));
const element = (script) => `<!doctype html><html lang="en"><title>x</title><script type="module" src="/player/tidegate-player.js"></script>
<tidegate-player id="p" controls muted autoplay style="width:480px;height:270px"></tidegate-player><script type="module">
const p = document.getElementById("p");
addEventListener("error", () => {});
p.addEventListener("playbackerror", (event) => { event.preventDefault(); globalThis.refused = [event.detail.reason, String(event.detail.cause)]; });
${script}
p.src = "/encrypted/index.m3u8";</script>`;
/** A key system that says what it is given, and asks what PlayReady asks: XML in UTF-16. */
const PLAYREADY = `
const session = new EventTarget();
Object.assign(session, {
  keyStatuses: new Map(),
  close: async () => {},
  update: async (answer) => { globalThis.answered = new TextDecoder().decode(answer); },
  async generateRequest(type) {
    const xml = '<PlayReadyKeyMessage><LicenseAcquisition><Challenge encoding="base64encoded">' + btoa("a challenge") + '</Challenge><HttpHeaders><HttpHeader><name>SOAPAction</name><value>acquire</value></HttpHeader></HttpHeaders></LicenseAcquisition></PlayReadyKeyMessage>';
    const message = Uint16Array.from(xml, (one) => one.charCodeAt(0)).buffer;
    this.dispatchEvent(Object.assign(new Event("message"), { message, messageType: "license-request" }));
  },
});
navigator.requestMediaKeySystemAccess = async (name, wanted) => {
  if (name !== "com.microsoft.playready.recommendation") throw new Error("not here");
  globalThis.wanted = wanted;
  return { createMediaKeys: async () => ({ createSession: () => session, setServerCertificate: async () => true }) };
};
// Only once there are keys does media come, whose init data the element tells of.
HTMLMediaElement.prototype.setMediaKeys = async function () {
  setTimeout(() => this.dispatchEvent(Object.assign(new Event("encrypted"), { initDataType: "cenc", initData: new Uint8Array([1, 2, 3]).buffer })));
};
p.keySystems = {
  "com.widevine.alpha": { licenseUrl: "/none" },
  "com.microsoft.playready.recommendation": { licenseUrl: "/license", headers: { "x-token": "t" }, robustness: { video: "3000" } },
};`;

let browser, site;
const asked = [];

before(async () => {
  const keys = JSON.stringify({ "org.w3.clearkey": { keys: { [KEY_ID]: KEY } } });
  const wrong = JSON.stringify({ "org.w3.clearkey": { keys: { [KEY_ID.replace(/^../, "ff")]: KEY } } });
  site = await serveContent({
    folders: { "/player/": dist, "/encrypted/": encrypted() },
    pages: {
      "/favicon.ico": { type: "image/x-icon", body: "" },
      "/keys": element(`p.keySystems = ${keys};`),
      "/hook": element(`p.keySystems = { "org.example.none": {}, "org.w3.clearkey": { async license({ keySystem, message, messageType }) {
        globalThis.request = { keySystem, messageType, kids: JSON.parse(new TextDecoder().decode(message)).kids };
        const kid = request.kids[0], k = "${Buffer.from(KEY, "hex").toString("base64url")}";
        return new TextEncoder().encode(JSON.stringify({ keys: [{ kty: "oct", kid, k }], type: "temporary" }));
      } } };`),
      "/refused": element(`p.keySystems = { "org.w3.clearkey": { licenseUrl: "/forbidden" } };`),
      "/none": element(`p.keySystems = { "org.example.none": {} };`),
      "/unsaid": element(""),
      "/later": element(`setTimeout(() => { p.keySystems = ${keys}; }, 1500);`),
      "/wrong": element(`p.keySystems = ${wrong};`),
      "/playready": element(PLAYREADY),
    },
    posted: (path, headers, body) => (asked.push({ path, headers, body }), path === "/forbidden" ? 403 : 200),
  });
  browser = await open();
}, { timeout: 120_000 });

after(async () => {
  await browser?.close();
  site?.close();
});

const visit = (t, path) => visitPage(t, browser, site.origin + path, { expected: /Failed to load resource/ });

test("keys that a page has open a stream", { timeout: 60_000 }, async (t) => {
  const page = await visit(t, "/keys");
  await until(page, "p.currentTime > 1 && p.video.getVideoPlaybackQuality().totalVideoFrames > 10");
  assert.equal(await ask(page, "p.status"), "playing");
});

test("a page asks for licences in its own way, of the first key system that the browser has", { timeout: 60_000 }, async (t) => {
  const page = await visit(t, "/hook");
  await until(page, "p.currentTime > 1");
  const request = await ask(page, "globalThis.request");
  assert.deepEqual(request, { keySystem: "org.w3.clearkey", messageType: "license-request", kids: [Buffer.from(KEY_ID, "hex").toString("base64url")] });
});

test("keys may come after the address", { timeout: 60_000 }, async (t) => {
  const page = await visit(t, "/later");
  await until(page, "p.currentTime > 1");
});

test("a licence that is refused, key systems that are not there and keys that nobody names are errors with a reason", { timeout: 60_000 }, async (t) => {
  for (const [path, reason, why] of [["/refused", "license", /403/], ["/none", "license", /org\.example\.none/], ["/unsaid", "protected", /undefined/], ["/wrong", "license", /no licence has the key/]]) {
    const page = await visit(t, path);
    await until(page, "globalThis.refused");
    const [told, cause] = await ask(page, "globalThis.refused");
    assert.equal(told, reason);
    assert.match(cause, why);
    assert.equal(await ask(page, "p.status"), "error");
    assert.ok(await ask(page, "p.shadowRoot.textContent.length > 0"));
  }
  assert.equal(asked.filter(({ path }) => path === "/forbidden").length, 1, "a refusal is not asked for again");
});

test("what PlayReady wraps is unwrapped, and sent with its headers and those of the page", { timeout: 60_000 }, async (t) => {
  const page = await visit(t, "/playready");
  await until(page, "globalThis.answered !== undefined");
  const { headers, body } = asked.find(({ path }) => path === "/license");
  assert.equal(body.toString(), "a challenge");
  assert.equal(headers["soapaction"], "acquire");
  assert.equal(headers["x-token"], "t");
  const [wanted] = await ask(page, "globalThis.wanted");
  assert.deepEqual(wanted.videoCapabilities.map(({ robustness }) => robustness), ["3000"]);
  assert.equal(wanted.audioCapabilities, undefined);
});
