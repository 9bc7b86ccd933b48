/**
 * Reads the frames that this library sends, by itself: a second reading of the layouts, written by hand from the description of the wire and
 * sharing no code with `src`. So a fault of the codec cannot hide a fault of what it packs. Requests only.
 */

/** What stands in a frame, length word and all. */
export interface OutgoingFrame {
  /** Protocol number: 36 for 20.11 … 46 for 26.11. */
  readonly protocol: number;
  readonly flags: number;
  readonly type: number;
  readonly forward: Forward | null;
  readonly returnCount: number;
  readonly addressFamily: number;
  readonly auth: Auth | null;
  readonly body: Uint8Array;
}

export interface Forward {
  readonly count: number;
  /** As it stands: a byte is a character. */
  readonly nodeList: string | null;
  readonly timeout: number;
  readonly treeWidth: number;
  readonly netCred: string | null;
  /** `null` where the version has none. */
  readonly treeDepth: number | null;
}

/** Whole, as it stands on the wire: what may not be there a second time. */
export interface Auth {
  readonly plugin: number;
  /** The credential or token. */
  readonly text: string | null;
}

/** Numbers of protocol versions in which something changed. */
const V = { '22.05': 38, '23.11': 40, '24.11': 42, '25.11': 44 } as const;
const NO_AUTH = 0x0040;
const WITH_ADDRESSES = 0x0080;

/** @throws Error that says where the bytes are no request frame. */
export function readOutgoing(bytes: Uint8Array): OutgoingFrame {
  const at = new Reading(bytes);
  const length = at.u32();
  if (length !== bytes.length - 4) throw new Error(`length word ${length} before ${bytes.length - 4} bytes`);
  const version = at.u16();
  if ((version & 0xff) !== 0) throw new Error(`version word ${version}`);
  const protocol = version >> 8;
  const flags = at.u16();
  if (protocol < V['22.05']) at.u16();
  const type = at.u16();
  const bodyLength = at.u32();
  const count = at.u16();
  const forward =
    count === 0
      ? null
      : {
          count,
          nodeList: at.text(),
          timeout: at.u32(),
          treeWidth: at.u16(),
          netCred: protocol >= V['23.11'] && (flags & WITH_ADDRESSES) !== 0 ? at.text() : null,
          treeDepth: protocol >= V['24.11'] ? at.u16() : null,
        };
  const returnCount = at.u16();
  // Items have no length of their own, and no request has any.
  if (returnCount !== 0) throw new Error(`a request with ${returnCount} answers of other nodes`);
  const addressFamily = at.u16();
  if (addressFamily !== 0) throw new Error(`a request with a sender of address family ${addressFamily}`);
  const auth = (flags & NO_AUTH) === 0 ? readAuth(at) : null;
  if (at.left !== bodyLength) throw new Error(`body length ${bodyLength} before ${at.left} bytes`);
  return { protocol, flags, type, forward, returnCount, addressFamily, auth, body: at.rest() };
}

function readAuth(at: Reading): Auth {
  const plugin = at.u32();
  if (plugin === 101 || plugin === 103) return { plugin, text: at.text() };
  if (plugin !== 102) throw new Error(`authentication plugin ${plugin}`);
  const text = at.text();
  at.text();
  return { plugin, text };
}

export interface StepId {
  readonly sluid: bigint;
  readonly jobId: number;
  readonly stepId: number;
}

/** REQUEST_KILL_JOB, REQUEST_CANCEL_JOB_STEP: signal before flags. */
export function readKill({ body, protocol }: OutgoingFrame) {
  const at = new Reading(body);
  const target = stepId(at, protocol);
  const [jobText, sibling] = [at.text(), at.text()];
  return at.end({ target, jobText, sibling, signal: at.u16(), flags: at.u16() });
}

/** REQUEST_SIGNAL_TASKS, REQUEST_TERMINATE_TASKS: flags before signal. */
export function readSignalTasks({ body, protocol }: OutgoingFrame) {
  const at = new Reading(body);
  return at.end({ target: stepId(at, protocol), flags: at.u16(), signal: at.u16() });
}

/** REQUEST_KILL_JOBS. */
export function readKillJobs({ body, protocol }: OutgoingFrame) {
  const at = new Reading(body);
  at.text(); // account
  if (protocol >= V['25.11']) at.text(); // admin comment
  const flags = at.u16();
  at.text(); // job name
  const ids = Array.from({ length: at.count(4) }, () => at.text());
  for (const _ of ['partition', 'qos', 'reservation']) at.text();
  const signal = at.u16();
  at.u32(); // state
  const [userId, userName] = [at.u32(), at.text()];
  for (const _ of ['wckey', 'node list']) at.text();
  return at.end({ flags, ids, signal, userId, userName });
}

/** REQUEST_SUSPEND. */
export function readSuspend({ body, protocol }: OutgoingFrame) {
  const at = new Reading(body);
  if (protocol >= V['25.11']) stepId(at, protocol);
  const op = at.u16();
  if (protocol < V['25.11']) at.u32(); // job id
  at.text(); // its text
  return at.end({ op });
}

function stepId(at: Reading, protocol: number): StepId {
  const sluid = protocol >= V['24.11'] ? at.u64() : 0n;
  const [jobId, step] = [at.u32(), at.u32()];
  at.u32(); // component
  return { sluid, jobId, stepId: step };
}

/** Nothing is read beyond the end, and nothing is believed that does not fit. */
class Reading {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u16(): number {
    return this.#view.getUint16(this.#step(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#step(4));
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#step(8));
  }

  /** A count of things that have at least so many bytes each. */
  count(size: number): number {
    const count = this.u32();
    if (count * size > this.left) throw new Error(`${count} things in ${this.left} bytes`);
    return count;
  }

  /** As Slurm's own reader takes it: all but the NUL at its end, up to the first one. A byte is a character. */
  text(): string | null {
    const length = this.u32();
    if (length === 0) return null;
    const start = this.#step(length);
    const bytes = this.#bytes.subarray(start, start + length);
    if (bytes.at(-1) !== 0) throw new Error('a text without its NUL');
    const whole = Buffer.from(bytes).toString('latin1');
    return whole.slice(0, whole.indexOf('\0'));
  }

  rest(): Uint8Array {
    return this.#bytes.subarray(this.#at);
  }

  end<T>(value: T): T {
    if (this.left !== 0) throw new Error(`${this.left} bytes behind the body`);
    return value;
  }

  #step(size: number): number {
    if (size > this.left) throw new Error(`${size} bytes wanted, ${this.left} left`);
    const at = this.#at;
    this.#at += size;
    return at;
  }
}

/** More names than a cluster can have are not built. */
const MOST_NAMES = 70_000;

/**
 * The names of a ranged node list, one by one: as simple as can be, for lists as daemons forward them (one group of digits to an item, and
 * nothing behind it).
 *
 * @throws Error for anything else.
 */
export function namesOf(list: string): string[] {
  const names: string[] = [];
  const add = (name: string) => {
    if (names.push(name) > MOST_NAMES) throw new Error('a node list without end');
  };
  for (const item of itemsOf(list).filter((one) => one !== '')) {
    const found = /^([^[\]]*)(?:\[([^[\]]*)\])?$/.exec(item);
    if (found === null || /[ \t\n{}]/.test(item)) throw new Error(`the item ${item}`);
    const [, prefix = '', ranges] = found;
    if (ranges === undefined) {
      add(prefix);
      continue;
    }
    for (const range of ranges.split(',')) {
      const [, low = '', high = low] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? [];
      if (low === '' || BigInt(high) < BigInt(low)) throw new Error(`the range ${range}`);
      for (let n = BigInt(low); n <= BigInt(high); n++) add(prefix + String(n).padStart(low.length, '0'));
    }
  }
  return names;
}

/** Separated by commas that are in no bracket. */
function itemsOf(list: string): string[] {
  const items = [''];
  let isInside = false;
  for (const character of list) {
    if (character === '[') isInside = true;
    if (character === ']') isInside = false;
    if (character === ',' && !isInside) items.push('');
    else items[items.length - 1] += character;
  }
  return items;
}
