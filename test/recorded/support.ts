/** The conversations of fixtures/RELEASE, recorded from live daemons. */
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { RECORDED_CLUSTER } from '../../lab/recorded-cluster.js';
import { connect, type SlurmClient } from '../../src/index.js';
import { FrameAssembler } from '../../src/protocol/frame-assembler.js';
import { decodeFrame, type Frame, type Release } from '../../src/protocol/index.js';
import { type Direction, type RedactedConnection, streamOf } from '../../src/replay/conversation.js';
import { type Fixture, type Player, type PlayOptions, play, readFixture } from '../../src/replay/index.js';
import { sectionsOf } from '../../src/replay/recorded-sections.js';

/** Releases whose daemons were recorded. */
export const RECORDED_RELEASES = ['20.11', '22.05', '24.11', '26.05'] as const satisfies Release[];

export function recorded(name: string, release: Release = '22.05'): Promise<Fixture> {
  return readFixture(pathOf(name, release));
}

/** The releases that a conversation was recorded with: not all have each option. */
export function releasesOf(name: string): Release[] {
  return RECORDED_RELEASES.filter((release) => existsSync(pathOf(name, release)));
}

/** Names of all conversations of a release. */
export function recordedNames(release: Release): string[] {
  return readdirSync(directoryOf(release)).map((file) => file.replace(/\.msgpack$/, ''));
}

const directoryOf = (release: Release) =>
  fileURLToPath(new URL(`../../fixtures/${release}/`, import.meta.url));
const pathOf = (name: string, release: Release) => `${directoryOf(release)}${name}.msgpack`;

/** The words of the command or call that was recorded: job numbers are as the cluster gave them out. */
export function wordsOf({ provenance }: Fixture): string[] {
  return provenance.client.split(' ');
}

/** True for a call of slurmwire's own, false for a command or a library of Slurm's. */
export function isOwnCall({ provenance }: Fixture): boolean {
  return provenance.client.startsWith('slurmwire ');
}

/** The call of slurmwire that was recorded: `slurmwire killJob(8,"SIGTERM")`. */
export function callOf({ provenance: { client } }: Fixture): { method: string; args: unknown[] } {
  const [, method = '', args] = /^slurmwire (\w+)\((.*)\)$/s.exec(client) ?? [];
  return { method, args: JSON.parse(`[${args}]`) };
}

/** Makes the recorded call again. */
export async function callAgain(slurm: SlurmClient, fixture: Fixture): Promise<unknown> {
  const { method, args } = callOf(fixture);
  const call = slurm[method as keyof SlurmClient] as (...args: unknown[]) => PromiseLike<unknown>;
  return call.apply(slurm, args);
}

/** Who made the recorded call. */
export function callerOf({ connections }: Fixture): number {
  const uid = connections.flatMap((connection) => sectionsOf(connection, '>'))[0]?.facts.uid;
  if (typeof uid !== 'number') throw new TypeError('the recording does not say who the client was');
  return uid;
}

/** All frames the client sent, in order. */
export function sentFrames(fixture: Fixture): RecordedFrame[] {
  return fixture.connections.flatMap((connection) => framesOf(connection, '>'));
}

/** A frame and the bytes it was read from, length word included. */
export interface RecordedFrame extends Frame {
  readonly bytes: Uint8Array;
}

/** The frames of one direction of a connection. */
export function framesOf(connection: RedactedConnection, direction: Direction): RecordedFrame[] {
  const assembler = new FrameAssembler();
  assembler.push(streamOf(connection, direction));
  const frames: RecordedFrame[] = [];
  for (let bytes = assembler.take(); bytes !== null; bytes = assembler.take())
    frames.push({ ...decodeFrame(bytes), bytes });
  return frames;
}

/** Header and body; the body length is in the header, so that a credential of another length changes nothing. */
export function withoutCredential({ release, header, body }: Frame): unknown {
  return { release, header, body: Buffer.from(body).toString('hex') };
}

/** A client whose daemon is the recording. */
export async function playing(
  fixture: Fixture,
  options: PlayOptions = {},
): Promise<{ slurm: SlurmClient; player: Player }> {
  const player = play(fixture, options);
  const { transport, auth } = player;
  const slurm = await connect({ conf: RECORDED_CLUSTER, transport, auth });
  return { slurm, player };
}
