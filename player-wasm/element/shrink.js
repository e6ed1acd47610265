// Makes the module of the compiler small, and the same engine as plain JavaScript.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";
import { sweep } from "./sweep.js";

/** What a panic says is formatted by these, and the panic handler throws it away: a trap in their place says as much. */
const SAYS_WHY = [
  /core9panicking/, /slice_error_fail/, /slice_index_fail/, /4core3fmt/, /unwrap_failed/, /expect_failed/, /handle_error/, /capacity_overflow/,
  /handle_alloc_error/, /len_mismatch_fail/, /assert_failed/, /4core4cell.*panic_already/,
];
// What the compiler uses; reference types are for the encoding of its one table.
const FEATURES = ["bulk-memory", "bulk-memory-opt", "nontrapping-float-to-int", "sign-ext", "mutable-globals", "multivalue", "reference-types", "call-indirect-overlong"];
const features = FEATURES.map((name) => `--enable-${name}`);
/** Bodies that are called once are left where they are: inlined they are shorter, and yet 1.2 kB longer after brotli. */
const SMALL = ["-Oz", "--one-caller-inline-max-function-size=0", "--always-inline-max-function-size=0"];
const BARE = ["--strip-debug", "--strip-producers", "--strip-target-features"];
const run = (name, args) => execFileSync(fileURLToPath(new URL(`node_modules/binaryen/bin/${name}`, import.meta.url)), args, { stdio: ["ignore", "pipe", "inherit"], maxBuffer: 64 << 20 });

/** The module of the compiler without what nobody hears. */
export function quiet(from) {
  return sweep(readFileSync(from), (name) => SAYS_WHY.some((pattern) => pattern.test(name)));
}

/** Puts the surface that `#[wasm_bindgen]` describes around a module; its path. */
export function bind(bytes, folder) {
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

/** `to` is what viewers get. */
export function shrink(from, to) {
  run("wasm-opt", [...features, ...SMALL, ...BARE, from, "-o", to]);
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
  if (end < 0 || !name || !text.includes("out_len")) throw new Error("wasm2js writes something else than it did");
  const code = `globalThis.${mailbox}=()=>{${text.slice(0, end)};return ${name}({})};`;
  return transformSync(code, { minify: true, target: "es2022", legalComments: "none" }).code;
}
