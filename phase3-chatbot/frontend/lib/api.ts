/** The API as the pages use it. */

export type Todo = { id: number; title: string; note: string; completed: boolean; created_at: string; updated_at: string };
export type Turn = { role: "user" | "assistant"; content: string };
export type Answer = { reply: string; tool_calls: { name: string; arguments: Record<string, unknown> }[]; provider: "openai" | "offline" };

declare global {
  interface Window {
    __CONFIG__?: { NEXT_PUBLIC_API_URL?: string };
  }
}

const TOKEN = "todo-chatbot.token";

/** A request that did not do what it should. status 0: nothing answered. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** Where the API is: a run-time value, so one build serves every address. */
function base(): string {
  return (window.__CONFIG__?.NEXT_PUBLIC_API_URL ?? "/api").replace(/\/$/, "");
}

export const session = {
  token: () => window.localStorage.getItem(TOKEN),
  start: (token: string) => window.localStorage.setItem(TOKEN, token),
  end: () => window.localStorage.removeItem(TOKEN),
};

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const token = session.token();
  let response: Response;
  try {
    response = await fetch(base() + path, {
      method,
      headers: {
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(token ? { Authorization: `Bearer ${token}` } : {}),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new ApiError(0, "The server cannot be reached. Check your connection and try again.");
  }
  if (response.status === 204) return undefined as T;
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(response.status, explain(response.status, answer?.detail));
  return answer as T;
}

function explain(status: number, detail: unknown): string {
  if (Array.isArray(detail) && detail[0]?.msg) return `${String(detail[0].loc?.at(-1) ?? "input")}: ${detail[0].msg}`;
  if (typeof detail === "string") return detail.charAt(0).toUpperCase() + detail.slice(1) + ".";
  return status >= 500 ? "The server is not well just now. Try again in a moment." : `The server answered ${status}.`;
}

export const api = {
  register: (email: string, password: string) => call<{ access_token: string }>("POST", "/auth/register", { email, password }),
  login: (email: string, password: string) => call<{ access_token: string }>("POST", "/auth/login", { email, password }),
  me: () => call<{ id: number; email: string }>("GET", "/auth/me"),
  list: () => call<Todo[]>("GET", "/todos"),
  add: (title: string) => call<Todo>("POST", "/todos", { title }),
  change: (id: number, change: Partial<Pick<Todo, "title" | "note" | "completed">>) => call<Todo>("PATCH", `/todos/${id}`, change),
  remove: (id: number) => call<void>("DELETE", `/todos/${id}`),
  chat: (message: string, history: Turn[]) => call<Answer>("POST", "/chat", { message, history }),
};
