"use client";

import { FormEvent, useEffect, useRef, useState } from "react";
import { api, ToolCall, Turn } from "@/lib/api";

type Properties = {
  attempt: (work: () => Promise<void>) => Promise<boolean>;
  onChange: () => Promise<boolean>;
};

const SUGGESTIONS = ["add buy milk by tomorrow #shop", "what is open", "help"];
const REMEMBERED = 20;
const DOING: Record<string, string> = {
  add_todo: "added a todo",
  list_todos: "read the list",
  search_todos: "searched",
  complete_todo: "marked as done",
  update_todo: "changed a todo",
  delete_todo: "deleted a todo",
};

export function Chat({ attempt, onChange }: Properties) {
  const [turns, setTurns] = useState<Turn[]>([]);
  const [tools, setTools] = useState<Record<number, ToolCall[]>>({}); // by turn
  const [message, setMessage] = useState("");
  const [busy, setBusy] = useState(false);
  const stop = useRef<AbortController | null>(null);
  const box = useRef<HTMLDivElement>(null);

  useEffect(() => {
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [turns, tools, busy]);
  useEffect(() => () => stop.current?.abort(), []);

  async function say(text: string) {
    if (!text || busy) return;
    const history = turns
      .slice(-REMEMBERED)
      .map((turn) => ({ ...turn, content: turn.content.slice(0, 4000) }));
    const asked: Turn[] = [...turns, { role: "user", content: text }];
    const at = asked.length;
    let reply = "";
    const called: ToolCall[] = [];
    setTurns(asked);
    setMessage("");
    setBusy(true);
    stop.current = new AbortController();
    const { signal } = stop.current;
    const done = await attempt(async () => {
      try {
        for await (const event of api.chat(text, history, signal)) {
          if (event.kind === "text")
            setTurns([...asked, { role: "assistant", content: (reply += event.text) }]);
          if (event.kind === "tool") {
            called.push(event.call);
            setTools((before) => ({ ...before, [at]: [...called] }));
            if (!/^(list|search)_/.test(event.call.name)) void onChange();
          }
        }
      } catch (error) {
        if (!signal.aborted) throw error;
        setTurns([...asked, { role: "assistant", content: `${reply} (stopped)`.trim() }]);
      }
    });
    if (!done && !reply && !called.length) {
      setTurns(turns); // the text goes back to the field, so it can be sent again
      setMessage(text);
    }
    if (called.length) void onChange();
    setBusy(false);
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    void say(message.trim());
  }

  return (
    <section className="card chat" aria-labelledby="chat-title">
      <h2 id="chat-title">Assistant</h2>
      <div className="turns" ref={box} role="log" aria-label="Conversation" tabIndex={0}>
        {turns.length === 0 && (
          <div className="empty quiet">
            <p>Tell me what to do with your todos.</p>
            {SUGGESTIONS.map((suggestion) => (
              <button key={suggestion} onClick={() => void say(suggestion)}>
                {suggestion}
              </button>
            ))}
          </div>
        )}
        {turns.map((turn, index) => (
          <div key={index} className={`turn ${turn.role}`}>
            {turn.role === "assistant" && <Tools calls={tools[index] ?? []} />}
            <p>{turn.content}</p>
          </div>
        ))}
        {busy && turns.at(-1)?.role === "user" && (
          <div className="turn assistant">
            <Tools calls={tools[turns.length] ?? []} />
            <p className="thinking" role="status" aria-label="The assistant is thinking">
              <span />
              <span />
              <span />
            </p>
          </div>
        )}
      </div>
      <form className="row" onSubmit={submit}>
        <input
          aria-label="Message"
          placeholder="add buy milk"
          id="message"
          value={message}
          maxLength={2000}
          onChange={(event) => setMessage(event.target.value)}
        />
        {busy ? (
          <button type="button" onClick={() => stop.current?.abort()}>
            Stop
          </button>
        ) : (
          <button className="primary" disabled={!message.trim()}>
            Send
          </button>
        )}
      </form>
    </section>
  );
}

function Tools({ calls }: { calls: ToolCall[] }) {
  return (
    <>
      {calls.map((call, position) => (
        <span
          key={position}
          className="tool"
          title={`${call.name} ${JSON.stringify(call.arguments)}`}
        >
          <code>{call.name}</code> {DOING[call.name]}
        </span>
      ))}
    </>
  );
}
