"use client";

import { FormEvent, KeyboardEvent, useEffect, useState } from "react";
import { api, Todo } from "@/lib/api";

type Properties = {
  todos: Todo[] | null;
  attempt: (work: () => Promise<void>) => Promise<boolean>;
  refresh: () => Promise<boolean>;
};

export function TodoList({ todos, attempt, refresh }: Properties) {
  const [title, setTitle] = useState("");

  async function change(work: () => Promise<unknown>) {
    return attempt(async () => {
      await work();
      await refresh();
    });
  }

  async function add(event: FormEvent) {
    event.preventDefault();
    if (title.trim() && (await change(() => api.add(title.trim())))) setTitle("");
  }

  const open = todos?.filter((todo) => !todo.completed).length ?? 0;
  return (
    <section className="card" aria-label="Todos">
      <h2>
        Todos {todos && <span className="quiet">{open === 0 ? "nothing open" : `${open} open`}</span>}
      </h2>
      <form className="row" onSubmit={add}>
        <input aria-label="New todo" placeholder="What needs doing?" value={title} maxLength={200} onChange={(event) => setTitle(event.target.value)} />
        <button className="primary" disabled={!title.trim()}>
          Add
        </button>
      </form>
      {todos === null && <p className="quiet empty">Loading…</p>}
      {todos?.length === 0 && <p className="quiet empty">Nothing here yet. Add a first todo above, or tell the assistant.</p>}
      <ul className="todos">{todos?.map((todo) => <Item key={todo.id} todo={todo} change={change} />)}</ul>
    </section>
  );
}

function Item({ todo, change }: { todo: Todo; change: (work: () => Promise<unknown>) => Promise<boolean> }) {
  const [draft, setDraft] = useState<string | null>(null);
  const [done, setDone] = useState(todo.completed);
  useEffect(() => setDone(todo.completed), [todo.completed]);

  /** Shown at once, taken back when the server does not agree. */
  async function toggle() {
    setDone(!done);
    if (!(await change(() => api.change(todo.id, { completed: !done })))) setDone(done);
  }

  async function save() {
    const title = (draft ?? "").trim();
    setDraft(null);
    if (title && title !== todo.title) await change(() => api.change(todo.id, { title }));
  }

  function keys(event: KeyboardEvent<HTMLInputElement>) {
    if (event.key === "Enter") event.currentTarget.blur();
    if (event.key === "Escape") setDraft(null);
  }

  return (
    <li className={done ? "completed" : ""}>
      <input
        type="checkbox"
        aria-label={`${todo.title} is done`}
        checked={done}
        onChange={() => void toggle()}
      />
      <span className="number">#{todo.id}</span>
      {draft === null ? (
        <button className="title" title="Edit" onClick={() => setDraft(todo.title)}>
          {todo.title}
        </button>
      ) : (
        <input aria-label="Title" className="title" autoFocus value={draft} maxLength={200} onChange={(event) => setDraft(event.target.value)} onBlur={() => void save()} onKeyDown={keys} />
      )}
      <button className="icon" aria-label={`Delete ${todo.title}`} onClick={() => void change(() => api.remove(todo.id))}>
        ×
      </button>
    </li>
  );
}
