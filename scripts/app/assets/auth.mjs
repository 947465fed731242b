// Makes the tables that the app's better-auth wants, before its server starts. Bundled while the image is built.
import * as app from "AUTH_MODULE";
import * as db from "better-auth/db";

const PATIENCE = 60; // seconds for a database that is still starting
// What passes by itself: nobody listens yet, the name is not known yet, the server starts or ends.
const PASSES = /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNRESET|57P0[1-3]|08\d{3}/;

const said = (error) => [error.code, error.message ?? error].filter(Boolean).join(" ");

async function main() {
  const auth = app.auth ?? app.default;
  // Where it is depends on the release.
  const { getMigrations } = db.getMigrations ? db : await import("better-auth/db/migration").catch(() => ({}));
  const began = Date.now();
  for (let told = ""; ; ) {
    try {
      const { toBeCreated, runMigrations } = await getMigrations(auth.options);
      await runMigrations();
      console.log(`auth tables: ${toBeCreated.length} made`);
      process.exit(0);
    } catch (error) {
      const reason = said(error.errors?.[0] ?? error);
      if (!PASSES.test(reason) || Date.now() - began > PATIENCE * 1000) {
        console.error(`Error: the tables of the accounts could not be made: ${reason}`);
        process.exit(1);
      }
      if (reason !== told) console.error(`auth tables: not yet, ${reason}; trying again`);
      told = reason;
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}

main();
