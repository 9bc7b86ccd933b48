/**
 * slurmwire's codec, timed in a process of its own: what `bench/peers/codec-peer.c` does with libslurm's.
 *
 *   kill RELEASE COUNT             a kill frame, encoded and decoded COUNT times
 *   table RELEASE BODYFILE COUNT   a RESPONSE_JOB_INFO body, decoded COUNT times
 *
 * Prints a line of JSON; times in nanoseconds, of one.
 */
import { readFileSync } from 'node:fs';
import { packFrame } from '../../src/protocol/frame.js';
import {
  decodeBody,
  decodeFrame,
  encodeBody,
  messageTypeNumber,
  payloadDigest,
  type Release,
} from '../../src/protocol/index.js';
import { pooled } from '../../src/rpc/pooled.js';
import { CREDENTIAL, KILL, KILL_RECORD, killFrame } from './kill-frame.js';

/** What the last run came to: what nobody looks at need not be computed. */
let seen: unknown;

const [what, release, ...rest] = process.argv.slice(2) as [string, Release, ...string[]];
if (what === 'kill') timeKill(Number(rest[0]));
else timeTable(rest[0] as string, Number(rest[1]));
if (seen === undefined) throw new Error('nothing was done');

/** Warm: a client that kills has done it before. */
function timeKill(count: number): void {
  const { frame } = killFrame(release);
  const type = messageTypeNumber(KILL, release) as number;
  const packed = encodeBody(KILL, release, KILL_RECORD);
  const encode = () => {
    const body = encodeBody(KILL, release, KILL_RECORD);
    return packFrame({ release, messageName: KILL, auth: CREDENTIAL, body }, pooled);
  };
  const decode = () => decodeBody(KILL, release, decodeFrame(frame).body);
  const digest = () => payloadDigest(release, type, packed);
  for (const step of [encode, decode, digest]) timed(step, Math.ceil(count / 4));
  const before = process.cpuUsage();
  const encoded = timed(encode, count);
  const decoded = timed(decode, count);
  const { user, system } = process.cpuUsage(before);
  print({
    encode: encoded,
    decode: decoded,
    cpu: ((user + system) * 1e3) / count,
    digest: timed(digest, Math.ceil(count / 10)),
  });
}

/** The first separately: nothing of it is compiled yet, neither by us nor by V8. A command decodes one table in its life. */
function timeTable(path: string, count: number): void {
  const bytes = new Uint8Array(readFileSync(path));
  const decode = () => decodeBody('RESPONSE_JOB_INFO', release, bytes);
  const first = timed(decode, 1);
  timed(decode, 4);
  const before = process.cpuUsage();
  const warm = timed(decode, count);
  const { user, system } = process.cpuUsage(before);
  print({ decode: warm, cpu: ((user + system) * 1e3) / count, first });
}

function timed(step: () => unknown, count: number): number {
  const began = process.hrtime.bigint();
  for (let i = 0; i < count; i++) seen = step();
  return Number(process.hrtime.bigint() - began) / count;
}

function print(figures: Readonly<Record<string, number>>): void {
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}
