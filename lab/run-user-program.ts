import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { UserTask, UserTaskResult } from './user-program.js';

const run = promisify(execFile);

/** Runs `user-program.js` (built: see tsconfig.tools.json) in a process of its own. */
export async function runUserProgram(task: UserTask): Promise<UserTaskResult> {
  const program = fileURLToPath(new URL('./user-program.js', import.meta.url));
  const { stdout } = await run(process.execPath, [program, JSON.stringify(task)], {
    cwd: '/',
    maxBuffer: 64 * 1024 * 1024,
  });
  return JSON.parse(stdout);
}
