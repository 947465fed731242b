"use client";

import { useRouter } from "next/navigation";
import { useCallback, useEffect, useState } from "react";
import { Chat } from "@/components/Chat";
import { TodoList } from "@/components/TodoList";
import { api, ApiError, session, Todo } from "@/lib/api";

export default function Page() {
  const router = useRouter();
  const [email, setEmail] = useState("");
  const [todos, setTodos] = useState<Todo[] | null>(null);
  const [problem, setProblem] = useState("");

  const leave = useCallback(() => {
    session.end();
    router.replace("/login");
  }, [router]);

  /** Do something with the API; say what went wrong, and leave when the login has ended. */
  const attempt = useCallback(
    async (work: () => Promise<void>) => {
      try {
        await work();
        setProblem("");
        return true;
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) leave();
        else setProblem(error instanceof ApiError ? error.message : "Something went wrong.");
        return false;
      }
    },
    [leave],
  );

  const refresh = useCallback(() => attempt(async () => setTodos(await api.list())), [attempt]);

  useEffect(() => {
    if (!session.token()) {
      router.replace("/login");
      return;
    }
    void attempt(async () => setEmail((await api.me()).email));
    void refresh();
  }, [attempt, refresh, router]);

  return (
    <div className="app">
      <header>
        <span className="logo" aria-hidden>
          ✓
        </span>
        <h1>Todo chatbot</h1>
        <span className="quiet email">{email}</span>
        <button onClick={leave}>Log out</button>
      </header>
      {problem && (
        <p className="banner" role="alert">
          {problem} <button onClick={() => void refresh()}>Try again</button>
        </p>
      )}
      <main className="columns">
        <TodoList todos={todos} attempt={attempt} refresh={refresh} />
        <Chat attempt={attempt} onChange={refresh} />
      </main>
    </div>
  );
}
