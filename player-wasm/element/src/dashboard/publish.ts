// Stream keys, and what has to be set in an encoder.

import type { Page } from "../dashboard.js";
import { type Api, type Fields, items, object, text, time } from "./api.js";
import { confirmed, copyRow, dialog, h } from "./dom.js";
import { qr } from "./qr.js";
import { date } from "./say.js";

/** Where encoders connect, as the server has written it into the page. */
function rtmp(): string {
  try {
    const place = object(JSON.parse(document.getElementById("place")?.textContent ?? ""));
    return text(place["rtmp"]);
  } catch {
    return "";
  }
}

export async function publish(api: Api, id: string): Promise<Page> {
  const path = `streams/${encodeURIComponent(id)}/keys`;
  const server = rtmp() || "rtmp://<address of your worker>:1935/live";
  const list = h("ul", { class: "plain" });
  const load = async (): Promise<void> => {
    const keys = items(object(await api.get(path))["items"]).map((key) => row(api, path, object(key), server, () => void load()));
    list.replaceChildren(...(keys.length > 0 ? keys : [h("li", { class: "soft" }, "There is no key yet: nobody can publish.")]));
  };
  await load();
  const name = h("input", { id: "key-name", maxlength: 40, placeholder: "as OBS in the studio" });
  const make = async (event: Event): Promise<void> => {
    event.preventDefault();
    const made = object((await api.ask("POST", path, name.value ? { name: name.value } : {}, { "idempotency-key": crypto.randomUUID() })).body);
    name.value = "";
    await load();
    once(server, text(made["key"]));
  };
  const settings: [string, string][] = [
    ["Service", "Custom…"],
    ["Server", server],
    ["Stream key", "the key that is made above"],
    ["Encoder", "x264 or the graphics card's H.264, and AAC"],
    ["Rate control", "CBR, 4,500 kbit/s for 1080p30, 2,500 for 720p30"],
    ["Keyframe interval", "2 s"],
    ["Preset, tune", "veryfast, zerolatency"],
  ];
  const node = h(
    "div",
    { class: "two even" },
    h(
      "section",
      { class: "card" },
      h("h2", {}, "Stream keys"),
      h("p", { class: "soft" }, "Whoever has a key can publish this stream. Each is shown once, when it is made."),
      list,
      h("form", { class: "row", onsubmit: (event) => void make(event) }, h("label", { for: "key-name", class: "hidden" }, "Name of the key"), name, h("button", { class: "button first", type: "submit" }, "New key")),
    ),
    h(
      "section",
      { class: "card" },
      h("h2", {}, "Settings in OBS"),
      h("dl", { class: "facts" }, ...settings.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
      h("h3", {}, "Or with ffmpeg"),
      h("div", { class: "copies" }, copyRow("ffmpeg", `ffmpeg -re -i film.mp4 -c:v libx264 -preset veryfast -tune zerolatency -b:v 4500k -g 60 -c:a aac -b:a 128k -f flv ${server}/STREAM_KEY`)),
    ),
  );
  return { node };
}

function row(api: Api, path: string, key: Fields, server: string, changed: () => void): HTMLElement {
  const id = text(key["id"]);
  const [made, expires] = [time(key["created"]), time(key["expires"])];
  const address = `${path}/${encodeURIComponent(id)}`;
  const rotate = async (): Promise<void> => {
    if (!(await confirmed("Replace this key?", "The old one opens nothing from then on; what is being published goes on.", "Replace"))) return;
    const now = object((await api.ask("POST", `${address}/rotate`)).body);
    changed();
    once(server, text(now["key"]));
  };
  const revoke = async (): Promise<void> => {
    if (!(await confirmed("Revoke this key?", "Nobody can publish with it any more.", "Revoke"))) return;
    await api.ask("DELETE", address);
    changed();
  };
  return h(
    "li",
    { class: "line" },
    h("span", {}, h("strong", {}, text(key["name"]) || "Key"), h("small", {}, made && `made ${date(made)}`, expires && `, until ${date(expires)}`)),
    h("span", { class: "actions" }, h("button", { class: "button small", type: "button", onclick: () => void rotate() }, "Replace"), h("button", { class: "button small danger", type: "button", onclick: () => void revoke() }, "Revoke")),
  );
}

/** A key that is shown now and never again. */
function once(server: string, key: string): void {
  dialog("Your stream key", h("p", { class: "soft" }, "Copy it now: it is shown only this once."), h("div", { class: "copies" }, copyRow("Server", server), copyRow("Stream key", key)), qr(`${server}/${key}`, "The same as one address, for an app on a phone that publishes by RTMP."));
}
