// Makes the tables that the app's better-auth wants, before its server starts. Bundled while the image is built.
import * as app from "AUTH_MODULE";
import * as db from "better-auth/db";

async function main() {
  const auth = app.auth ?? app.default;
  // Where it is depends on the release.
  const { getMigrations } = db.getMigrations ? db : await import("better-auth/db/migration").catch(() => ({}));
  for (let tries = 1; ; tries++) {
    try {
      const { toBeCreated, runMigrations } = await getMigrations(auth.options);
      await runMigrations();
      console.log(`auth tables: ${toBeCreated.length} made`);
      process.exit(0);
    } catch (error) {
      if (tries >= 30) {
        console.error(`auth tables could not be made: ${error.message ?? error}`);
        process.exit(1);
      }
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}

main();
