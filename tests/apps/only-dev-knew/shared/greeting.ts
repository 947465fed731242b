export type Greeting = { words: string };
export const greeting: Greeting = { words: "Only dev knew" };
