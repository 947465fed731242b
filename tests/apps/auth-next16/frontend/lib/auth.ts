import { betterAuth } from "better-auth";
import { Pool } from "pg";

// Asked by name while it runs, so that Next's build cannot put the value here.
const missing = ["NEXT_PUBLIC_APP_URL"].filter((name) => !process.env[name]);
if (missing.length) throw new Error(`${missing} is not set`);

export const auth = betterAuth({
  database: new Pool({ connectionString: process.env.DATABASE_URL }),
  emailAndPassword: { enabled: true },
});
