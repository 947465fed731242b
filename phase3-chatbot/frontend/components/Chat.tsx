"use client";

import { FormEvent, useEffect, useRef, useState } from "react";
import { Answer, api, Turn } from "@/lib/api";

type Properties = {
  attempt: (work: () => Promise<void>) => Promise<boolean>;
  onChange: () => Promise<boolean>;
};

const SUGGESTIONS = ["add buy milk", "what is open", "help"];
const REMEMBERED = 20;

export function Chat({ attempt, onChange }: Properties) {
  const [turns, setTurns] = useState<(Turn & { tools?: Answer["tool_calls"] })[]>([]);
  const [message, setMessage] = useState("");
  const [busy, setBusy] = useState(false);
  const end = useRef<HTMLDivElement>(null);

  useEffect(() => {
    end.current?.scrollIntoView({ block: "nearest" }); // newer browsers return a promise, which an effect must not
  }, [turns, busy]);

  async function say(text: string) {
    if (!text || busy) return;
    const history = turns.slice(-REMEMBERED).map(({ role, content }) => ({ role, content }));
    setTurns([...turns, { role: "user", content: text }]);
    setMessage("");
    setBusy(true);
    const done = await attempt(async () => {
      const answer = await api.chat(text, history);
      setTurns((before) => [...before, { role: "assistant", content: answer.reply, tools: answer.tool_calls }]);
      if (answer.tool_calls.length) await onChange();
    });
    if (!done) {
      setTurns(turns); // the words go back to where they can be sent again
      setMessage(text);
    }
    setBusy(false);
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    void say(message.trim());
  }

  return (
    <section className="card chat" aria-label="Assistant">
      <h2>Assistant</h2>
      <div className="turns" aria-live="polite">
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
            {turn.tools?.map((tool, position) => (
              <span key={position} className="tool">
                {tool.name}
              </span>
            ))}
            <p>{turn.content}</p>
          </div>
        ))}
        {busy && <p className="turn assistant quiet">…</p>}
        <div ref={end} />
      </div>
      <form className="row" onSubmit={submit}>
        <input aria-label="Message" placeholder="add buy milk" value={message} maxLength={2000} onChange={(event) => setMessage(event.target.value)} />
        <button className="primary" disabled={busy || !message.trim()}>
          Send
        </button>
      </form>
    </section>
  );
}
