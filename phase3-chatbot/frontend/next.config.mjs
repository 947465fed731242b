/** @type {import('next').NextConfig} */
const config = {
  output: "export", // plain files: nothing of Node runs where the app is served
  reactStrictMode: true,
};

export default config;
