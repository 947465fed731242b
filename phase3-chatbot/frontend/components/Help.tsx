"use client";

import { useRef } from "react";

const KEYS = [
  ["↑ ↓", "move between todos"],
  ["Space", "done, or open again"],
  ["Enter", "edit; Esc leaves it as it was"],
  ["Delete", "delete, with undo"],
  ["Alt + N", "new todo"],
  ["Alt + S", "search"],
  ["Alt + C", "talk to the assistant"],
];

export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  return (
    <>
      <button className="icon" aria-label="Keyboard help" title="Keyboard help" onClick={() => dialog.current?.showModal()}>
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
