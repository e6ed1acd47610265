// Opens Chromium as installed on this machine.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const known = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export async function open() {
  const executablePath = process.env.TIDEGATE_CHROMIUM ?? known.find(existsSync);
  if (!executablePath) throw new Error("no Chromium: run infra/tools test, or name one in TIDEGATE_CHROMIUM");
  const args = ["--autoplay-policy=no-user-gesture-required", "--disable-background-timer-throttling", "--mute-audio"];
  // Root has no user namespace to put the sandbox in.
  return chromium.launch({ executablePath, args, chromiumSandbox: process.getuid?.() !== 0 });
}
