// Build the app in the current folder as its own script does. A build that ends at something that
// `next dev` never looked at is tried again with a remedy, and the person is told.
// SERVED: export or server.
import { spawn } from "node:child_process";
import fs from "node:fs";

import { REMEDIES, withWebpack } from "./remedies.mjs";

const COLOURS = /\x1b\[[0-9;]*m/g;

// Run it and pass its output on; its status and the output as text.
function run(command, args) {
  return new Promise((done, failed) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const [from, to] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ]) {
      from.on("data", (data) => {
        output += data;
        to.write(data);
      });
    }
    child.on("error", failed);
    child.on("close", (status) => done([status ?? 1, output.replace(COLOURS, "")]));
  });
}

function build(options) {
  const { scripts } = JSON.parse(fs.readFileSync("package.json", "utf8"));
  return scripts?.build
    ? run("npm", ["run", "build", "--", ...options])
    : run("node_modules/.bin/next", ["build", ...options]);
}

const state = { options: [], served: process.env.SERVED };
// Turbopack takes the answers for Google Fonts as data; webpack runs them, as they are meant.
if (fs.existsSync("phase4-fonts.cjs")) withWebpack(state);
const left = [...REMEDIES];
for (;;) {
  const [status, output] = await build(state.options);
  if (status === 0) break;
  const at = left.findIndex((remedy) => remedy.sees(output));
  if (at < 0) process.exit(status);
  const [remedy] = left.splice(at, 1);
  if (!remedy.apply(state)) process.exit(status);
  console.log(`phase4: ${remedy.sees(output)}`);
}
