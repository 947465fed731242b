// What the pages share: asking the API, and making elements.
const api = async (method, path, body) => {
  const headers = { "content-type": "application/json" };
  const token = localStorage.getItem("token");
  if (token) headers.authorization = `Bearer ${token}`;
  const answer = await fetch(`/api${path}`, { method, headers, body: body && JSON.stringify(body) });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.detail);
  return told;
};
const show = (html) => { document.getElementById("app").innerHTML = html; };
const on = (selector, event, work) => {
  document.querySelector(selector).addEventListener(event, async (fired) => {
    fired.preventDefault();
    try {
      await work(fired);
    } catch (error) {
      const place = document.querySelector("[role=alert]");
      if (place) place.textContent = error.message;
    }
  });
};
const value = (selector) => document.querySelector(selector).value;
const enter = async (email, password) => {
  localStorage.setItem("token", (await api("POST", "/auth/login", { email, password })).access_token);
};
