"use client";

import { useEffect, useState } from "react";

const LIST = "http://localhost:8000/todos";

export default function Page() {
  const [todos, setTodos] = useState([]);
  const [title, setTitle] = useState("");
  const load = () => fetch(LIST).then((answer) => answer.json()).then(setTodos);
  useEffect(() => {
    load();
  }, []);
  const add = async (event) => {
    event.preventDefault();
    await fetch(LIST, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ title }) });
    setTitle("");
    load();
  };
  return (
    <main>
      <h1>Export</h1>
      <form onSubmit={add}>
        <input aria-label="Title" value={title} onChange={(event) => setTitle(event.target.value)} />
        <button>Add</button>
      </form>
      <ul>{todos.map((one) => <li key={one.id}>{one.title}</li>)}</ul>
    </main>
  );
}
