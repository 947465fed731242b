import Link from "next/link";

export default function NotFound() {
  return (
    <main className="account">
      <div className="card">
        <h1>There is nothing here</h1>
        <p>
          <Link href="/">Back to your todos</Link>
        </p>
      </div>
    </main>
  );
}
