/**
 * What a kill cannot do without, each alone and by the shortest way that Node has: `net`, a connection with one write and one read; `credential`,
 * one of MUNGE's. Arguments: which, port of the responder, file of a frame, munged's socket. Started by `stage.ts`.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { munge } from '../../src/index.js';
import { type KillRun, killAll } from './kill-run.js';

const [which = '', port = '', file = '', socket = ''] = process.argv.slice(2);
const frame = which === 'net' ? readFileSync(file) : Buffer.alloc(0);
const buffer = Buffer.alloc(65_536);

function exchange(): Promise<void> {
  return new Promise((resolve, reject) => {
    const callback = () => {
      connection.destroy();
      resolve();
      return true;
    };
    const address = { host: '127.0.0.1', port: Number(port), noDelay: true, allowHalfOpen: true };
    const connection = connect({ ...address, onread: { buffer, callback } });
    connection.on('error', reject);
    connection.on('connect', () => connection.write(frame));
  });
}

const auth = munge({ socket });
const payload = new Uint8Array(33);
const context = { signal: new AbortController().signal, remainingMs: () => 10_000 };
const once = which === 'net' ? exchange : () => auth.create(payload, 0, context);

process.on('message', (run: KillRun) => {
  killAll(run, once).then(
    (killed) => process.send?.(killed),
    (error: unknown) => {
      process.nextTick(() => {
        throw error;
      });
    },
  );
});
process.send?.('ready');
