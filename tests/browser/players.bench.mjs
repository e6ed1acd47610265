// Players that others have written, each on every kind of playlist: it really plays, and its pictures and sound are counted.
//   node tests/browser/players.bench.mjs [--players hls.js,vlc] [--modes vod,clip] [--json FILE]
// The last lines are the table; the exit code is 1 where a player did not play what it ought to.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { open } from "./chromium.mjs";
import { platform as demo } from "./players/sources.mjs";
import { programs } from "./players/programs.mjs";
import { pages } from "./players/pages.mjs";

/** What is played: how it is called in the table, and whether it goes on while it is played. */
const MODES = {
  "ll": "LL-HLS, live",
  "hls": "HLS from the bucket, live",
  "dash": "DASH, live",
  "ll-dash": "LL-DASH, live",
  "rewind": "live, sought back",
  "dash-rewind": "DASH, live, sought back",
  "start-over": "live, from its start",
  "vod": "recording",
  "clip": "clip",
  "dash-clip": "clip, DASH",
  "audio": "sound alone, live",
};

const { values } = parseArgs({ options: { players: { type: "string" }, modes: { type: "string" }, json: { type: "string" } } });
const wanted = (list, name) => list === undefined || list.split(",").includes(name);

const sources = await demo();
const browser = await open();
const site = await pages(sources.edge);
const players = [...site.players(browser), ...programs()].filter(({ name }) => wanted(values.players, name));
const results = [];
try {
  for (const player of players) {
    for (const mode of Object.keys(MODES).filter((mode) => wanted(values.modes, mode))) {
      const result = { player: player.name, mode, ...(await attempt(player, mode)) };
      results.push(result);
      console.log(`${player.name}, ${MODES[mode]}: ${said(result)}`);
    }
  }
} finally {
  await browser.close();
  site.close();
  await sources.stop();
}
if (values.json) writeFileSync(values.json, JSON.stringify(results, null, 1));
const modes = Object.keys(MODES).filter((mode) => wanted(values.modes, mode));
console.log(`\n| player | ${modes.map((mode) => MODES[mode]).join(" | ")} |\n|---|${modes.map(() => "---|").join("")}`);
for (const player of players) {
  const cells = modes.map((mode) => said(results.find((one) => one.player === player.name && one.mode === mode)));
  console.log(`| ${player.name} ${player.version ?? ""} | ${cells.join(" | ")} |`);
}
process.exitCode = results.some(({ failure }) => failure) ? 1 : 0;

/** Plays it; what went wrong is a result as well. */
async function attempt(player, mode) {
  if (player.missing) return { missing: player.missing };
  if (!player.plays.includes(mode)) return { skipped: true };
  try {
    return await player.play(mode, sources.address(mode));
  } catch (error) {
    return { failure: String(error?.message ?? error).split("\n")[0] };
  }
}

function said({ missing, skipped, failure, behind_s: behind, frames }) {
  if (missing) return "not here";
  if (skipped) return "–";
  if (failure) return `**no**: ${failure}`;
  // A player that takes the epoch of its dates from elsewhere says nonsense here.
  return behind === undefined || behind < 0 || behind > 60 ? `yes${frames ? "" : " (sound)"}` : `yes, ${behind.toFixed(1)} s behind`;
}
