// Add packages of this system that a lock file of another system leaves out (npm/cli#4828): those
// that an installed package names as optional, and that are for this system by their name.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";

const LOCK = "node_modules/.package-lock.json"; // npm's own list of what it installed
const OURS = new RegExp(`linux-${process.arch === "x64" ? "(x64|64)" : process.arch}(-gnu)?$`);

// Where node would find a package that is asked for in a folder below node_modules.
function isThere(folder, name) {
  for (let at = folder; ; at = path.dirname(at)) {
    if (fs.existsSync(path.join(at, "node_modules", name, "package.json"))) return true;
    if (at === "." || at === "/") return false;
  }
}

export function missing(packages) {
  return Object.entries(packages).flatMap(([folder, { optionalDependencies = {} }]) =>
    Object.entries(optionalDependencies)
      .filter(([name]) => OURS.test(name) && !isThere(folder, name))
      .map(([name, version]) => ({ folder, name, version })),
  );
}

function add({ folder, name, version }) {
  const scratch = fs.mkdtempSync("/tmp/package-");
  const spec = `${name}@${version}`;
  execFileSync("npm", ["pack", spec, "--silent", "--pack-destination", scratch]);
  const target = path.join(folder, "node_modules", name);
  fs.mkdirSync(target, { recursive: true });
  const [archive] = fs.readdirSync(scratch);
  execFileSync("tar", ["-xzf", path.join(scratch, archive), "--strip-components=1", "-C", target]);
  fs.rmSync(scratch, { recursive: true });
}

if (fs.existsSync(LOCK)) {
  const found = missing(JSON.parse(fs.readFileSync(LOCK, "utf8")).packages ?? {});
  for (const one of found) add(one);
  if (found.length > 0) {
    const names = found.map(({ name }) => name).join(", ");
    console.log(`phase4: the lock file is of another system, added for this one: ${names}`);
  }
}
