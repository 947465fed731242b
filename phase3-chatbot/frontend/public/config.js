// Read at run time. A deployment serves its own in this place (see frontend.Dockerfile); this one is for `npm run dev`.
window.__CONFIG__ = { NEXT_PUBLIC_API_URL: "http://localhost:8001" };
