/** Adds to a log that keeps its last `limit` entries; the oldest go a tenth at a time, so that it costs next to nothing. */
export function keepLast<T>(log: T[], entry: T, limit: number): void {
  if (limit === 0) return;
  log.push(entry);
  if (log.length > limit) log.splice(0, Math.ceil(limit / 10));
}
