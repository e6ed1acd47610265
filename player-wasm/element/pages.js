// Bundles the watch page and the dashboard into dist/, with the outlines of countries for its map.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { build } from "esbuild";

const require = createRequire(import.meta.url);
const read = (name) => JSON.parse(readFileSync(require.resolve(name), "utf8"));
const options = { bundle: true, format: "esm", minify: true, target: "es2022", logLevel: "warning", legalComments: "none" };
mkdirSync("dist", { recursive: true });
for (const name of ["watch", "dashboard"]) {
  await build({ ...options, entryPoints: [`src/${name}.ts`], outfile: `dist/${name}.js` });
  await build({ ...options, entryPoints: [`${name}.css`], outfile: `dist/${name}.css` });
  copyFileSync(`${name}.html`, `dist/${name}.html`);
}
copyFileSync("watch.svg", "dist/watch.svg");
writeFileSync("dist/world.json", JSON.stringify(world()));

/** By ISO 3166 code a path in a view of 960 by 470: Natural Earth's 1:110m outlines in its own projection. */
function world() {
  const { transform, arcs, objects } = read("world-atlas/countries-110m.json");
  const codes = new Map(read("i18n-iso-countries/codes.json").map(([alpha2, , numeric]) => [numeric, alpha2]));
  const lines = arcs.map((arc) => {
    let [x, y] = [0, 0];
    return arc.map(([dx, dy]) => {
      [x, y] = [x + dx, y + dy];
      return [x * transform.scale[0] + transform.translate[0], y * transform.scale[1] + transform.translate[1]];
    });
  });
  // An arc with a complement is walked from its end; arcs share the point where they meet.
  const ring = (all) => all.flatMap((n, at) => (n < 0 ? lines[~n].toReversed() : lines[n]).slice(at === 0 ? 0 : 1));
  // A country on both sides of 180° is drawn as one, beyond the edge.
  const whole = (points) => {
    let turn = 0;
    const unwound = points.map(([x, y], at) => {
      const before = at > 0 ? points[at - 1][0] : x;
      turn += x - before > 180 ? -360 : x - before < -180 ? 360 : 0;
      return [x + turn, y];
    });
    const east = unwound.some(([x]) => x < -180) ? 360 : 0;
    return unwound.map(([x, y]) => [x + east, y]);
  };
  const path = (polygon) => polygon.map((all) => `M${whole(ring(all)).map(place).join("L")}Z`).join("");
  const paths = {};
  for (const { id, type, arcs } of objects.countries.geometries) {
    const code = codes.get(id);
    if (!code || code === "AQ") continue;
    paths[code] = (type === "MultiPolygon" ? arcs : [arcs]).map(path).join("");
  }
  return paths;
}

function place([longitude, latitude]) {
  const [a, b] = [longitude, latitude].map((degrees) => (degrees * Math.PI) / 180);
  const [b2, b4] = [b * b, b ** 4];
  const x = a * (0.8707 - 0.131979 * b2 + b4 * (-0.013791 + b4 * (0.003971 * b2 - 0.001529 * b4)));
  const y = b * (1.007226 + b2 * (0.015085 + b4 * (-0.044475 + 0.028874 * b2 - 0.005916 * b4)));
  return `${(480 + x * 175).toFixed(1)} ${(255 - y * 178).toFixed(1)}`;
}
