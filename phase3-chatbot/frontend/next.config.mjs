/** @type {import('next').NextConfig} */
const config = {
  output: "export", // plain files: nothing of Node runs where the app is served
  reactStrictMode: true,
  outputFileTracing: false, // which files a server would need: a third of the build, and there is no server
  typescript: { ignoreBuildErrors: true }, // `tsc` looks for them beside the bundler: see package.json
  eslint: { ignoreDuringBuilds: true }, // there is none
  experimental: { webpackBuildWorker: false }, // three processes one after another save memory, and cost a third of the rest
};

export default config;
