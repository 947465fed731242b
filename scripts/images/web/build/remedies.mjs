// What `next build` refuses and `next dev` never looked at, and what is done about each.
// sees: of a failed build's output, what is told to the person; nothing when it is another failure.
// apply: changes the copy of the app in the image, and says whether it could.
import fs from "node:fs";

const CONFIGS = ["next.config.js", "next.config.mjs", "next.config.ts"];
const OWN = "phase4-own.config";
const NEXT = "node_modules/next/package.json";
const LAYOUTS = ["tsx", "jsx", "js", "ts"].flatMap((end) => [
  `app/layout.${end}`,
  `src/app/layout.${end}`,
]);

export const REMEDIES = [
  {
    name: "types",
    sees: (output) => {
      const found = /^(?:\.\/)?(\S+)\nType error: (.*)/m.exec(output);
      return found && `types do not fit, built without that check: ${place(found[1])}: ${found[2]}`;
    },
    apply: withoutChecks,
  },
  {
    name: "lint",
    sees: (output) => {
      const found = /^\.\/(\S+)\n(?:\d+:\d+ +Warning: .*\n)*(\d+):\d+ +Error: (.*)/m.exec(output);
      return found && `ESLint objects, built without it: ${found[1]}:${found[2]}: ${found[3]}`;
    },
    apply: withoutChecks,
  },
  {
    name: "checks of the build script",
    sees: (output) => {
      const types = /^(\S+)\((\d+),\d+\): error TS\d+: (.*)/m.exec(output);
      if (types) {
        return `types do not fit, built without that check: ${types[1]}:${types[2]}: ${types[3]}`;
      }
      const lint = /^✖ \d+ problems? \(([1-9]\d* errors?)/m.exec(output);
      return lint && `ESLint objects (${lint[1]}), built without it`;
    },
    apply: dropChecks,
  },
  {
    name: "webpack",
    sees: (output) =>
      /using Turbopack, with a `webpack` config/.test(output) &&
      "next.config has webpack settings and none for Turbopack: built with webpack",
    apply: withWebpack,
  },
  {
    name: "pages in advance",
    sees: (output) => {
      const page = /Error occurred prerendering page "([^"]+)"/.exec(output);
      if (!page) return undefined;
      const why = /^\s*(?:⨯ )?((?:\w*Error: |use\w+\(\) ).*)/m.exec(output);
      const words = why ? `: ${why[1].slice(0, 200)}` : "";
      return (
        `the page ${page[1]} cannot be made in advance, ` +
        `so pages are made when asked for${words}`
      );
    },
    apply: (state) => state.served === "server" && renderWhenAsked(),
  },
];

// src/page.tsx:12:7 -> src/page.tsx:12
function place(found) {
  return found.replace(/^(.*:\d+):\d+$/, "$1");
}

// Put a configuration in front of the app's own, which keeps all else that it says. Both checks go
// at once: where one fails the other often does, and each try takes as long as a build.
function withoutChecks(state) {
  if (state.unchecked) return false; // it did not help
  state.unchecked = true;
  const config = CONFIGS.find((name) => fs.existsSync(name)) ?? "";
  const end = config.slice("next.config".length);
  if (config) fs.renameSync(config, OWN + end);
  const settings = { typescript: { ignoreBuildErrors: true } };
  if (major() < 16) settings.eslint = { ignoreDuringBuilds: true }; // later releases do not know it
  const from = end === ".ts" ? OWN : OWN + end;
  const own = config ? `import * as module from "./${from}";` : "const module = {};";
  const words = `${own}
export default async (phase: any, context: any) => {
  let own: any = module;
  while (own?.default) own = own.default;
  const found = await (typeof own === "function" ? own(phase, context) : own);
  return { ...found, ...${JSON.stringify(settings)} };
};
`;
  if (end === ".ts") fs.writeFileSync("next.config.ts", `// @ts-nocheck\n${words}`);
  else fs.writeFileSync("next.config.mjs", words.replaceAll(": any", ""));
  return true;
}

// Next's major version, as it is installed.
function major() {
  return Number.parseInt(JSON.parse(fs.readFileSync(NEXT, "utf8")).version);
}

// Next 16 bundles with Turbopack unless it is told otherwise; scripts may ask for that before.
export function withWebpack(state) {
  const read = JSON.parse(fs.readFileSync("package.json", "utf8"));
  const script = read.scripts?.build ?? "";
  if (/ --turbo(pack)?\b/.test(script)) {
    read.scripts.build = script.replaceAll(/ --turbo(pack)?\b/g, "");
    fs.writeFileSync("package.json", JSON.stringify(read, null, 2));
  }
  if (major() >= 16 && !script.includes("--webpack")) {
    state.options.push("--webpack");
  }
  return true;
}

// Take type checks and linters out of the package's build script.
function dropChecks() {
  const read = JSON.parse(fs.readFileSync("package.json", "utf8"));
  const steps = (read.scripts?.build ?? "").split("&&").map((step) => step.trim());
  const check = /^(npx )?(tsc|eslint|next lint)\b|^(npm|pnpm|yarn)( run)? .*(lint|type-?check)/;
  const kept = steps.filter((step) => !check.test(step));
  if (kept.length === steps.length) return false;
  read.scripts.build = kept.join(" && ") || "next build";
  fs.writeFileSync("package.json", JSON.stringify(read, null, 2));
  return true;
}

// The root layout's word holds for every page below it.
function renderWhenAsked() {
  const layout = LAYOUTS.find((name) => fs.existsSync(name));
  if (!layout) return false;
  const text = fs.readFileSync(layout, "utf8");
  if (/export const dynamic\b/.test(text) || /^\s*["']use client["']/.test(text)) return false;
  fs.writeFileSync(layout, `${text}\nexport const dynamic = "force-dynamic";\n`);
  return true;
}
