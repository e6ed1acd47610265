// Pages with one player on them, `p`: opening them, asking it, waiting for it.
import assert from "node:assert/strict";

/** Opens a page until its test ends; what it complains of fails the test, unless it is expected. */
export async function visit(t, browser, address, { expected = /^$/, viewport = { width: 900, height: 600 } } = {}) {
  const page = await browser.newPage({ viewport });
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && !expected.test(message.text()) && complaints.push(message.text()));
  t.after(async () => {
    await page.close();
    assert.deepEqual(complaints, []);
  });
  await page.goto(address);
  return page;
}

/** Waits until an expression about the player holds. */
export const until = (page, expression, timeout = 30_000) => page.waitForFunction((text) => new Function("p", `return ${text}`)(document.getElementById("p")), expression, { timeout, polling: 100 });
/** What an expression about the player says. */
export const ask = (page, expression) => page.evaluate((text) => new Function("p", `return ${text}`)(document.getElementById("p")), expression);
