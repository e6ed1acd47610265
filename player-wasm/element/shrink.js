// Makes the module of the compiler small, and the same engine as plain JavaScript.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";

/** What a panic says is formatted by these, and the panic handler throws it away: a trap in their place says as much. */
const SAYS_WHY = [
  /core9panicking/, /slice_error_fail/, /slice_index_fail/, /4core3fmt/, /unwrap_failed/, /expect_failed/, /handle_error/, /capacity_overflow/,
  /handle_alloc_error/, /panic_const/, /panic_nounwind/, /do_count_chars/, /escape_debug/, /is_printable/,
];
// What the compiler uses; reference types are for the encoding of its one table.
const FEATURES = ["bulk-memory", "bulk-memory-opt", "nontrapping-float-to-int", "sign-ext", "mutable-globals", "multivalue", "reference-types", "call-indirect-overlong"];
const features = FEATURES.map((name) => `--enable-${name}`);
/** Bodies that are called once are left where they are: inlined they are shorter, and yet 1.2 kB longer after brotli. */
const SMALL = ["-Oz", "--one-caller-inline-max-function-size=0", "--always-inline-max-function-size=0"];
const BARE = ["--strip-debug", "--strip-producers", "--strip-target-features"];
const run = (name, args) => execFileSync(fileURLToPath(new URL(`node_modules/binaryen/bin/${name}`, import.meta.url)), args, { stdio: ["ignore", "pipe", "inherit"], maxBuffer: 64 << 20 });

/** Puts the surface that `#[wasm_bindgen]` describes around the module of the compiler; its path. */
export function bind(from, folder) {
  const bytes = readFileSync(from);
  // Numbers alone cross over. The compiler says that it may use references, and wasm-bindgen would make a table for them and import its start.
  const at = bytes.lastIndexOf("+\x0freference-types", undefined, "latin1");
  if (at < 0) throw new Error("the module does not say what it uses: build it without strip");
  bytes[at] = "-".charCodeAt(0);
  const plain = `${folder}/engine.wasm`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(plain, bytes);
  execFileSync("tidegate-bindgen", [plain, folder, "engine"], { stdio: "inherit" });
  return `${folder}/engine_bg.wasm`;
}

/** `from` still has its names; `to` is what viewers get. */
export function shrink(from, to) {
  const snipped = `${to}.snipped`;
  writeFileSync(snipped, snip(readFileSync(from)));
  run("wasm-opt", [...features, ...SMALL, ...BARE, snipped, "-o", to]);
  rmSync(snipped);
}

/** The module as a script that leaves a function in `mailbox`, which makes an engine each time it is called. */
export function asScript(wasm, mailbox) {
  const old = `${wasm}.old.wasm`; // by its name wasm2js knows what it is
  // What JavaScript has no operators for is put into words that it has.
  run("wasm-opt", [...features, "--llvm-nontrapping-fptoint-lowering", "--llvm-memory-copy-fill-lowering", "--signext-lowering", wasm, "-o", old]);
  const plain = features.filter((name) => !/bulk-memory|nontrapping|sign-ext/.test(name));
  const text = run("wasm2js", [...plain, "-O", old]).toString();
  rmSync(old);
  const end = text.indexOf("var retasmFunc");
  const name = /var retasmFunc\w* = (asmFunc\w*)\(/.exec(text)?.[1];
  if (end < 0 || !name) throw new Error("wasm2js writes something else than it did");
  const code = `globalThis.${mailbox}=()=>{${text.slice(0, end)};return ${name}({})};`;
  return transformSync(code, { minify: true, target: "es2022", legalComments: "none" }).code;
}

/** Puts a trap in place of the bodies of functions with certain names. */
function snip(bytes) {
  let at = 8;
  const read = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
  };
  const text = () => {
    const length = read();
    return bytes.subarray(at, (at += length)).toString();
  };
  const sections = [];
  while (at < bytes.length) {
    const id = bytes[at++];
    const length = read();
    sections.push({ id, start: at, end: (at += length) });
  }
  const names = new Map();
  for (const section of sections.filter(({ id }) => id === 0)) {
    at = section.start;
    if (text() !== "name") continue;
    while (at < section.end) {
      const kind = bytes[at++];
      const end = read() + at;
      if (kind === 1) for (let count = read(); count > 0; count--) names.set(read(), text());
      at = end;
    }
  }
  if (names.size === 0) throw new Error("the module has no names: build it without strip");
  if (sections.some(({ id }) => id === 2)) throw new Error("the module imports something, which it must not");
  const leb = (value) => {
    const out = [];
    do out.push((value & 127) | (value > 127 ? 128 : 0));
    while ((value >>>= 7));
    return Buffer.from(out);
  };
  const section = (id, body) => [Buffer.from([id]), leb(body.length), body];
  const TRAP = Buffer.from([3, 0, 0x00, 0x0b]); // three bytes: no locals, unreachable, end
  return Buffer.concat([
    bytes.subarray(0, 8),
    ...sections.filter(({ id }) => id !== 0).flatMap(({ id, start, end }) => {
      if (id !== 10) return section(id, bytes.subarray(start, end));
      at = start;
      const bodies = Array.from({ length: read() }, (_, index) => {
        const from = at;
        const length = read();
        at += length;
        return SAYS_WHY.some((pattern) => pattern.test(names.get(index) ?? "")) ? TRAP : bytes.subarray(from, at);
      });
      return section(10, Buffer.concat([leb(bodies.length), ...bodies]));
    }),
  ]);
}
