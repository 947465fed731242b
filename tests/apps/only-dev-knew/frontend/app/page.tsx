import { greeting } from "../../shared/greeting";

// A number that is none: `next dev` shows the page all the same.
const count: number = "not a number";

export default function Page() {
  return <main><h1>{greeting.words}</h1><p>{count}</p></main>;
}
