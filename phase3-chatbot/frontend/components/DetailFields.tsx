import type { Details, Priority, Todo } from "@/lib/api";

/** The fields of a todo other than its title. */
export function DetailFields({ todo }: { todo?: Todo }) {
  return (
    <div className="details">
      <label>
        Due date
        <input
          name="due_date"
          type="date"
          min="1000-01-01"
          max="9999-12-31"
          defaultValue={todo?.due_date ?? ""}
        />
      </label>
      <label>
        Priority
        <select name="priority" defaultValue={todo?.priority ?? "normal"}>
          <option value="low">Low</option>
          <option value="normal">Normal</option>
          <option value="high">High</option>
        </select>
      </label>
      <label>
        Tags
        <input name="tags" placeholder="home, shop" defaultValue={todo?.tags.join(", ") ?? ""} />
      </label>
      <label className="wide">
        Note
        <textarea name="note" rows={2} maxLength={4000} defaultValue={todo?.note ?? ""} />
      </label>
    </div>
  );
}

export function readDetails(form: FormData): Omit<Details, "title"> {
  const text = (name: string) => String(form.get(name) ?? "");
  const tags = text("tags").split(/[\s,]+/);
  return {
    due_date: text("due_date") || null,
    priority: text("priority") as Priority,
    tags: tags.map((tag) => tag.replace(/^#/, "")).filter(Boolean),
    note: text("note"),
  };
}
