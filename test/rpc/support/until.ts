/** Resolves as soon as the condition holds; looks again each time the event loop comes round. No timer, no sleep. */
export async function until(condition: () => boolean, what: string, limitMs = 15_000): Promise<void> {
  const start = performance.now();
  while (!condition()) {
    if (performance.now() - start > limitMs) throw new Error(`waited ${limitMs} ms in vain for ${what}`);
    await turn();
  }
}

/** One turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
