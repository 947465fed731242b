/** The API, as the pages use it. */

export type Priority = "low" | "normal" | "high";
export type Todo = {
  id: number;
  title: string;
  note: string;
  due_date: string | null;
  priority: Priority;
  tags: string[];
  completed: boolean;
  overdue: boolean;
  created_at: string;
  updated_at: string;
  version: number;
};
export type Details = Pick<Todo, "title" | "note" | "due_date" | "priority" | "tags">;
export type Filter = {
  search: string;
  status: "all" | "open" | "done";
  tag: string;
  sort: "newest" | "due" | "priority";
};
export type Page = { todos: Todo[]; total: number };
export type Turn = { role: "user" | "assistant"; content: string };
export type ToolCall = { name: string; arguments: Record<string, unknown> };
export type ChatEvent =
  | { kind: "tool"; call: ToolCall }
  | { kind: "text"; text: string }
  | { kind: "done"; provider: "openai" | "offline" };

declare global {
  interface Window {
    __CONFIG__?: { NEXT_PUBLIC_API_URL?: string };
  }
}

const TOKEN = "todo-chatbot.token";

/** A request that failed. status 0: nothing answered. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }

  /** No server, or one that cannot answer now: the same request may work in a moment. */
  get passing() {
    return this.status === 0 || this.status >= 502;
  }
}

/** The address of the API. It is a run-time value, so one build works for every address. */
function base(): string {
  return (window.__CONFIG__?.NEXT_PUBLIC_API_URL ?? "/api").replace(/\/$/, "");
}

export const session = {
  token: () => window.localStorage.getItem(TOKEN),
  start: (token: string) => window.localStorage.setItem(TOKEN, token),
  end: () => window.localStorage.removeItem(TOKEN),
  /** Milliseconds until the token expires; 0 if there is none, or if it cannot be read. */
  left(): number {
    try {
      const claims = JSON.parse(
        atob((session.token() ?? "").split(".")[1].replace(/-/g, "+").replace(/_/g, "/")),
      );
      return Math.max(0, claims.exp * 1000 - Date.now());
    } catch {
      return 0;
    }
  },
};

type Options = { body?: unknown; headers?: Record<string, string>; signal?: AbortSignal };

async function send(
  method: string,
  path: string,
  { body, headers, signal }: Options = {},
): Promise<Response> {
  const token = session.token();
  let response: Response;
  try {
    response = await fetch(base() + path, {
      method,
      signal,
      headers: {
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(token ? { Authorization: `Bearer ${token}` } : {}),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, "The server cannot be reached.");
  }
  if (!response.ok)
    throw new ApiError(
      response.status,
      explain(response.status, await response.json().catch(() => null)),
    );
  return response;
}

async function call<T>(method: string, path: string, options?: Options): Promise<T> {
  const response = await send(method, path, options);
  return response.status === 204 ? (undefined as T) : response.json();
}

function explain(
  status: number,
  problem: { detail?: unknown; errors?: { where: string; message: string }[] } | null,
): string {
  const fault = problem?.errors?.[0];
  if (fault) return `${fault.where.split(".").at(-1)}: ${fault.message}.`;
  if (typeof problem?.detail === "string")
    return problem.detail.charAt(0).toUpperCase() + problem.detail.slice(1) + ".";
  return status >= 500 ? "The server is not well just now." : `The server answered ${status}.`;
}

const seen = (todo: Todo) => ({ "If-Match": `"${todo.version}"` });

export const PAGE = 100;

export const api = {
  register: (email: string, password: string) =>
    call<{ access_token: string }>("POST", "/auth/register", { body: { email, password } }),
  login: (email: string, password: string) =>
    call<{ access_token: string }>("POST", "/auth/login", { body: { email, password } }),
  logout: () => call<void>("POST", "/auth/logout"),
  me: () => call<{ id: number; email: string }>("GET", "/auth/me"),
  ready: () => call<unknown>("GET", "/ready"),
  async list(filter: Filter, most: number): Promise<Page> {
    const query = new URLSearchParams({ sort: filter.sort, limit: String(Math.min(most, PAGE)) });
    if (filter.search) query.set("search", filter.search);
    if (filter.tag) query.set("tag", filter.tag);
    if (filter.status !== "all") query.set("completed", String(filter.status === "done"));
    const todos: Todo[] = [];
    let total = 0;
    do {
      query.set("offset", String(todos.length));
      const response = await send("GET", `/todos?${query}`);
      total = Number(response.headers.get("X-Total-Count") ?? 0);
      const page: Todo[] = await response.json();
      todos.push(...page);
      if (!page.length) break;
    } while (todos.length < Math.min(most, total));
    return { todos, total };
  },
  /** key: that of the new todo. If it is sent again with the same key, nothing is created twice. */
  add: (details: Partial<Details>, key: string) =>
    call<Todo>("POST", "/todos", { body: details, headers: { "Idempotency-Key": key } }),
  change: (todo: Todo, change: Partial<Details & Pick<Todo, "completed">>) =>
    call<Todo>("PATCH", `/todos/${todo.id}`, {
      body: change,
      headers: "completed" in change ? {} : seen(todo),
    }),
  remove: (todo: Todo) => call<void>("DELETE", `/todos/${todo.id}`),
  restore: (todo: Todo) => call<Todo>("POST", `/todos/${todo.id}/restore`),
  /** What the assistant does and says, piece by piece. */
  async *chat(message: string, history: Turn[], signal: AbortSignal): AsyncGenerator<ChatEvent> {
    const response = await send("POST", "/chat/stream", { body: { message, history }, signal });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let buffer = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw new ApiError(0, "The answer was cut off.");
      buffer += value;
      const events = buffer.split("\n\n");
      buffer = events.pop() ?? "";
      for (const event of events) {
        const name = /^event: (.*)$/m.exec(event)?.[1];
        const data = JSON.parse(/^data: (.*)$/m.exec(event)?.[1] ?? "null");
        if (name === "tool") yield { kind: "tool", call: data };
        if (name === "text") yield { kind: "text", text: data.text };
        if (name === "problem") throw new ApiError(data.status, explain(data.status, data));
        if (name === "done") return yield { kind: "done", provider: data.provider };
      }
    }
  },
};

/**
 * A unique key. `crypto.randomUUID` exists only on secure origins; http://todo.local is not one.
 */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}
