/**
 * Whole calls whose peers answer with any bytes: first contact, lookups, plans, fan-out. What the daemons said in recorded conversations is changed, and
 * given to the same calls. Time passes only while somebody waits.
 */

import { RELEASE_NAMES, type Release } from '../../../src/protocol/release.js';
import { isSlurmError, SlurmConfigError, SlurmUsageError } from '../../../src/protocol/slurm-error.js';
import type { Connection, Transport } from '../../../src/protocol/transport.js';
import { streamOf } from '../../../src/replay/conversation.js';
import { decodeFixture } from '../../../src/replay/fixture.js';
import { SlurmClient } from '../../../src/rpc/client.js';
import type { Clock } from '../../../src/rpc/clock.js';
import { Pacer } from '../../../src/rpc/pacer.js';
import { hashOf } from '../coverage.js';
import { recordings } from '../seeds.js';
import { Broken, type Target } from '../target.js';
import { fieldsOf } from './frame.js';

/** Which call, and in which release it was recorded. */
const PREFIX = 2;

interface Recorded {
  /** As in `provenance.client`: `signalJob(1,"SIGURG")`. */
  readonly call: string;
  readonly release: Release;
  /** What was heard, connection by connection. */
  readonly heard: readonly Uint8Array[];
}

const RECORDED: readonly Recorded[] = recordings().flatMap(({ path, bytes }) => {
  const { provenance, connections } = decodeFixture(bytes);
  const call = /^slurmwire (\w+\(.*\))$/.exec(provenance.client)?.[1];
  // terminate waits by the wall clock.
  if (call === undefined || call.startsWith('terminate(')) return [];
  const release = path.slice(0, 5) as Release;
  return [{ call, release, heard: connections.map((connection) => streamOf(connection, '<')) }];
});
const CALLS = [...new Set(RECORDED.map(({ call }) => call))].sort();

export const verbs: Target = {
  name: 'verbs',
  weight: 0.5,
  prefix: PREFIX,
  maxLength: 1 << 14,
  limits: { ms: 200, bytes: 16 << 20, bytesPerByte: 8192, message: 2000 },

  *seeds() {
    for (const { call, release, heard } of RECORDED) {
      const parts = heard.map((bytes) => {
        const part = new Uint8Array(2 + bytes.length);
        new DataView(part.buffer).setUint16(0, bytes.length);
        part.set(bytes, 2);
        return part;
      });
      const rest = Buffer.concat(parts);
      if (rest.length > 12_000) continue;
      yield Uint8Array.from([CALLS.indexOf(call), RELEASE_NAMES.indexOf(release), ...rest]);
    }
  },

  async run(input, report) {
    const [which = 0, version = 0] = input;
    const call = CALLS[which % CALLS.length] as string;
    const release = RELEASE_NAMES[version % RELEASE_NAMES.length] as Release;
    const answers = answersIn(input);
    const client = clientThatHears(answers, release);
    try {
      await makeCall(client, call);
      report(hashOf(call, 'done'));
    } catch (error) {
      if (!isSlurmError(error)) throw error;
      report(hashOf(call, error.code, error.outcome, error.phase ?? ''));
      if (error instanceof SlurmUsageError || error instanceof SlurmConfigError)
        throw new Broken(`${call}: ${error.name} for what a daemon said: ${error.message}`);
      throw error;
    } finally {
      await client.close();
    }
  },

  /** Frames whole again, each in its part. */
  repair(input, random) {
    if (random.oneIn(4)) return;
    const view = new DataView(input.buffer);
    for (let at = PREFIX; at + 6 < input.length; ) {
      const length = Math.min(view.getUint16(at), input.length - at - 2);
      view.setUint16(at, length);
      if (length > 4) view.setUint32(at + 2, length - 4);
      at += 2 + length;
    }
  },

  fields(input) {
    const starts: number[] = [];
    const view = new DataView(input.buffer, input.byteOffset);
    for (let at = PREFIX; at + 2 < input.length && starts.length < 2000; ) {
      const length = view.getUint16(at);
      for (const start of fieldsOf(input.subarray(at + 2, at + 2 + length))) starts.push(at + 2 + start);
      at += 2 + length;
    }
    return starts;
  },
};

/** Parts of an input, each with its length before it. */
function answersIn(input: Uint8Array): Uint8Array[] {
  const view = new DataView(input.buffer, input.byteOffset);
  const answers: Uint8Array[] = [];
  for (let at = PREFIX; at + 2 <= input.length; ) {
    const length = view.getUint16(at);
    answers.push(input.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return answers;
}

async function makeCall(client: SlurmClient, call: string): Promise<unknown> {
  const [, name = '', given = ''] = /^(\w+)\((.*)\)$/.exec(call) ?? [];
  const args = JSON.parse(`[${given}]`) as unknown[];
  const verb = (client as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>)[name];
  if (verb === undefined) throw new RangeError(`there is no ${name}`);
  return verb.apply(client, args);
}

function clientThatHears(answers: Uint8Array[], release: Release): SlurmClient {
  const clock = new WaitingClock();
  let next = 0;
  const transport: Transport = {
    async connect() {
      const bytes = answers[next++];
      if (bytes === undefined) throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
      return connectionOf(bytes);
    },
  };
  return new SlurmClient(
    {
      controllers: [{ host: 'ctl', port: 6817 }],
      release,
      findsVersion: true,
      slurmUser: 0,
      slurmdUser: 0,
      nodes: undefined,
      nodeAddress: () => '127.0.0.1:6818',
      treeWidth: undefined,
      cluster: null,
      trusted: new Set([0]),
      messageTimeoutMs: 5_000,
      maxReplyBytes: 1 << 20,
      // As auth/jwt: a reply has nothing to be checked by.
      auth: {
        name: 'auth/munge',
        create: async () => ({ plugin: 'auth/munge', credential: 'MUNGE:y:' }),
        verify: async () => null,
      },
      transport,
      pacer: new Pacer(clock),
      clock,
    },
    // By the wall clock, which no call comes near: what waits, waits on the clock above.
    600_000,
  );
}

function connectionOf(bytes: Uint8Array): Connection {
  let isRead = false;
  return {
    write: async () => {},
    read: async () => {
      if (isRead) return null;
      isRead = true;
      return bytes.length === 0 ? null : bytes;
    },
    close: () => {},
  };
}

class WaitingClock implements Clock {
  #now = 1_700_000_000_000;

  now(): number {
    return this.#now;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#now += ms;
    // A turn of the loop, so that deadlines and others have theirs.
    await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
  }
}
