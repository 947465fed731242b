"use client";

import { useEffect, useRef } from "react";

const KEYS = [
  ["↑ ↓", "move between todos"],
  ["Space", "done, or open again"],
  ["Enter", "edit; Esc leaves it as it was"],
  ["Delete", "delete, with undo"],
  ["Alt + N", "new todo"],
  ["Alt + S", "search"],
  ["Alt + C", "talk to the assistant"],
];

/**
 * Alt and a letter move to a field, from everywhere on the page. The key's place counts, because
 * with Alt some keyboards write other letters.
 */
const FIELDS: Record<string, string> = { KeyN: "new-todo", KeyS: "search", KeyC: "message" };

export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const go = (event: KeyboardEvent) => {
      const field =
        event.altKey &&
        !event.ctrlKey &&
        !event.metaKey &&
        document.getElementById(FIELDS[event.code] ?? "");
      if (!field) return;
      event.preventDefault();
      field.focus();
    };
    window.addEventListener("keydown", go);
    return () => window.removeEventListener("keydown", go);
  }, []);
  return (
    <>
      <button
        className="icon"
        aria-label="Keyboard help"
        title="Keyboard help"
        onClick={() => dialog.current?.showModal()}
      >
        ?
      </button>
      <dialog ref={dialog} className="card" aria-labelledby="help-title">
        <h2 id="help-title">Keyboard</h2>
        <dl>
          {KEYS.map(([key, does]) => (
            <div key={key}>
              <dt>
                <kbd>{key}</kbd>
              </dt>
              <dd>{does}</dd>
            </div>
          ))}
        </dl>
        <form method="dialog">
          <button className="primary">Close</button>
        </form>
      </dialog>
    </>
  );
}
