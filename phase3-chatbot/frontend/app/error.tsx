"use client";

/** Shown if a page itself fails. */
export default function Failed({ reset }: { reset: () => void }) {
  return (
    <main className="account">
      <div className="card">
        <h1>This page has failed</h1>
        <p>Nothing that was saved is lost.</p>
        <button className="primary" onClick={reset}>
          Try again
        </button>
      </div>
    </main>
  );
}
