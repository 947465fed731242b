"use client";

import { type FormEvent, useState } from "react";
import { client } from "@/lib/auth-client";

const API = process.env.NEXT_PUBLIC_API_URL || "http://localhost:8000/api";
type Todo = { id: number; title: string };

export default function Page() {
  const [token, setToken] = useState("");
  const [problem, setProblem] = useState("");
  const [todos, setTodos] = useState<Todo[]>([]);
  const [title, setTitle] = useState("");
  const headers = (value: string) => ({ Authorization: `Bearer ${value}`, "Content-Type": "application/json" });
  const load = async (value: string) => setTodos(await (await fetch(`${API}/todos`, { headers: headers(value) })).json());

  const signUp = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const email = String(form.get("email"));
    const { data, error } = await client.signUp.email({ email, password: String(form.get("password")), name: email });
    setProblem(error?.message ?? "");
    if (data?.token) {
      setToken(data.token);
      await load(data.token);
    }
  };
  const add = async (event: FormEvent) => {
    event.preventDefault();
    await fetch(`${API}/todos`, { method: "POST", headers: headers(token), body: JSON.stringify({ title }) });
    setTitle("");
    await load(token);
  };

  if (!token)
    return (
      <form onSubmit={signUp}>
        <input aria-label="Email" name="email" />
        <input aria-label="Password" name="password" type="password" />
        <button>Sign up</button>
        <p role="alert">{problem}</p>
      </form>
    );
  return (
    <main>
      <h1>Auth</h1>
      <form onSubmit={add}>
        <input aria-label="Title" value={title} onChange={(event) => setTitle(event.target.value)} />
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
