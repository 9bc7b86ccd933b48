/** Messages that a daemon answers or refuses, each in a way of its own. None does any harm: what is well-formed among them is a ping. */
import type { Authenticator } from '../../src/protocol/authenticator.js';
import { encodeBody, RELEASE_NAMES, type Release } from '../../src/protocol/index.js';
import { payloadDigest } from '../../src/protocol/payload-digest.js';
import { headerVersionOf, isAtLeast } from '../../src/protocol/release.js';
import { Deadline } from '../../src/rpc/deadline.js';
import { accepts } from '../../src/testing/manners.js';
import { packedText, rawFrame, type Sending, u32 } from './raw-frame.js';

const PING = 1008;
const KILL_JOB = 5032;
const RC = 8001;
/** In no release. */
const NO_TYPE = 60_001;
const MUNGE = 101;
const NO_CRED = 0x0040;

export interface Mannered {
  readonly name: string;
  readonly sending: Sending;
}

/** A credential of root for a payload, as text. */
async function credential(auth: Authenticator, payload: Uint8Array, restrictUid: number | null = null) {
  const deadline = new Deadline(10_000);
  try {
    const section = await auth.create(payload, restrictUid, deadline);
    if (section.plugin !== 'auth/munge' || section.credential === null) throw new Error('no munge');
    return section.credential;
  } finally {
    deadline.dispose();
  }
}

function munge(text: string): Buffer {
  return Buffer.concat([u32(MUNGE), packedText(text)]);
}

/**
 * @param own release of the daemon.
 * @param release protocol of the messages, one that it takes.
 * @param auth whose credentials it takes.
 * @param stranger whose it does not.
 */
export async function manneredCases(
  own: Release,
  release: Release,
  auth: Authenticator,
  stranger: Authenticator,
): Promise<Mannered[]> {
  const none = new Uint8Array();
  const sign = async (type: number, body: Uint8Array = none, by = auth, restrictUid: number | null = null) =>
    munge(await credential(by, payloadDigest(release, type, body), restrictUid));
  const signed = async (type: number, body: Uint8Array = none) =>
    rawFrame({ release, type, body, auth: await sign(type, body) });
  const ping = () => signed(PING);
  const cases: Mannered[] = [];
  const add = (name: string, chunks: Uint8Array | readonly Uint8Array[], more: Partial<Sending> = {}) =>
    cases.push({ name, sending: { chunks: chunks instanceof Uint8Array ? [chunks] : chunks, ...more } });

  add('a ping', await ping());
  const whole = await ping();
  add('a ping in two parts', [whole.subarray(0, 21), whole.subarray(21)], { pauseMs: 100 });
  add('a ping by a half-closer', await ping(), { halfClose: true });
  add('a ping and one byte', Buffer.concat([await ping(), Buffer.alloc(1)]));
  add('two pings', Buffer.concat([await ping(), await ping()]));

  const strangers = RELEASE_NAMES.filter((one) => !accepts(own, one));
  const older = strangers.findLast((one) => headerVersionOf(one) < headerVersionOf(own));
  const newer = strangers.find((one) => headerVersionOf(one) > headerVersionOf(own));
  for (const other of [older, newer]) {
    if (other === undefined) continue;
    const age = other === older ? 'older' : 'newer';
    const payload = payloadDigest(other, PING, none);
    add(
      `a ping in a protocol that is too ${age}`,
      rawFrame({ release: other, type: PING, auth: munge(await credential(auth, payload)) }),
    );
    add(`the same (${age}) without a credential`, rawFrame({ release: other, type: PING, flags: NO_CRED }));
  }
  for (const number of [0, 1, 63, 255]) {
    const frame = { release, version: number << 8, type: PING, auth: await sign(PING) };
    add(`version ${number}`, rawFrame(frame));
  }

  add('no credential', rawFrame({ release, type: PING, flags: NO_CRED }));
  add(
    'a credential that is none',
    rawFrame({ release, type: PING, auth: munge('MUNGE:AwQFAAD/bm9uc2Vuc2U=:') }),
  );
  add('an empty credential', rawFrame({ release, type: PING, auth: munge('') }));
  add(
    'a credential without a text',
    rawFrame({ release, type: PING, auth: Buffer.concat([u32(MUNGE), u32(0)]) }),
  );
  add('a credential of elsewhere', rawFrame({ release, type: PING, auth: await sign(PING, none, stranger) }));
  add(
    'a credential for another user',
    rawFrame({ release, type: PING, auth: await sign(PING, none, auth, 4711) }),
  );
  const twice = await ping();
  add('a credential, the first time', twice);
  add('a credential, the second time', twice);
  const guest = await sign(PING);
  add(
    'auth/none',
    rawFrame({ release, type: PING, auth: Buffer.concat([u32(100), u32(0), u32(0), packedText('h')]) }),
  );
  add(
    'a plugin that nobody knows',
    rawFrame({ release, type: PING, auth: Buffer.concat([u32(4711), guest.subarray(4)]) }),
  );
  add('a credential cut short', rawFrame({ release, type: PING, auth: guest.subarray(0, 40) }));
  add('no authentication section', rawFrame({ release, type: PING }));
  add('the header cut short', Buffer.concat([u32(12), whole.subarray(4, 16)]));

  const kill = encodeBody('REQUEST_KILL_JOB', release, {
    stepId: { jobId: 0xfffffffe, stepId: 0xfffffffe, stepHetComp: 0xfffffffe },
    sjobId: '4242424',
    signal: 0,
  });
  add('a digest of another message', rawFrame({ release, type: PING, auth: await sign(KILL_JOB, kill) }));
  const otherBody = payloadDigest(isAtLeast(release, '22.05') ? '20.11' : '22.05', PING, none);
  add(
    'the digest of another time',
    rawFrame({ release, type: PING, auth: munge(await credential(auth, otherBody)) }),
  );
  add('an empty digest', rawFrame({ release, type: PING, auth: munge(await credential(auth, none)) }));
  add('a body cut short', await signed(KILL_JOB, kill.subarray(0, kill.length - 3)));
  const more = Buffer.concat([kill, Buffer.alloc(5)]);
  add('a body with something behind it', await signed(KILL_JOB, more));
  add('a ping with a body', await signed(PING, Buffer.alloc(4)));
  for (const bodyLength of [0, kill.length - 1, kill.length + 1]) {
    const frame = { release, type: KILL_JOB, body: kill, bodyLength, auth: await sign(KILL_JOB, kill) };
    add(`a body length of ${bodyLength - kill.length || 'right size'}`, rawFrame(frame));
  }
  add('a type that nobody knows', await signed(NO_TYPE));
  add('an answer in place of a request', await signed(RC, u32(0)));

  add('a length of 0', u32(0));
  for (const length of [1, 4, 11])
    add(`a length of ${length}`, Buffer.concat([u32(length), whole.subarray(4, 4 + length)]));
  add('a length of 1 GiB and a byte', Buffer.concat([u32(0x40000001), whole.subarray(4)]));
  add('a length of 4 GiB', Buffer.concat([u32(0xffffffff), whole.subarray(4)]));
  add('HTTP', Buffer.from('GET / HTTP/1.0\r\n\r\n'));
  return cases;
}
