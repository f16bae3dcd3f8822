/** Closes a switch over a union: reaching it means the program itself is wrong, so it ends with an assertion. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}

/** States what the program guarantees. What the world does is a value, never an assertion. */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`broken invariant: ${what}`);
}
