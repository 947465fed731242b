// Makes the tables of the app's ORM before its server starts: runs the SQL in the file that is
// given, once for each content of it. Bundled with pg while the image is built.
import { createHash } from "node:crypto";
import fs from "node:fs";

import pg from "pg";

const SECONDS = 60;
const PASSES = /^(ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|57P0\d)$/;
const EXISTS = new Set(["42P07", "42710", "42701", "42P06", "42P16"]); // made before, by whomever

// DATABASE_URL, or another variable with the address of a PostgreSQL database.
export function address(variables) {
  const found = [variables.DATABASE_URL, ...Object.values(variables)];
  return found.find((value) => /^postgres(ql)?:\/\//.test(value ?? ""));
}

// Statements of a script. A semicolon at the end of a line ends one, but not within $$.
export function statements(script) {
  const found = [""];
  let quoted = false;
  for (const line of script.replaceAll("--> statement-breakpoint", "").split("\n")) {
    if (line.trimStart().startsWith("--")) continue;
    found[found.length - 1] += `${line}\n`;
    if ((line.split("$$").length - 1) % 2 === 1) quoted = !quoted;
    if (!quoted && line.trimEnd().endsWith(";")) found.push("");
  }
  return found.map((one) => one.trim()).filter((one) => one.replaceAll(";", "").trim());
}

async function connected(url) {
  for (let second = 1; ; second++) {
    const client = new pg.Client({ connectionString: url });
    try {
      await client.connect();
      return client;
    } catch (error) {
      if (second === 1) console.error(`tables: ${error.message || error.code}`);
      if (!PASSES.test(error.code) || second >= SECONDS) throw error;
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}

// Each statement by itself: what exists already is left as it is.
async function apply(client, script) {
  const key = createHash("sha256").update(script).digest("hex");
  await client.query("begin");
  await client.query("select pg_advisory_xact_lock(3000)"); // pods may start side by side
  await client.query("create table if not exists phase4_tables (script text primary key)");
  const { rowCount } = await client.query(
    "insert into phase4_tables values ($1) on conflict do nothing",
    [key],
  );
  let made = 0;
  for (const one of rowCount ? statements(script) : []) {
    await client.query("savepoint one");
    try {
      await client.query(one);
      made++;
    } catch (error) {
      if (!EXISTS.has(error.code)) throw error;
      await client.query("rollback to savepoint one");
    }
  }
  await client.query("commit");
  return made;
}

async function main(file) {
  const url = address(process.env);
  if (!url) {
    console.error("tables: no variable has the address of a PostgreSQL database");
    return 0;
  }
  let client;
  try {
    client = await connected(url);
    console.log(`tables: ${await apply(client, fs.readFileSync(file, "utf8"))} statements run`);
  } catch (error) {
    console.error(`tables could not be made: ${error.message || error.code}`);
    return client ? 0 : 1; // without its database the app cannot work: the pod starts again
  } finally {
    await client?.end();
  }
  return 0;
}

if (process.argv[2]) main(process.argv[2]).then((status) => process.exit(status));
