// AWS Signature Version 4 for S3: the body is not part of what is signed, TLS holds it together.
const UNSIGNED = "UNSIGNED-PAYLOAD";
const encoder = new TextEncoder();

/// Adds to `init` the headers that prove who asks. Keys of ours have no character that a path has to escape.
export async function sign(url, init, { TIDEGATE_ACCESS_KEY, TIDEGATE_SECRET_KEY, TIDEGATE_REGION = "auto" }, now = new Date()) {
  const time = now.toISOString().replace(/[:-]|\.\d+/g, "");
  const scope = `${time.slice(0, 8)}/${TIDEGATE_REGION}/s3/aws4_request`;
  init.headers.set("x-amz-content-sha256", UNSIGNED);
  init.headers.set("x-amz-date", time);
  const signed = [["host", url.host], ...init.headers].filter(([name]) => name === "host" || name.startsWith("x-amz-")).sort();
  const names = signed.map(([name]) => name).join(";");
  const fields = signed.map(([name, value]) => `${name}:${value.trim()}\n`).join("");
  const request = [init.method, url.pathname, url.search.slice(1), fields, names, UNSIGNED].join("\n");
  const text = ["AWS4-HMAC-SHA256", time, scope, hex(await crypto.subtle.digest("SHA-256", encoder.encode(request)))].join("\n");
  let key = encoder.encode(`AWS4${TIDEGATE_SECRET_KEY}`);
  for (const word of [...scope.split("/"), text]) key = await hmac(key, word);
  init.headers.set("authorization", `AWS4-HMAC-SHA256 Credential=${TIDEGATE_ACCESS_KEY}/${scope}, SignedHeaders=${names}, Signature=${hex(key)}`);
}

async function hmac(key, text) {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return crypto.subtle.sign("HMAC", imported, encoder.encode(text));
}

function hex(buffer) {
  return [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
