"use client";

import Link from "next/link";
import { useRouter } from "next/navigation";
import { FormEvent, useEffect, useState } from "react";
import { api, ApiError, session } from "@/lib/api";

const TEXTS = {
  login: {
    title: "Welcome back",
    action: "Log in",
    other: "No account yet?",
    link: "Register",
    href: "/register",
    autocomplete: "current-password",
  },
  register: {
    title: "Make an account",
    action: "Register",
    other: "Already registered?",
    link: "Log in",
    href: "/login",
    autocomplete: "new-password",
  },
};

export function AccountForm({ kind }: { kind: keyof typeof TEXTS }) {
  const router = useRouter();
  const [problem, setProblem] = useState("");
  const [notice, setNotice] = useState("");
  const [busy, setBusy] = useState(false);
  const text = TEXTS[kind];

  useEffect(() => {
    if (session.left()) router.replace("/");
    else if (new URLSearchParams(window.location.search).has("expired"))
      setNotice("Your session has ended. Log in again.");
  }, [router]);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setProblem("");
    try {
      const { access_token } = await api[kind](
        String(form.get("email")),
        String(form.get("password")),
      );
      session.start(access_token);
      router.replace("/");
    } catch (error) {
      const words = error instanceof ApiError ? error.message : "Something went wrong.";
      setProblem(
        error instanceof ApiError && error.passing ? `${words} Try again in a moment.` : words,
      );
      setBusy(false);
    }
  }

  return (
    <main className="account">
      <form className="card" onSubmit={submit}>
        <h1>
          <span className="logo" aria-hidden>
            ✓
          </span>
          {text.title}
        </h1>
        {notice && (
          <p className="banner" role="status">
            {notice}
          </p>
        )}
        <label>
          E-mail
          <input
            name="email"
            type="email"
            autoComplete="email"
            required
            autoFocus
            maxLength={254}
            placeholder="you@example.com"
          />
        </label>
        <label>
          Password
          <input
            name="password"
            type="password"
            autoComplete={text.autocomplete}
            required
            minLength={8}
            maxLength={128}
            placeholder="at least 8 characters"
          />
        </label>
        <p className="problem" role="alert">
          {problem}
        </p>
        <button className="primary" disabled={busy}>
          {busy ? "One moment…" : text.action}
        </button>
        <p className="quiet">
          {text.other} <Link href={text.href}>{text.link}</Link>
        </p>
      </form>
    </main>
  );
}
