// Small streams for tests of the player, made once by ffmpeg: two rungs, two kinds of sound, captions; as a recording, encrypted,
// and live.
import { createCipheriv } from "node:crypto";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { homedir, tmpdir } from "node:os";
import { extname, join } from "node:path";

const SECONDS = 60;
const SEGMENT_S = 2;
/** Changes with what is made, so that an older cache is not taken. */
const VERSION = 10;
const TYPES = { ".m3u8": "application/vnd.apple.mpegurl", ".m4s": "video/mp4", ".mp4": "video/mp4", ".vtt": "text/vtt", ".mpd": "application/dash+xml", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".html": "text/html; charset=utf-8", ".css": "text/css", ".json": "application/json" };
const tools = process.env.TIDEGATE_TOOLS ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "tidegate", "tools");
export const ffmpeg = [join(tools, "bin", "ffmpeg"), "/usr/bin/ffmpeg"].find(existsSync) ?? "ffmpeg";

/** The folder with the streams. */
export function content() {
  const folder = join(tmpdir(), `tidegate-content-${VERSION}-${process.getuid?.() ?? 0}`);
  if (existsSync(folder)) return folder;
  const made = mkdtempSync(join(tmpdir(), "tidegate-content-"));
  const run = (...args) => execFileSync(ffmpeg, ["-v", "error", "-y", ...args], { cwd: made });
  const source = ["-f", "lavfi", "-i", `testsrc2=size=640x360:rate=15:duration=${SECONDS}`];
  const hls = ["-f", "hls", "-hls_time", String(SEGMENT_S), "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4"];
  const rungs = [["low", "320x180", "150k"], ["high", "640x360", "600k"]];
  for (const [name, size, rate] of rungs) {
    mkdirSync(join(made, name));
    // The higher rung is one file of byte ranges.
    const shape = name === "high" ? ["-hls_flags", "single_file"] : ["-hls_segment_filename", `${name}/%d.m4s`, "-hls_fmp4_init_filename", "init.mp4"];
    run(...source, "-s", size, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-profile:v", "baseline", "-b:v", rate, "-maxrate", rate, "-bufsize", rate, "-g", String(15 * SEGMENT_S), "-sc_threshold", "0", ...hls, ...shape, `${name}/index.m3u8`);
  }
  // The same pictures in files of their own, for players that are given DASH.
  mkdirSync(join(made, "tall"));
  run("-i", "high/index.m3u8", "-c", "copy", ...hls, "-hls_segment_filename", "tall/%d.m4s", "-hls_fmp4_init_filename", "init.mp4", "tall/index.m3u8");
  // And in one file with an index.
  run("-i", "low/index.m3u8", "-c", "copy", "-f", "mp4", "-movflags", "+dash+global_sidx+frag_keyframe+empty_moov", "indexed.mp4");
  for (const [name, hertz] of [["en", 220], ["de", 440]]) {
    mkdirSync(join(made, name));
    run("-f", "lavfi", "-i", `sine=frequency=${hertz}:sample_rate=48000:duration=${SECONDS}`, "-c:a", "aac", "-b:a", "64k", ...hls, "-hls_segment_filename", `${name}/%d.m4s`, "-hls_fmp4_init_filename", "init.mp4", `${name}/index.m3u8`);
  }
  // Four seconds for another decoder.
  mkdirSync(join(made, "other"));
  run("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=15:duration=4", "-c:v", "libsvtav1", "-preset", "12", "-pix_fmt", "yuv420p", "-g", String(15 * SEGMENT_S), "-svtav1-params", "scd=0", ...hls, "-hls_segment_filename", "other/%d.m4s", "-hls_fmp4_init_filename", "init.mp4", "other/index.m3u8");
  captions(made);
  embedded(made);
  keyFrames(made);
  told(made);
  chunked(made);
  writeFileSync(join(made, "index.m3u8"), multivariant(""));
  encrypt(made);
  try {
    renameSync(made, folder);
  } catch {
    // Another test was quicker.
  }
  return folder;
}

function multivariant(prefix) {
  const media = (type, group, name, language, uri, more) => `#EXT-X-MEDIA:TYPE=${type},GROUP-ID="${group}",NAME="${name}",LANGUAGE="${language}",AUTOSELECT=YES${more},URI="${prefix}${uri}"`;
  const variant = (bandwidth, size, name, codec) => `#EXT-X-STREAM-INF:BANDWIDTH=${bandwidth},CODECS="${codec},mp4a.40.2",RESOLUTION=${size},FRAME-RATE=15.000,AUDIO="sound",SUBTITLES="text"\n${prefix}${name}/index.m3u8`;
  return ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS",
    media("AUDIO", "sound", "English", "en", "en/index.m3u8", ",DEFAULT=YES"), media("AUDIO", "sound", "Deutsch", "de", "de/index.m3u8", ""),
    media("SUBTITLES", "text", "English", "en", "text/index.m3u8", ',CHARACTERISTICS="public.accessibility.describes-music-and-sound"'),
    variant(260_000, "320x180", "low", "avc1.42c00d"), variant(760_000, "640x360", "high", "avc1.42c01e"),
    `#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=150000,CODECS="avc1.42c00d",RESOLUTION=320x180,URI="${prefix}low/iframes.m3u8"`, ""].join("\n");
}

/** What each second of the captions inside pictures says. */
export const spoken = (second) => `SECOND ${second}`;
/** The same as a service says it. */
export const served = (second) => `Zweite ${second} ♪`.replace("♪", "\x7f");

/** The lower rung's pictures once more, with captions inside them (CTA-608, "pop-on", and a service of CTA-708): at each second one that says which it is. */
function embedded(made) {
  mkdirSync(join(made, "spoken"));
  execFileSync(ffmpeg, ["-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=15:duration=20", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-profile:v", "baseline", "-g", "30", "-sc_threshold", "0", "-x264-params", "aud=1:annexb=1", "plain.h264"], { cwd: made });
  const plain = readFileSync(join(made, "plain.h264"));
  const starts = [];
  for (let at = plain.indexOf("00000001", 0, "hex"); at >= 0; at = plain.indexOf("00000001", at + 4, "hex")) starts.push(at);
  const [pairs, packets] = [pairsOf(20, 15), packetsOf(20, 15)];
  let frame = 0;
  const units = starts.flatMap((at, n) => {
    const unit = plain.subarray(at, starts[n + 1]);
    // Behind the delimiter of a picture, in front of all else of it.
    return (unit[4] & 31) === 9 ? [unit, sei(pairs[frame] ?? [0x80, 0x80], packets[frame++] ?? [])] : [unit];
  });
  writeFileSync(join(made, "spoken.h264"), Buffer.concat(units));
  execFileSync(ffmpeg, ["-v", "error", "-y", "-framerate", "15", "-i", "spoken.h264", "-c", "copy", "-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4", "-hls_segment_filename", "spoken/%d.m4s", "-hls_fmp4_init_filename", "init.mp4", "spoken/only.m3u8"], { cwd: made });
  writeFileSync(join(made, "spoken", "index.m3u8"), '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=260000,CODECS="avc1.42c00d",RESOLUTION=320x180\nonly.m3u8\n');
}

/** Two bytes of captions for each picture: a text is loaded during a second, and shown when the next one begins. */
function pairsOf(seconds, rate) {
  const odd = (byte) => (byte.toString(2).replaceAll("0", "").length % 2 ? byte : byte | 0x80);
  return Array.from({ length: seconds }, (_, second) => {
    const text = spoken(second + 1).padEnd(10).slice(0, 10);
    // Begin with an empty screen of one's own, row 15, the text; the screen is turned over at the start of the next second.
    const load = [[0x14, 0x20], [0x14, 0x2e], [0x14, 0x70], ...(text.match(/../g) ?? []).map((two) => [two.charCodeAt(0), two.charCodeAt(1)])];
    const whole = [[0x14, 0x2f], ...load];
    return [...whole, ...Array.from({ length: rate - whole.length }, () => [0, 0])].map((pair) => pair.map(odd));
  }).flat();
}

/** What each picture has of service 1: with the first of each second a packet that writes it into a window at the top. */
function packetsOf(seconds, rate) {
  const first = (second) => {
    // Window 0 with one row, to be seen; it is emptied and written anew (CTA-708-E, 8.10.5).
    const block = [0x98, 0x20, 10, 105, 0x10, 31, 0, 0x88, 0x01, ...Buffer.from(served(second))];
    const packet = [0, (1 << 5) | block.length, ...block];
    if (packet.length % 2) packet.push(0);
    packet[0] = packet.length / 2;
    return packet;
  };
  return Array.from({ length: seconds * rate }, (_, frame) => (frame % rate ? [] : first(frame / rate)));
}

/** A message in the stream of pictures with one pair of caption bytes and a packet of services (ATSC A/53 part 4, 6.2.3). */
function sei([a, b], packet) {
  const services = Array.from({ length: packet.length / 2 }, (_, n) => [n ? 0xfe : 0xff, packet[2 * n], packet[2 * n + 1]]).flat();
  const data = [0xb5, 0x00, 0x31, 0x47, 0x41, 0x39, 0x34, 0x03, 0x41 + services.length / 3, 0xff, 0xfc, a, b, ...services, 0xff];
  const escaped = [];
  for (const byte of [4, data.length, ...data, 0x80]) {
    if (byte < 4 && escaped.at(-1) === 0 && escaped.at(-2) === 0) escaped.push(3);
    escaped.push(byte);
  }
  return Buffer.from([0, 0, 0, 1, 6, ...escaped]);
}

/** The segments of the lower rung by their key frames: all of each file, in which the key frame is first. */
function keyFrames(made) {
  const list = readFileSync(join(made, "low", "index.m3u8"), "utf8").replace("#EXT-X-TARGETDURATION", "#EXT-X-I-FRAMES-ONLY\n#EXT-X-TARGETDURATION");
  const ranges = list.replace(/^(.*\.m4s)$/gm, (name) => `#EXT-X-BYTERANGE:${readFileSync(join(made, "low", name)).length}@0\n${name}`);
  writeFileSync(join(made, "low", "iframes.m3u8"), ranges);
}

/** The lower rung once more, with a message in front of each segment that is meant a second later: of version 0 and 1 by turns. */
function told(made) {
  mkdirSync(join(made, "told"));
  const number = (value, bytes = 4) => Buffer.from(BigInt(value).toString(16).padStart(2 * bytes, "0"), "hex");
  const text = (value) => Buffer.from(`${value}\0`);
  const list = readFileSync(join(made, "low", "index.m3u8"), "utf8");
  for (let at = 0; existsSync(join(made, "low", `${at}.m4s`)); at++) {
    // ID3 has texts in UTF-8, and in UTF-16 that says its own order of bytes.
    const wide = (value) => Buffer.from(`\ufeff${value}`, "utf16le").swap16();
    const frame = at % 2 === 0
      ? Buffer.concat([Buffer.from([3]), text("where"), Buffer.from(`<b>segment</b> ${at}`)])
      : Buffer.concat([Buffer.from([1]), wide("where\0"), wide(`<b>segment</b> ${at}`)]);
    const tag = Buffer.concat([Buffer.from("ID3\x04\0\0\0\0\0"), Buffer.from([frame.length + 10]), Buffer.from("TXXX"), number(frame.length), number(0, 2), frame]);
    const names = [text("https://aomedia.org/emsg/ID3"), text("test")];
    const fields = at % 2 === 0
      ? [number(0), ...names, number(1000), number(1000), number(500), number(at)]
      : [number(0x0100_0000), number(1000), number((SEGMENT_S * at + 1) * 1000, 8), number(0xffff_ffff), number(at), ...names];
    const body = Buffer.concat([...fields, tag]);
    writeFileSync(join(made, "told", `${at}.m4s`), Buffer.concat([number(body.length + 8), Buffer.from("emsg"), body, readFileSync(join(made, "low", `${at}.m4s`))]));
  }
  writeFileSync(join(made, "told", "init.mp4"), readFileSync(join(made, "low", "init.mp4")));
  writeFileSync(join(made, "told", "only.m3u8"), list);
  writeFileSync(join(made, "told", "index.m3u8"), '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=260000,CODECS="avc1.42c00d",RESOLUTION=320x180\nonly.m3u8\n');
}

/** Two rungs and a sound in segments of four chunks, as they come from a server that sends them while they are made; the first is number 1. */
function chunked(made) {
  for (const name of ["low", "tall", "en"]) {
    mkdirSync(join(made, "chunked", name), { recursive: true });
    execFileSync(ffmpeg, ["-v", "error", "-y", "-i", join(made, name, "index.m3u8"), "-c", "copy", "-f", "dash", "-seg_duration", String(SEGMENT_S), "-frag_type", "duration", "-frag_duration", "0.5", "-use_timeline", "0", "-streaming", "1", "-ldash", "1",
      "-init_seg_name", "init.mp4", "-media_seg_name", "$Number$.m4s", "all.mpd"], { cwd: join(made, "chunked", name) });
  }
}

/** The chunks of a segment, each with what stands in front of it. */
export function chunksOf(bytes) {
  const chunks = [];
  for (let [at, from] = [0, 0]; at + 8 <= bytes.length; ) {
    const end = at + bytes.readUInt32BE(at);
    if (bytes.toString("latin1", at + 4, at + 8) === "mdat") {
      chunks.push(bytes.subarray(from, end));
      from = end;
    }
    at = end;
  }
  return chunks;
}

/** A cue a second that says which one it is. */
function captions(made) {
  mkdirSync(join(made, "text"));
  const time = (s) => `00:${String(Math.floor(s / 60)).padStart(2, "0")}:${String(s % 60).padStart(2, "0")}.000`;
  let list = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n";
  for (let start = 0; start < SECONDS; start += 4) {
    const cues = [0, 1, 2, 3].map((n) => `${time(start + n)} --> ${time(start + n + 1)} line:80%\nsecond <b>${start + n}</b>\n`);
    writeFileSync(join(made, "text", `${start / 4}.vtt`), `WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n${cues.join("\n")}`);
    list += `#EXTINF:4,\n${start / 4}.vtt\n`;
  }
  writeFileSync(join(made, "text", "index.m3u8"), `${list}#EXT-X-ENDLIST\n`);
}

/** The lower rung once more, with AES-128: the first half with a value of its own, the second with that of the number. */
function encrypt(made) {
  mkdirSync(join(made, "locked"));
  const key = Buffer.from("0123456789abcdef");
  const own = Buffer.alloc(16, 7);
  writeFileSync(join(made, "locked", "a.key"), key);
  writeFileSync(join(made, "locked", "init.mp4"), readFileSync(join(made, "low", "init.mp4")));
  const count = readdirSync(join(made, "low")).filter((name) => name.endsWith(".m4s")).length;
  let list = `#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:${SEGMENT_S}\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MAP:URI="init.mp4"\n`;
  for (let at = 0; at < count; at++) {
    const half = at * 2 < count;
    const iv = half ? own : Buffer.from(at.toString(16).padStart(32, "0"), "hex");
    const cipher = createCipheriv("aes-128-cbc", key, iv);
    writeFileSync(join(made, "locked", `${at}.m4s`), Buffer.concat([cipher.update(readFileSync(join(made, "low", `${at}.m4s`))), cipher.final()]));
    if (at === 0) list += `#EXT-X-KEY:METHOD=AES-128,URI="a.key",IV=0x${own.toString("hex")}\n`;
    if (!half && (at - 1) * 2 < count) list += '#EXT-X-KEY:METHOD=AES-128,URI="a.key"\n';
    list += `#EXTINF:${SEGMENT_S},\n${at}.m4s\n`;
  }
  writeFileSync(join(made, "locked", "index.m3u8"), `${list}#EXT-X-ENDLIST\n`);
}

/** Key and its id, in hexadecimal digits, of what `encrypted` makes. */
export const KEY = "00112233445566778899aabbccddeeff";
export const KEY_ID = "a7e61c373e219033c21091fa607bf3b8";
/** Says to a browser that keys are asked for by their ids (W3C, "cenc" Initialization Data Format). */
const COMMON_SYSTEM = Buffer.from("1077efecc0b24d02ace33c1e52e2fb4b", "hex");

/** The folder with eight seconds of pictures under Common Encryption, `cenc`. */
export function encrypted() {
  const folder = join(content(), "encrypted");
  if (existsSync(folder)) return folder;
  const made = mkdtempSync(join(tmpdir(), "tidegate-encrypted-"));
  const file = join(made, "all.mp4");
  execFileSync(ffmpeg, ["-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=15:duration=8", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-profile:v", "baseline", "-g", "30", "-sc_threshold", "0",
    "-encryption_scheme", "cenc-aes-ctr", "-encryption_key", KEY, "-encryption_kid", KEY_ID, "-movflags", "+frag_keyframe+empty_moov+default_base_moof", file]);
  const bytes = readFileSync(file);
  const boxes = [];
  for (let at = 0; at + 8 <= bytes.length; at += bytes.readUInt32BE(at)) boxes.push({ name: bytes.toString("latin1", at + 4, at + 8), bytes: bytes.subarray(at, at + bytes.readUInt32BE(at)) });
  const init = Buffer.concat(boxes.filter(({ name }) => name === "ftyp" || name === "moov").map(({ name, bytes }) => (name === "moov" ? asking(bytes) : bytes)));
  writeFileSync(join(made, "init.mp4"), init);
  let list = '#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MAP:URI="init.mp4"\n#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI="skd://x",KEYFORMAT="urn:uuid:1077efec-c0b2-4d02-ace3-3c1e52e2fb4b"\n';
  boxes.filter(({ name }) => name === "moof").forEach((moof, at) => {
    writeFileSync(join(made, `${at}.m4s`), Buffer.concat([moof.bytes, boxes[boxes.indexOf(moof) + 1].bytes]));
    list += `#EXTINF:2,\n${at}.m4s\n`;
  });
  writeFileSync(join(made, "only.m3u8"), `${list}#EXT-X-ENDLIST\n`);
  writeFileSync(join(made, "index.m3u8"), '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=400000,CODECS="avc1.42c00d",RESOLUTION=320x180\nonly.m3u8\n');
  try {
    renameSync(made, folder);
  } catch {
    // Another test was quicker.
  }
  return folder;
}

/** A `moov` with a `pssh` at its end, which is what browsers wait for before they ask. */
function asking(moov) {
  const pssh = Buffer.concat([Buffer.from([0, 0, 0, 52]), Buffer.from("pssh"), Buffer.from([1, 0, 0, 0]), COMMON_SYSTEM, Buffer.from([0, 0, 0, 1]), Buffer.from(KEY_ID, "hex"), Buffer.from([0, 0, 0, 0])]);
  const larger = Buffer.concat([moov, pssh]);
  larger.writeUInt32BE(larger.length, 0);
  return larger;
}

/** A live playlist of a recording: `begun` s are there at the start, and it goes on until the recording ends. */
function live(list, started, window) {
  const seconds = (Date.now() - started) / 1000;
  const lines = list.split("\n");
  const first = lines.findIndex((line) => line.startsWith("#EXTINF"));
  const head = lines.slice(0, first).filter((line) => line && !/PLAYLIST-TYPE|MEDIA-SEQUENCE/.test(line));
  const segments = [];
  for (const line of lines.slice(first)) {
    if (line.startsWith("#EXTINF")) segments.push([]);
    if (line && line !== "#EXT-X-ENDLIST") segments.at(-1)?.push(line);
  }
  let end = 0;
  const there = segments.filter(([inf]) => (end += Number.parseFloat(inf.slice(8))) <= seconds);
  const from = window ? Math.max(0, there.length - window) : 0;
  const dated = (at) => `#EXT-X-PROGRAM-DATE-TIME:${new Date(started + at * SEGMENT_S * 1000).toISOString()}`;
  return [...head, `#EXT-X-MEDIA-SEQUENCE:${from}`, ...(window ? [] : ["#EXT-X-PLAYLIST-TYPE:EVENT"]),
    ...there.slice(from).flatMap((segment, at) => [dated(from + at), ...segment]), ...(there.length === segments.length ? ["#EXT-X-ENDLIST"] : []), ""].join("\n");
}
/**
 * Serves the streams, `folders` (path to folder) and `pages` (path to text of HTML, or { type, body, headers }; with
 * `endless` that text follows and follows; `sent` then has how many bytes each request for it was given, and whether it was `left`).
 * `/live/<name>/…` begins
 * with so many seconds when it is first asked for; `/window/<name>/…` is live too, with six segments. `broken` answers with a status what it is
 * given the path of; `own` may answer by itself, and says whether it has; `posted` gets path, headers and body of what is posted, and says with what status it is answered (and the body comes back).
 */
export async function serveContent({ folders = {}, pages = {}, begun = 24, broken = () => 0, own = () => false, posted, headers = {} } = {}) {
  const root = content();
  const roots = { "/vod/": root, ...folders };
  const asked = [];
  const sent = [];
  const started = new Map();
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://x");
    asked.push(pathname);
    const send = (status, type, body, more = {}) => response.writeHead(status, { "access-control-allow-origin": "*", "cache-control": "no-store", "content-type": type, ...headers, ...more }).end(body);
    if (request.method === "POST" && posted) {
      const chunks = [];
      return request.on("data", (chunk) => chunks.push(chunk)).on("end", () => {
        const body = Buffer.concat(chunks);
        send(posted(pathname, request.headers, body), "application/octet-stream", body);
      });
    }
    const status = broken(pathname);
    if (status) return send(status, "text/plain", "");
    if (own(pathname, response)) return;
    const page = pages[pathname];
    if (page?.endless) {
      response.writeHead(200, { "access-control-allow-origin": "*", "content-type": page.type });
      response.write(page.body);
      const chunk = Buffer.from(page.endless.repeat(Math.ceil(65_536 / page.endless.length)));
      const given = { pathname, bytes: 0, left: false };
      sent.push(given);
      response.on("close", () => (given.left = true));
      const more = () => { do given.bytes += response.destroyed ? 0 : chunk.length; while (!response.destroyed && response.write(chunk)); };
      return response.on("drain", more) && more();
    }
    if (page) return typeof page === "string" ? send(200, TYPES[".html"], page) : send(200, page.type ?? TYPES[extname(pathname)] ?? TYPES[".html"], page.body, page.headers);
    const moving = /^\/(live|window)\/(\w+)\/(.*)$/.exec(pathname);
    const name = moving?.[1] + moving?.[2];
    if (moving && !started.has(name)) started.set(name, Date.now() - begun * 1000);
    if (moving?.[3].endsWith("/index.m3u8") && !moving[3].startsWith("text")) {
      return send(200, TYPES[".m3u8"], live(readFileSync(join(root, moving[3]), "utf8"), started.get(name), moving[1] === "window" ? 6 : 0));
    }
    const path = moving ? `/vod/${moving[3]}` : pathname;
    const base = Object.keys(roots).find((prefix) => path.startsWith(prefix));
    const file = base && join(roots[base], path.slice(base.length));
    if (!file || path.includes("..") || !existsSync(file)) return send(404, "text/plain", "");
    const body = readFileSync(file);
    const type = TYPES[extname(file)] ?? "application/octet-stream";
    const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? "");
    if (!range) return send(200, type, body);
    const [from, to] = [Number(range[1]), range[2] ? Math.min(Number(range[2]), body.length - 1) : body.length - 1];
    send(206, type, body.subarray(from, to + 1), { "content-range": `bytes ${from}-${to}/${body.length}` });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { origin: `http://127.0.0.1:${server.address().port}`, asked, sent, close: () => (server.closeAllConnections(), server.close()) };
}
