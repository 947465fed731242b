// Read at run time. This file is for `npm run dev`; a deployment serves its own in this place
// (see frontend.Dockerfile).
window.__CONFIG__ = { NEXT_PUBLIC_API_URL: "http://localhost:8001" };
