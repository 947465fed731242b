/** @type {import('next').NextConfig} */
const config = {
  output: "export", // plain files: nothing of Node runs where the app is served
  reactStrictMode: true,
  outputFileTracing: false, // which files a server would need: a third of the build, and there is no server
};

export default config;
