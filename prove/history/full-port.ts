/** A port whose accept queue is full: connections to it are neither taken nor refused. */
import { type ChildProcess, spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

let made: Promise<number> | null = null;
let holder: ChildProcess | null = null;
const fillers: Socket[] = [];

/** Listens with the smallest queue and does nothing else, which Node itself would: a process that is stopped. */
const PROGRAM = `
const server = require('node:net').createServer(() => {});
server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => console.log(server.address().port));
process.stdin.resume().on('end', () => process.exit());
`;

/** One for all runs of this process, until {@link closeFullPort}. */
export function fullPort(): Promise<number> {
  made ??= make();
  return made;
}

async function make(): Promise<number> {
  const child = spawn(process.execPath, ['-e', PROGRAM], { stdio: ['pipe', 'pipe', 'inherit'] });
  holder = child;
  const port = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.stdout?.once('data', (text) => resolve(Number(text)));
  });
  child.kill('SIGSTOP');
  // Linux takes one more than the backlog; from then on a connection gets no answer.
  for (let taken = 0; taken < 8; taken++) {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('error', () => {});
    fillers.push(socket);
    const isTaken = await Promise.race([
      new Promise<boolean>((resolve) => socket.once('connect', () => resolve(true))),
      sleep(250).then(() => false),
    ]);
    if (!isTaken) break;
  }
  return port;
}

export async function closeFullPort(): Promise<void> {
  const child = holder;
  [made, holder] = [null, null];
  for (const socket of fillers.splice(0)) socket.destroy();
  if (child === null || child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}
