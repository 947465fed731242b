/** @type {import('next').NextConfig} */
const config = {
  output: "export", // plain files: no Node.js runs where the app is served
  reactStrictMode: true,
  // Tracing finds the files that a server needs. There is no server here, and tracing takes a third
  // of the build.
  outputFileTracing: false,
  // `tsc` checks types beside the bundler: see package.json.
  typescript: { ignoreBuildErrors: true },
  eslint: { ignoreDuringBuilds: true }, // ESLint is not used
  // Three processes, one after another, would save memory, but cost a third of the remaining time.
  experimental: { webpackBuildWorker: false },
};

export default config;
