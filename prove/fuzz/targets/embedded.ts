/**
 * Hostile requests to the embedded cluster's own daemons: what is read of a frame, every handler of the controller and of a slurmd with a few
 * jobs, and the answer packed. And its munged: a conversation on a socket that delivers pieces.
 */
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { encodeMungeMessage } from '../../../src/auth/munge-wire.js';
import { encodeBody } from '../../../src/protocol/body.js';
import { encodeFrame } from '../../../src/protocol/frame.js';
import type { MessageInput, MessageName } from '../../../src/protocol/messages/index.js';
import { RELEASE_NAMES, type Release } from '../../../src/protocol/release.js';
import type { ControllerCall, ControllerHandler } from '../../../src/testing/controller/handler.js';
import { CONTROLLER_HANDLERS } from '../../../src/testing/controller/handlers.js';
import { CredentialStore } from '../../../src/testing/credentials.js';
import { Life } from '../../../src/testing/model/life.js';
import { RecordExecutor } from '../../../src/testing/model/record-executor.js';
import { arrayOf, specsOf } from '../../../src/testing/model/submit-options.js';
import type { ClusterUser } from '../../../src/testing/model/user.js';
import { World } from '../../../src/testing/model/world.js';
import { answerOf } from '../../../src/testing/munged-answer.js';
import { converse } from '../../../src/testing/munged-conversation.js';
import { openRequest } from '../../../src/testing/open-request.js';
import { readMessage } from '../../../src/testing/read-message.js';
import { settingsOf } from '../../../src/testing/settings.js';
import { harmOf } from '../../../src/testing/slurmd/forward.js';
import { SLURMD_HANDLERS } from '../../../src/testing/slurmd/handlers.js';
import type { SlurmdCall, SlurmdHandler } from '../../../src/testing/slurmd/node-daemon.js';
import { hashOf } from '../coverage.js';
import { goldenBodies, recordedStreams, unique } from '../seeds.js';
import { reportShape } from '../shape.js';
import { Broken, type Target } from '../target.js';
import { fieldsOf, pieces, repairBodyLength } from './frame.js';

/** Who is asked (munged, a slurmd, the controller) and as whom, in which release, in which pieces. */
const PREFIX = 3;
const USERS: readonly ClusterUser[] = [
  { name: 'root', uid: 0, gid: 0 },
  { name: 'alice', uid: 2001, gid: 2001 },
  { name: 'bob', uid: 2002, gid: 2002 },
];
const ROOT = { uid: 0, gid: 0 };

export const embedded: Target = {
  name: 'embedded',
  weight: 1,
  prefix: PREFIX,
  maxLength: 1 << 13,
  // A look at the job table is answered with all of it.
  limits: { bytes: 4 << 20, bytesPerByte: 8192 },

  *seeds() {
    const bodies = goldenBodies().filter(
      ({ name, bytes }) => name.startsWith('REQUEST') && bytes.length < 2000,
    );
    const seen = new Set<string>();
    for (const { name, release, bytes } of bodies) {
      const key = `${name} ${release} ${bytes.length}`;
      if (seen.has(key)) continue;
      seen.add(key);
      const auth = { plugin: 'auth/munge', credential: 'MUNGE:x:' } as const;
      const frame = encodeFrame({ release, messageName: name, auth, body: bytes });
      for (const who of [2, 5]) yield inputOf(who, RELEASE_NAMES.indexOf(release), frame);
    }
    for (const stream of unique(recordedStreams()))
      if (stream.length > 6 && stream.length < 1000) yield inputOf(2, (stream[4] as number) - 36, stream);
    const data = Buffer.from('MUNGE:AwQFAAB:\0');
    const kinds = {
      cipher: 1,
      mac: 1,
      zip: 1,
      realm: null,
      ttl: 0,
      authUid: 0xffffffff,
      authGid: 0xffffffff,
    };
    yield inputOf(0, 0, encodeMungeMessage('encodeRequest', { ...kinds, data }));
    yield inputOf(0, 0, encodeMungeMessage('encodeRequest', { ...kinds, realm: 'r', data }, 1));
    yield inputOf(0, 0, encodeMungeMessage('decodeRequest', { data }));
  },

  async run(input, report) {
    const [who = 0, version = 0, how = 0] = input;
    const release = RELEASE_NAMES[version % RELEASE_NAMES.length] as Release;
    const user = USERS[Math.floor(who / 3) % USERS.length] as ClusterUser;
    const bytes = input.subarray(PREFIX);
    if (who % 3 === 0) return askMunged(bytes, how, report);
    const message = await listen(bytes, how, release);
    if (!(message instanceof Uint8Array)) {
      report(hashOf('message', String(message)));
      return;
    }
    await askDaemon(message, release, user, who % 3 === 1, report);
  },

  repair(input, random) {
    if (input.length < PREFIX + 4 || (input[0] as number) % 3 === 0 || random.oneIn(5)) return;
    new DataView(input.buffer).setUint32(PREFIX, input.length - PREFIX - 4);
    repairBodyLength(input.subarray(PREFIX));
  },

  fields: (input) => fieldsOf(input.subarray(PREFIX)).map((start) => start + PREFIX),
};

function inputOf(who: number, release: number, bytes: Uint8Array): Uint8Array {
  const input = new Uint8Array(PREFIX + bytes.length);
  input[0] = who;
  input[1] = release;
  input.set(bytes, PREFIX);
  return input;
}

/** What of a socket the readers use; whoever is at its other end has said all that he will. */
class SaidSocket extends EventEmitter {
  destroyed = false;
  writableEnded = false;
  readonly answers: Uint8Array[] = [];

  say(bytes: Uint8Array, how: number): void {
    for (const piece of pieces(bytes, how)) if (!this.destroyed) this.emit('data', Buffer.from(piece));
    this.emit('end');
    this.destroy();
  }

  setTimeout(): this {
    return this;
  }

  end(bytes: Uint8Array): void {
    this.writableEnded = true;
    this.answers.push(bytes);
    this.emit('finish');
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }
}

async function listen(bytes: Uint8Array, how: number, release: Release) {
  const socket = new SaidSocket();
  const listening = { timeoutMs: 1000, speaksHttp: release >= '25.11', isPaused: () => false };
  const message = readMessage(socket as unknown as Socket, listening);
  socket.say(bytes, how);
  return message;
}

function askMunged(bytes: Uint8Array, how: number, report: (feature: number) => void): void {
  const store = new CredentialStore({ now: () => 1_700_000_000_000 });
  const socket = new SaidSocket();
  const room = { bytes: 1 << 20 };
  converse(socket as unknown as Socket, {
    limitMs: 1000,
    room,
    answer(request) {
      const answer = answerOf(store, request, { uid: 1000, gid: 1000 });
      report(hashOf('munged', request.name, answer.error));
      return answer;
    },
  });
  socket.say(bytes, how);
  if (room.bytes !== 1 << 20) throw new Broken('room for requests was not given back');
  if (socket.answers.length > 1) throw new Broken('more than one answer');
}

async function askDaemon(
  bytes: Uint8Array,
  own: Release,
  user: ClusterUser,
  isNode: boolean,
  report: (feature: number) => void,
): Promise<void> {
  const world = new World(settingsOf({ release: own, nodes: 2, users: USERS.slice(1), slurmUser: 'root' }));
  const life = new Life(world, new RecordExecutor());
  const stopped = new AbortController();
  try {
    submitSome(life, world);
    const credentials = new CredentialStore();
    const opened = openRequest(bytes, { own, user: ROOT, credentials: believing(credentials, user) });
    report(hashOf('opened', opened.rejection ?? 'good', opened.name ?? ''));
    if (opened.frame !== null) harmOf(opened.frame.header.forward, own, opened.frame.release);
    if (opened.rejection !== null) return;
    const { request } = opened;
    const nodes = new Map();
    const { name, record, release, uid, gid } = request;
    const call = { record, release, own, uid, gid, world, life, nodes, credentials, request };
    const answer = await Promise.race([
      handle(name, isNode, {
        ...call,
        node: world.nodes.get('n1'),
        controller: { index: 0, isInCharge: true },
        signal: stopped.signal,
      }),
      // Some answers wait for a job to end.
      new Promise<null>((resolve) => setImmediate(() => setImmediate(() => resolve(null)))),
    ]);
    if (answer === null || 'harm' in answer) return;
    const body = encodeBody(answer.name, release, answer.record as MessageInput<MessageName>);
    reportShape(answer.record, hashOf(name, answer.name), report);
    encodeFrame({ release, messageName: answer.name, auth: null, body });
  } finally {
    stopped.abort();
    await life.close();
  }
}

function handle(
  name: MessageName,
  isNode: boolean,
  call: object,
): ReturnType<ControllerHandler<MessageName>> {
  const handler = isNode
    ? (SLURMD_HANDLERS[name] as SlurmdHandler<MessageName> | undefined)
    : (CONTROLLER_HANDLERS[name] as ControllerHandler<MessageName> | undefined);
  return handler?.(call as ControllerCall & SlurmdCall) ?? null;
}

/** Opens whatever credential there is as the user's, bound to nothing. */
function believing(store: CredentialStore, { uid, gid }: ClusterUser): CredentialStore {
  const credential = { uid, gid, payload: new Uint8Array(0) };
  return Object.assign(Object.create(store), { open: () => ({ error: 0, text: null, credential }) });
}

function submitSome(life: Life, world: World): void {
  const submit = (user: ClusterUser | undefined, options: Parameters<typeof specsOf>[0]) =>
    life.submit(user as ClusterUser, specsOf(options, world, '/tmp'), arrayOf(options.array));
  const [, alice, bob] = USERS;
  submit(alice, {});
  submit(bob, { array: '0-5', hold: true });
  submit(alice, { components: [{}], hold: true });
}
