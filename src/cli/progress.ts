/** What a long command tells meanwhile, on stderr: on a terminal lines above a bar, else plain lines. */
import type { CliIo } from './io.js';
import { safeLines, safeText } from './safe-text.js';

export interface Progress {
  /** Something has happened. */
  line(text: string): void;
  /** How far it is; nothing where there is no terminal. */
  bar(value: number, total: number, text: string): void;
  /** Takes the bar off the screen. May be called twice. */
  stop(): void;
}

const FRAMES_PER_SECOND = 5;
const BAR_SIZE = 24;

/** Stop it whatever happens: it keeps a timer, and the terminal in a mode of its own. */
export async function openProgress(io: CliIo): Promise<Progress> {
  const { stderr } = io;
  if (stderr.isTTY !== true || io.env.TERM === 'dumb') {
    return { line: (text) => void stderr.write(`${safeLines(text)}\n`), bar: () => {}, stop: () => {} };
  }
  // Loaded where it is used: most runs of the command draw nothing.
  const { default: cliProgress } = await import('cli-progress');
  const bars = new cliProgress.MultiBar({
    stream: stderr,
    format: '[{bar}] {text}',
    fps: FRAMES_PER_SECOND,
    barsize: BAR_SIZE,
    clearOnComplete: true,
    // Signals to this process are the program's own matter.
    gracefulExit: false,
  });
  let bar: ReturnType<typeof bars.create> | undefined;
  let isStopped = false;
  return {
    line(text) {
      if (bar === undefined || isStopped) stderr.write(`${safeLines(text)}\n`);
      else bars.log(`${safeLines(text)}\n`);
    },
    bar(value, total, about) {
      if (isStopped) return;
      const text = safeText(about);
      if (bar === undefined) bar = bars.create(total, value, { text });
      bar.setTotal(total);
      bar.update(value, { text });
    },
    stop() {
      if (isStopped) return;
      isStopped = true;
      if (bar === undefined) return;
      bars.update(); // writes the lines that wait
      bars.stop();
    },
  };
}
