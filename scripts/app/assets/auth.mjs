// Makes the tables that the app's better-auth wants, before its server starts. Bundled while the
// image is built. What goes wrong is told at once; it is tried again only where that can help.
import * as app from "AUTH_MODULE";
import * as db from "better-auth/db";

const SECONDS = 60;
// The database is not up yet, or another pod makes the same tables at this moment.
const PASSES = /ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|57P0\d|42P07|23505/;
// Nobody is let in: the app cannot work, and the pod's log has the reason.
const CLOSED = /\b(28\w{3}|3D000)\b|certificate|SSL|password/i;

const words = (error) =>
  [error.code, error.message || error.errors?.[0]?.message || String(error)]
    .filter(Boolean)
    .join(" ");

async function main() {
  const { options } = (await (app.auth ?? app.default)) ?? {};
  if (!options?.database || typeof options.database === "function") {
    console.log(
      "auth tables: not made here, the app's accounts are kept by an adapter or elsewhere",
    );
    return 0;
  }
  // Where it is depends on the release.
  const { getMigrations } = db.getMigrations
    ? db
    : await import("better-auth/db/migration").catch(() => ({}));
  let told = "";
  for (let second = 1; ; second++) {
    try {
      const { toBeCreated, runMigrations } = await getMigrations(options);
      await runMigrations();
      console.log(`auth tables: ${toBeCreated.length} made`);
      return 0;
    } catch (error) {
      const why = words(error);
      if (why !== told) console.error(`auth tables: ${why}`);
      told = why;
      if (PASSES.test(why) && second < SECONDS) {
        await new Promise((done) => setTimeout(done, 1000));
      } else {
        console.error(`auth tables could not be made: ${why}`);
        // Else the app is served: a part of it may work, and another start may not do better.
        return PASSES.test(why) || CLOSED.test(why) ? 1 : 0;
      }
    }
  }
}

main().then((status) => process.exit(status));
