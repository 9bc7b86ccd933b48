import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  decodeFrame,
  encodeBody,
  encodeFrame,
  KILL_FLAGS,
  MESSAGES,
  type MessageInput,
  type MessageName,
  messageTypeNumber,
  RELEASE_NAMES,
  type Release,
} from '../../src/protocol/index.js';
import { messageType } from '../../src/protocol/messages/index.js';
import type { SlurmClient } from '../../src/rpc/index.js';
import { exampleOf } from '../support/description.js';
import { FakeAuth } from './support/fake-auth.js';
import { answering, rc } from './support/replies.js';
import { ScriptedPeer } from './support/scripted-peer.js';
import { clientOf, expectFailure, expectUsageError, failureOf, KILL_RECORD } from './support/setup.js';

let peer: ScriptedPeer;
let auth: FakeAuth;
let refusalsExpected: boolean;

beforeEach(async () => {
  peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(0), REQUEST_CANCEL_JOB_STEP: rc(0) }));
  auth = new FakeAuth();
  refusalsExpected = true;
});

afterEach(async () => {
  // A call that is answered proves that nothing else is still on its way to the peer.
  if (refusalsExpected) {
    await clientOf([peer.endpoint]).request('REQUEST_PING', {});
    expect(peer.requests).toEqual(['REQUEST_PING']);
    expect(peer.connections).toHaveLength(1);
    expect(peer.bytesReceived).toBe(peer.connections[0]?.request?.bytes.length);
    expect(auth.created).toEqual([]);
  }
  await peer.close();
});

const client = (release: Release = '22.05'): SlurmClient => clientOf([peer.endpoint], { release, auth });
const KILL = 'REQUEST_KILL_JOB';
const STEP = 'REQUEST_CANCEL_JOB_STEP';
const STEP_RECORD = { stepId: { jobId: 7, stepId: 0, stepHetComp: 0xfffffffe }, sjobId: null, signal: 15 };

/** A record with everything in it that the release can carry. */
const exampleRecord = (name: MessageName, release: Release) =>
  exampleOf(messageType(name), release) as object;

/** The codec is complete: what is refused at the door can still be packed. */
function stillEncodes(name: MessageName, release: Release, record: object, flags = 0): void {
  const body = encodeBody(name, release, record as MessageInput<typeof name>);
  expect(decodeFrame(encodeFrame({ release, messageName: name, auth: null, body, flags })).body).toEqual(
    body,
  );
}

const unsafe = (field: string, value: string, rpc: MessageName = KILL, protocol: Release = '22.05') => ({
  code: 'SLURMWIRE_UNSAFE_MESSAGE',
  field,
  value,
  rpc,
  protocol,
});

describe('KILL_JOB without its id text, which crashes slurmctld', () => {
  it.each(RELEASE_NAMES)('null and empty (%s)', async (release) => {
    for (const sjobId of [null, '']) {
      const record = { ...KILL_RECORD, sjobId };
      await expectUsageError(
        client(release).request(KILL, record),
        unsafe('sjobId', JSON.stringify(sjobId), KILL, release),
      );
      stillEncodes(KILL, release, record);
    }
  });

  it('missing or undefined: the record does not fit the message', async () => {
    const { sjobId: _, ...missing } = KILL_RECORD;
    for (const record of [missing, { ...missing, sjobId: undefined }]) {
      const error = await expectFailure(client().request(KILL, record as never), {
        name: 'SlurmProtocolError',
        code: 'SLURMWIRE_FIELD_MISSING',
        phase: undefined,
        outcome: 'not-sent',
        retryable: false,
        rpc: KILL,
        peer: undefined,
        protocol: '22.05',
      });
      expect(error).toMatchObject({ fieldPath: 'sjobId' });
    }
  });

  it.each([7, {}, [], true, Symbol('7'), () => '7'])('a text that is none: %s', async (sjobId) => {
    const error = await failureOf(client().request(KILL, { ...KILL_RECORD, sjobId } as never));
    expect(error).toMatchObject({ code: 'SLURMWIRE_BAD_VALUE', fieldPath: 'sjobId', outcome: 'not-sent' });
  });
});

describe('signals that are none', () => {
  const NUMBERS = [
    0, 65, 66, 100, 128, 200, 253, 255, 256, 265, 300, 991, 992, 993, 994, 995, 996, 997, 998, 999, 1000,
    32768, 65535,
  ];

  it.each(NUMBERS)('%i through request()', async (signal) => {
    for (const release of ['20.11', '22.05', '26.11'] as const) {
      for (const [name, record] of [
        [KILL, { ...KILL_RECORD, signal }],
        [STEP, { ...STEP_RECORD, signal }],
      ] as const) {
        await expectUsageError(
          client(release).request(name, record),
          unsafe('signal', String(signal), name, release),
        );
        stillEncodes(name, release, record);
      }
    }
  });

  it.each([
    ...NUMBERS,
    -1,
    1.5,
    Number.NaN,
    Infinity,
    2 ** 32 + 9,
    '0',
    '65',
    '999',
    'SIGOOM',
    '',
    null,
    {},
    [],
  ])('%s through the verbs', async (signal) => {
    const expected = { code: 'SLURMWIRE_BAD_SIGNAL', field: 'unixSignal' };
    await expectUsageError(client().killJob(7, signal as number), expected);
    await expectUsageError(client().killJobStep('7.0', signal as number), expected);
  });

  it.each([-1, 1.5, Number.NaN, 65_536, 2 ** 32 + 9, '9', 9n, null, undefined, { valueOf: () => 9 }])(
    '%s does not fit the field at all',
    async (signal) => {
      const error = await failureOf(client().request(KILL, { ...KILL_RECORD, signal } as never));
      expect(error).toMatchObject({ name: 'SlurmProtocolError', fieldPath: 'signal', outcome: 'not-sent' });
    },
  );
});

describe('KILL flags', () => {
  for (const release of RELEASE_NAMES) {
    it(`that are internal to slurmctld or not of the release (${release})`, async () => {
      const at = RELEASE_NAMES.indexOf(release);
      const sendable = Object.values(KILL_FLAGS)
        .filter(
          ({ internal, first, last }) =>
            !internal &&
            RELEASE_NAMES.indexOf(first) <= at &&
            (last === null || at <= RELEASE_NAMES.indexOf(last)),
        )
        .reduce((bits, { bit }) => bits | bit, 0);
      const refused = Array.from({ length: 16 }, (_, i) => 1 << i).filter((bit) => (sendable & bit) === 0);
      expect(refused).toEqual(
        expect.arrayContaining([0x0002, 0x0010, 0x0040, 0x0080, 0x0100, 0x0400, 0x4000, 0x8000]),
      );
      for (const bit of refused) {
        // Alone, and hidden among flags that may be sent.
        for (const flags of [bit, bit | 0x0001]) {
          for (const [name, record] of [
            [KILL, { ...KILL_RECORD, flags }],
            [STEP, { ...STEP_RECORD, flags }],
          ] as const) {
            await expectUsageError(
              client(release).request(name, record),
              unsafe('flags', String(flags), name, release),
            );
            stillEncodes(name, release, record);
          }
        }
      }
    });
  }
});

describe('header flags', () => {
  const BITS = [0x0002, 0x0004, 0x0008, 0x0020, 0x0040, 0x0080, 0x0100, 0x1000, 0x8000, 0x0003, 0xffff];

  it.each([
    ...BITS,
    -1,
    1.5,
    Number.NaN,
    Infinity,
    0x10000,
    2 ** 32,
    2 ** 32 + 1,
    2 ** 53,
    '1',
    null,
    {},
    [1],
    1n,
  ])('%s is refused before anything is sent', async (flags) => {
    for (const name of ['REQUEST_PING', KILL] as const) {
      const record = name === KILL ? KILL_RECORD : {};
      const work = client().request(name, record as never, { flags: flags as number });
      await expectUsageError(work, {
        code: 'SLURMWIRE_UNSAFE_MESSAGE',
        field: 'flags',
        rpc: name,
        protocol: '22.05',
      });
    }
  });

  it.each(BITS.filter((bit) => (bit & 0x40) === 0))('the codec still packs 0x%s', (flags) => {
    const frame = encodeFrame({
      release: '22.05',
      messageName: 'REQUEST_PING',
      auth: { plugin: 'auth/munge', credential: 'MUNGE:x:' },
      body: new Uint8Array(),
      flags,
    });
    expect(decodeFrame(frame).header.flags).toBe(flags);
  });

  it.each([0, 0x0001, 0x0010, 0x0011])('%i is sent', async (flags) => {
    refusalsExpected = false;
    await client().request(KILL, KILL_RECORD, { flags });
    expect(peer.connections.at(-1)?.request?.frame.header.flags).toBe(flags);
  });
});

describe('messages', () => {
  const responses = (Object.keys(MESSAGES) as MessageName[]).filter((name) => !name.startsWith('REQUEST_'));

  it.each(responses)('%s is no request', async (name) => {
    const releases = RELEASE_NAMES.filter((release) => messageTypeNumber(name, release) !== null);
    expect(releases).not.toEqual([]);
    for (const release of releases) {
      const record = exampleRecord(name, release);
      await expectUsageError(
        client(release).request(name, record as never),
        unsafe('message', JSON.stringify(name), name, release),
      );
      stillEncodes(name, release, record);
    }
  });

  it.each([
    'REQUEST_SHUTDOWN',
    'REQUEST_RECONFIGURE',
    'toString',
    '__proto__',
    '',
    5032,
    null,
    undefined,
    {},
    ['REQUEST_PING'],
  ])('%s is not described, so it is not sent', async (name) => {
    await expectUsageError(client().request(name as MessageName, {} as never), {
      code: 'SLURMWIRE_UNKNOWN_MESSAGE',
      field: 'message',
    });
  });
});

describe('objects that change under the hands', () => {
  /** A record whose field is good the first times it is read and bad after. */
  function turning(field: string, good: unknown, bad: unknown, after: number): typeof KILL_RECORD {
    let reads = 0;
    return Object.defineProperty({ ...KILL_RECORD }, field, {
      enumerable: true,
      get: () => (++reads > after ? bad : good),
    });
  }

  it.each([
    ['sjobId', '7', null],
    ['sjobId', '7', ''],
    ['signal', 15, 999],
    ['signal', 15, 0],
    ['flags', 0, 0x0040],
  ])('%s turns from %j to %j: either all of it is good or nothing is sent', async (field, good, bad) => {
    refusalsExpected = false;
    for (let after = 0; after < 6; after++) {
      const sent = peer.count(KILL);
      const settled = await client()
        .request(KILL, turning(field, good, bad, after))
        .catch((error) => error);
      if (peer.count(KILL) === sent) {
        expect(settled).toMatchObject({ outcome: 'not-sent' });
        continue;
      }
      const body = peer.connections.at(-1)?.request?.frame.body;
      expect(body).toEqual(encodeBody(KILL, '22.05', { ...KILL_RECORD, [field]: good }));
    }
    expect(peer.count(KILL), 'the good ones').toBeGreaterThan(0);
  });

  it('a Proxy that lies about everything after it was packed', async () => {
    refusalsExpected = false;
    let packed = false;
    const record = new Proxy({ ...KILL_RECORD, flags: 0 } as Record<string, unknown>, {
      get: (target, key) => (packed ? null : target[key as string]),
    });
    const work = client().request(KILL, record as never);
    packed = true;
    await work;
    expect(peer.connections.at(-1)?.request?.frame.body).toEqual(encodeBody(KILL, '22.05', KILL_RECORD));
  });

  it('a Proxy that has no id text when it is packed', async () => {
    const record = new Proxy(
      { ...KILL_RECORD },
      { get: (target, key) => (key === 'sjobId' ? null : Reflect.get(target, key)) },
    );
    await expectUsageError(client().request(KILL, record), unsafe('sjobId', 'null'));
  });

  it('a Proxy that throws: its own error, nothing sent', async () => {
    const thrown = new Error('a trap');
    const record = new Proxy(
      { ...KILL_RECORD },
      {
        get: () => {
          throw thrown;
        },
      },
    );
    await expect(client().request(KILL, record)).rejects.toBe(thrown);
  });

  it('options whose flags and timeoutMs turn: what was checked is what is used', async () => {
    refusalsExpected = false;
    let reads = 0;
    const options = {
      get flags() {
        return ++reads > 1 ? 0x0040 : 0;
      },
    };
    await client().request(KILL, KILL_RECORD, options);
    expect(peer.connections.at(-1)?.request?.frame.header.flags).toBe(0);
  });

  it('an authenticator that changes the record when it is asked: the bytes were packed before', async () => {
    refusalsExpected = false;
    const record = { ...KILL_RECORD, stepId: { ...KILL_RECORD.stepId } } as Record<string, unknown>;
    auth.beforeCreate = () => {
      record.sjobId = null;
      record.signal = 999;
    };
    await client().request(KILL, record as never);
    expect(peer.connections.at(-1)?.request?.frame.body).toEqual(encodeBody(KILL, '22.05', KILL_RECORD));
  });

  it('a job object whose numbers turn: one of the two as a whole, or nothing', async () => {
    refusalsExpected = false;
    let reads = 0;
    const job = {
      get jobId() {
        return ++reads > 1 ? (null as unknown as number) : 7;
      },
    };
    const settled = await client()
      .killJob(job)
      .catch((error) => error);
    expect(settled).toMatchObject({ outcome: 'accepted', target: '7' });
  });
});

describe('a request that a release has no number for', () => {
  const requests = (Object.keys(MESSAGES) as MessageName[]).filter((name) => name.startsWith('REQUEST_'));
  const lacking = requests.flatMap((name) =>
    RELEASE_NAMES.filter((release) => messageTypeNumber(name, release) === null).map(
      (release) => [name, release] as const,
    ),
  );

  it.skipIf(lacking.length === 0).each(lacking)('%s in %s is not sent', async (name, release) => {
    const known = RELEASE_NAMES.find((one) => messageTypeNumber(name, one) !== null) ?? release;
    const error = await failureOf(client(release).request(name, exampleRecord(name, known) as never));
    expect(error).toMatchObject({ code: 'SLURMWIRE_NOT_IN_RELEASE', outcome: 'not-sent', rpc: name });
  });
});
