/** Lists of array tasks as texts. */

/**
 * Reads `0-9,12,20-30:5`; a `%limit` is not part of it.
 *
 * @returns the tasks, ascending and each once; `null` for what is no list of tasks below `size`.
 */
export function tasksOf(ranges: string, size: number): number[] | null {
  const tasks = new Set<number>();
  for (const range of ranges.split(',')) {
    const match = /^(\d{1,7})(?:-(\d{1,7})(?::(\d{1,7}))?)?$/.exec(range);
    if (match === null) return null;
    const [, first = '', last = first, stride = '1'] = match;
    const [low, high, step] = [Number(first), Number(last), Number(stride)];
    if (high < low || step < 1 || high >= size) return null;
    for (let task = low; task <= high; task += step) tasks.add(task);
  }
  return [...tasks].sort((a, b) => a - b);
}

/** Writes `0-2,7`. */
export function taskText(tasks: Iterable<number>): string {
  const parts: [number, number][] = [];
  for (const task of [...tasks].sort((a, b) => a - b)) {
    const last = parts.at(-1);
    if (last !== undefined && task === last[1] + 1) last[1] = task;
    else parts.push([task, task]);
  }
  return parts.map(([low, high]) => (low === high ? `${low}` : `${low}-${high}`)).join(',');
}
