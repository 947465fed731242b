"use client";
import { useCallback, useEffect, useState } from "react";

const API = process.env.NEXT_PUBLIC_API_URL || "http://localhost:8001";

export default function Page() {
  const [token, setToken] = useState("");
  const [todos, setTodos] = useState([]);

  const ask = useCallback(
    async (method, path, body) => {
      const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
      const answer = await fetch(API + path, { method, headers, body: body && JSON.stringify(body) });
      return answer.json();
    },
    [token],
  );
  const load = useCallback(async () => setTodos(await ask("GET", "/todos")), [ask]);

  useEffect(() => setToken(localStorage.getItem("token") || ""), []);
  useEffect(() => {
    if (token) load();
  }, [token, load]);

  async function enter(event) {
    event.preventDefault();
    const person = Object.fromEntries(new FormData(event.target));
    await ask("POST", "/auth/signup", person);
    const { access_token: found } = await ask("POST", "/auth/login", person);
    localStorage.setItem("token", found);
    setToken(found);
  }

  async function add(event) {
    event.preventDefault();
    const form = event.target;
    await ask("POST", "/todos", Object.fromEntries(new FormData(form)));
    form.reset();
    load();
  }

  if (!token)
    return (
      <main>
        <h1>Sign up</h1>
        <form onSubmit={enter}>
          <label>
            Email <input name="email" type="email" required />
          </label>
          <label>
            Password <input name="password" type="password" required />
          </label>
          <button>Sign up</button>
        </form>
      </main>
    );
  return (
    <main>
      <h1>Companion</h1>
      <form onSubmit={add}>
        <label>
          Title <input name="title" required />
        </label>
        <button>Add</button>
      </form>
      <ul>
        {todos.map((one) => (
          <li key={one.id}>{one.title}</li>
        ))}
      </ul>
    </main>
  );
}
