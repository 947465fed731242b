"use client";

import { useRouter } from "next/navigation";
import { useCallback, useEffect, useRef, useState } from "react";
import { Chat } from "@/components/Chat";
import { Help } from "@/components/Help";
import { TodoList } from "@/components/TodoList";
import { api, ApiError, Filter, Page as Found, PAGE, session } from "@/lib/api";

const ALL: Filter = { search: "", status: "all", tag: "", sort: "newest" };
const RETRY = 2000; // milliseconds

/** The filter is kept in the address, so people can link to it, and reloading keeps it. */
function readFilter(): Filter {
  const given = new URLSearchParams(window.location.search);
  const one = <T extends string>(name: string, allowed: readonly T[], otherwise: T) =>
    allowed.find((value) => value === given.get(name)) ?? otherwise;
  return {
    search: given.get("search") ?? "",
    tag: given.get("tag") ?? "",
    status: one("status", ["all", "open", "done"] as const, "all"),
    sort: one("sort", ["newest", "due", "priority"] as const, "newest"),
  };
}

function writeFilter(filter: Filter) {
  const given = Object.entries(filter).filter(
    ([name, value]) => value !== ALL[name as keyof Filter],
  );
  const query = new URLSearchParams(given).toString();
  window.history.replaceState(null, "", query ? `?${query}` : window.location.pathname);
}

export default function Page() {
  const router = useRouter();
  const [email, setEmail] = useState("");
  const [filter, setFilter] = useState<Filter | null>(null);
  const [most, setMost] = useState(PAGE);
  const [found, setFound] = useState<Found | null>(null);
  const [problem, setProblem] = useState("");
  const [away, setAway] = useState(""); // why the server cannot be reached; empty if it can
  const newest = useRef(0);

  const leave = useCallback(
    (why: "" | "expired") => {
      session.end();
      router.replace(why ? `/login?${why}` : "/login");
    },
    [router],
  );

  /**
   * Do something with the API. Show what went wrong, wait for a server that cannot be reached, and
   * go to the login page if the login has ended.
   */
  const attempt = useCallback(
    async (work: () => Promise<void>) => {
      try {
        await work();
        setProblem("");
        setAway("");
        return true;
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) leave("expired");
        else if (error instanceof ApiError && error.passing)
          setAway(navigator.onLine ? error.message : "You are offline.");
        else setProblem(error instanceof ApiError ? error.message : "Something went wrong.");
        return false;
      }
    },
    [leave],
  );

  const refresh = useCallback(
    () =>
      attempt(async () => {
        if (!filter) return;
        const mine = ++newest.current;
        const page = await api.list(filter, most);
        if (mine === newest.current) setFound(page); // the answer of an earlier request came late
      }),
    [attempt, filter, most],
  );

  useEffect(() => {
    if (!session.left()) return leave(session.token() ? "expired" : "");
    setFilter(readFilter());
    void attempt(async () => setEmail((await api.me()).email));
    const end = window.setTimeout(() => leave("expired"), Math.min(session.left(), 2 ** 31 - 1));
    const loggedOutElsewhere = () => session.token() || leave("");
    window.addEventListener("storage", loggedOutElsewhere);
    return () => {
      window.clearTimeout(end);
      window.removeEventListener("storage", loggedOutElsewhere);
    };
  }, [attempt, leave]);

  useEffect(() => {
    if (!filter) return;
    writeFilter(filter);
    void refresh();
  }, [filter, refresh]);

  useEffect(() => {
    if (!away) return;
    let asking = false;
    const ask = async () => {
      if (asking) return;
      asking = true;
      await api.ready().then(refresh, () => undefined);
      asking = false;
    };
    const timer = window.setInterval(ask, RETRY);
    window.addEventListener("online", ask);
    return () => {
      window.clearInterval(timer);
      window.removeEventListener("online", ask);
    };
  }, [away, refresh]);

  useEffect(() => {
    const offline = () => setAway("You are offline.");
    window.addEventListener("offline", offline);
    return () => window.removeEventListener("offline", offline);
  }, []);

  async function logOut() {
    await api.logout().catch(() => undefined); // the token is deleted even if no server answers
    leave("");
  }

  return (
    <div className="app">
      <header>
        <span className="logo" aria-hidden>
          ✓
        </span>
        <h1>Todo chatbot</h1>
        <span className="quiet email">{email}</span>
        <Help />
        <button onClick={() => void logOut()}>Log out</button>
      </header>
      <div role="alert">
        {away && (
          <p className="banner waiting">
            {away} I keep trying; what you see may be old.{" "}
            <button onClick={() => void refresh()}>Try now</button>
          </p>
        )}
        {problem && (
          <p className="banner">
            {problem}{" "}
            <button
              onClick={() => {
                setProblem("");
                void refresh();
              }}
            >
              Reload the list
            </button>
          </p>
        )}
      </div>
      <main className="columns">
        <TodoList
          found={found}
          filter={filter ?? ALL}
          onFilter={(changed) => {
            setMost(PAGE);
            setFilter({ ...(filter ?? ALL), ...changed });
          }}
          onMore={() => setMost(most + PAGE)}
          attempt={attempt}
          refresh={refresh}
        />
        <Chat attempt={attempt} onChange={refresh} />
      </main>
    </div>
  );
}
