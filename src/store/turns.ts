/** Lets timers, sockets and whatever else is due run in between: for work over all objects of a large cluster. */
export function othersTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
