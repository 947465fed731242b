"use client";

import { FormEvent, KeyboardEvent, useEffect, useRef, useState } from "react";
import { DetailFields, readDetails } from "@/components/DetailFields";
import { api, Filter, newKey, Page, Todo } from "@/lib/api";

type Attempt = (work: () => Promise<void>) => Promise<boolean>;
type Properties = {
  found: Page | null;
  filter: Filter;
  onFilter: (changed: Partial<Filter>) => void;
  onMore: () => void;
  attempt: Attempt;
  refresh: () => Promise<boolean>;
};

const UNDO = 8000; // milliseconds
const TYPING = 200;

export function TodoList({ found, filter, onFilter, onMore, attempt, refresh }: Properties) {
  const [deleted, setDeleted] = useState<Todo | null>(null);
  const list = useRef<HTMLUListElement>(null);

  async function change(work: () => Promise<unknown>) {
    const done = await attempt(async () => {
      await work();
    });
    if (done) await refresh();
    return done;
  }

  async function remove(todo: Todo) {
    const rows = Array.from(list.current?.querySelectorAll<HTMLElement>("[data-row]") ?? []);
    const at = rows.findIndex((row) => row.closest("li")?.contains(document.activeElement));
    if (await change(() => api.remove(todo))) {
      setDeleted(todo);
      (rows[at + 1] ?? rows[at - 1])?.focus(); // the next todo gets the focus
    }
  }

  useEffect(() => {
    if (!deleted) return;
    const timer = window.setTimeout(() => setDeleted(null), UNDO);
    return () => window.clearTimeout(timer);
  }, [deleted]);

  /** The keys up and down move from todo to todo. */
  function move(event: KeyboardEvent) {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const rows = Array.from(list.current?.querySelectorAll<HTMLElement>("[data-row]") ?? []);
    const at = rows.indexOf(document.activeElement as HTMLElement);
    if (at < 0) return;
    event.preventDefault();
    rows[at + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
  }

  const filtered = Boolean(filter.search || filter.tag || filter.status !== "all");
  const open = found?.todos.filter((todo) => !todo.completed).length ?? 0;
  return (
    <section className="card" aria-labelledby="todos-title">
      <h2 id="todos-title">
        Todos{" "}
        {found && (
          <span className="quiet">
            {filtered ? `${found.total} found` : open === 0 ? "nothing open" : `${open} open`}
          </span>
        )}
      </h2>
      <NewTodo change={change} />
      <Filters filter={filter} onFilter={onFilter} />
      {found === null && (
        <div className="loading" role="status" aria-label="Loading">
          <span />
          <span />
          <span />
        </div>
      )}
      {found?.total === 0 && !filtered && (
        <p className="quiet empty">
          Nothing here yet. Add a first todo above, or tell the assistant.
        </p>
      )}
      {found?.total === 0 && filtered && (
        <p className="quiet empty">
          Nothing fits.{" "}
          <button onClick={() => onFilter({ search: "", tag: "", status: "all" })}>
            Show everything
          </button>
        </p>
      )}
      <ul className="todos" ref={list} onKeyDown={move}>
        {found?.todos.map((todo) => (
          <Item
            key={todo.id}
            todo={todo}
            change={change}
            remove={remove}
            onTag={(tag) => onFilter({ tag })}
          />
        ))}
      </ul>
      {found && found.todos.length < found.total && (
        <p className="empty">
          <button onClick={onMore}>Show more ({found.total - found.todos.length})</button>
        </p>
      )}
      <div role="status">
        {deleted && (
          <p className="toast">
            Deleted “{deleted.title}”.{" "}
            <button
              onClick={async () => {
                if (await change(() => api.restore(deleted))) setDeleted(null);
              }}
            >
              Undo
            </button>
          </p>
        )}
      </div>
    </section>
  );
}

function NewTodo({ change }: { change: (work: () => Promise<unknown>) => Promise<boolean> }) {
  const [title, setTitle] = useState("");
  const [busy, setBusy] = useState(false);
  const [detailed, setDetailed] = useState(false);
  const key = useRef(""); // key of the todo that is being added; kept until that has worked

  async function add(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    if (!title.trim() || busy) return;
    key.current ||= newKey();
    setBusy(true);
    const details = detailed ? readDetails(new FormData(form)) : {};
    if (await change(() => api.add({ ...details, title: title.trim() }, key.current))) {
      setTitle("");
      form.reset();
    }
    setBusy(false);
  }

  return (
    <form
      onSubmit={add}
      onChange={() => {
        key.current = ""; // this is another todo than the one that was sent
      }}
    >
      <div className="row">
        <input
          aria-label="New todo"
          placeholder="What needs doing?"
          id="new-todo"
          value={title}
          maxLength={200}
          onChange={(event) => setTitle(event.target.value)}
        />
        <button
          type="button"
          aria-expanded={detailed}
          aria-controls="new-details"
          onClick={() => setDetailed(!detailed)}
        >
          Details
        </button>
        <button className="primary" disabled={busy || !title.trim()}>
          Add
        </button>
      </div>
      <div id="new-details" hidden={!detailed}>
        {detailed && <DetailFields />}
      </div>
    </form>
  );
}

function Filters({ filter, onFilter }: Pick<Properties, "filter" | "onFilter">) {
  const [search, setSearch] = useState(filter.search);
  useEffect(() => setSearch(filter.search), [filter.search]);
  useEffect(() => {
    if (search === filter.search) return;
    const timer = window.setTimeout(() => onFilter({ search }), TYPING);
    return () => window.clearTimeout(timer);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- only typing starts the timer
  }, [search]);

  return (
    <div className="filters" role="search">
      <input
        type="search"
        aria-label="Search"
        placeholder="Search"
        id="search"
        value={search}
        maxLength={200}
        onChange={(event) => setSearch(event.target.value)}
      />
      <select
        aria-label="Show"
        value={filter.status}
        onChange={(event) => onFilter({ status: event.target.value as Filter["status"] })}
      >
        <option value="all">All</option>
        <option value="open">Open</option>
        <option value="done">Done</option>
      </select>
      <select
        aria-label="Order"
        value={filter.sort}
        onChange={(event) => onFilter({ sort: event.target.value as Filter["sort"] })}
      >
        <option value="newest">Newest first</option>
        <option value="due">By due date</option>
        <option value="priority">By priority</option>
      </select>
      {filter.tag && (
        <button
          className="tag"
          aria-label={`Stop filtering by ${filter.tag}`}
          onClick={() => onFilter({ tag: "" })}
        >
          #{filter.tag} ×
        </button>
      )}
    </div>
  );
}

type ItemProperties = {
  todo: Todo;
  change: (work: () => Promise<unknown>) => Promise<boolean>;
  remove: (todo: Todo) => Promise<void>;
  onTag: (tag: string) => void;
};

function Item({ todo, change, remove, onTag }: ItemProperties) {
  const [editing, setEditing] = useState(false);
  const [done, setDone] = useState(todo.completed);
  const row = useRef<HTMLButtonElement>(null);
  useEffect(() => setDone(todo.completed), [todo.completed]);

  /** The change is shown at once, and undone if the server refuses it. */
  async function toggle() {
    setDone(!done);
    if (!(await change(() => api.change(todo, { completed: !done })))) setDone(done);
  }

  function close() {
    setEditing(false);
    window.setTimeout(() => row.current?.focus());
  }

  async function save(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const title = String(form.get("title")).trim();
    if (title && (await change(() => api.change(todo, { ...readDetails(form), title })))) close();
  }

  function keys(event: KeyboardEvent) {
    if (event.key === " ") void toggle();
    else if (event.key === "Delete") void remove(todo);
    else return;
    event.preventDefault();
  }

  if (editing)
    return (
      <li>
        <form
          className="edit"
          aria-label={`Edit ${todo.title}`}
          onSubmit={save}
          onKeyDown={(event) => {
            if (event.key === "Escape") close();
          }}
        >
          <input
            name="title"
            aria-label="Title"
            autoFocus
            required
            defaultValue={todo.title}
            maxLength={200}
          />
          <DetailFields todo={todo} />
          <div className="row end">
            <button type="button" onClick={close}>
              Cancel
            </button>
            <button className="primary">Save</button>
          </div>
        </form>
      </li>
    );
  return (
    <li className={done ? "completed" : ""}>
      <input
        type="checkbox"
        aria-label={`${todo.title} is done`}
        checked={done}
        onChange={() => void toggle()}
      />
      <span className="number">#{todo.id}</span>
      <div className="body">
        <button
          ref={row}
          data-row
          className="title"
          title="Edit"
          onClick={() => setEditing(true)}
          onKeyDown={keys}
        >
          {todo.title}
        </button>
        {todo.note && <p className="note">{todo.note}</p>}
        {(todo.due_date || todo.priority !== "normal" || todo.tags.length > 0) && (
          <p className="marks">
            {todo.priority !== "normal" && (
              <span className={`priority ${todo.priority}`}>{todo.priority} priority</span>
            )}
            {todo.due_date && (
              <span className={todo.overdue ? "overdue" : "quiet"}>
                {todo.overdue ? "overdue since" : "due"}{" "}
                <time dateTime={todo.due_date}>{day(todo.due_date)}</time>
              </span>
            )}
            {todo.tags.map((tag) => (
              <button
                key={tag}
                className="tag"
                aria-label={`Show only #${tag}`}
                onClick={() => onTag(tag)}
              >
                #{tag}
              </button>
            ))}
          </p>
        )}
      </div>
      <button
        className="icon"
        aria-label={`Delete ${todo.title}`}
        onClick={() => void remove(todo)}
      >
        ×
      </button>
    </li>
  );
}

/** A date in the form that this reader uses. */
function day(date: string): string {
  return new Date(`${date}T00:00`).toLocaleDateString(undefined, {
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
  });
}
