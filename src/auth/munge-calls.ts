/**
 * libmunge's calls through koffi: one encode, one decode, and the memory they need.
 *
 * The rules this file keeps, so that no other file has to know them:
 * - A context belongs to one call. libmunge has no locks, and a decode overwrites the context it is given.
 * - Nothing is destroyed or freed before the native call has returned, whoever still waits for it.
 * - Koffi passes a Buffer as its bare address and holds no reference to it during an asynchronous call, so the
 *   buffers of a call are kept in a set until it has returned.
 * - The text of an error is read first: any other call on the context, `munge_ctx_get` included, resets it (measured, 0.5.15).
 *
 * Signatures and option numbers: libmunge API, munge 0.5.15.
 */
import type { KoffiFunc, LibraryHandle } from 'koffi';
import { EMUNGE, EMUNGE_SUCCESS } from './emunge.js';
import type {
  CredentialTimes,
  DecodedCredential,
  MungeCallPort,
  MungeResult,
  MungeSettings,
} from './munge-way.js';

type Koffi = typeof import('koffi');

/** A C pointer as koffi 3 shows it: null or an address. */
type Pointer = bigint | null;

/** `munge_opt_t`: the ones used here. */
const OPT = { TTL: 4, ENCODE_TIME: 6, DECODE_TIME: 7, SOCKET: 8, UID_RESTRICTION: 9 } as const;

/** A result with nothing in it but who speaks. libmunge says only in words what became of the socket. */
const UNHEARD = { text: null, speaker: 'libmunge', socketErrno: null, value: null, times: null } as const;

/** libmunge, loaded, with the blocking calls moved off the event loop. */
export class MungeCalls implements MungeCallPort {
  readonly #koffi: Koffi;
  readonly #contextCreate: () => Pointer;
  readonly #contextDestroy: (context: Pointer) => void;
  readonly #contextText: (context: Pointer) => string | null;
  readonly #contextSet: (context: Pointer, option: number, ...typeAndValue: unknown[]) => number;
  readonly #contextGet: (context: Pointer, option: number, ...typeAndValue: unknown[]) => number;
  readonly #encode: KoffiFunc<
    (credential: Buffer, context: Pointer, payload: Buffer, length: number) => number
  >;
  readonly #decode: KoffiFunc<
    (
      credential: Buffer,
      context: Pointer,
      payload: Buffer,
      length: Buffer,
      uid: Buffer,
      gid: Buffer,
    ) => number
  >;
  readonly #free: (pointer: Pointer) => void;
  readonly #memcpy: (to: Uint8Array, from: Pointer, length: number) => void;

  /** Buffers of calls under way: this is what keeps them from being collected. */
  readonly #inFlight = new Set<readonly Buffer[]>();
  #contexts = 0;
  #results = 0;

  constructor(koffi: Koffi, library: LibraryHandle) {
    this.#koffi = koffi;
    // Output parameters are declared as plain pointers and get Buffers: koffi's `_Out_ int *` takes [null] for a string.
    this.#contextCreate = library.func('void *munge_ctx_create(void)') as never;
    this.#contextDestroy = library.func('void munge_ctx_destroy(void *ctx)') as never;
    this.#contextText = library.func('const char *munge_ctx_strerror(void *ctx)') as never;
    this.#contextSet = library.func('int munge_ctx_set(void *ctx, int opt, ...)') as never;
    this.#contextGet = library.func('int munge_ctx_get(void *ctx, int opt, ...)') as never;
    this.#encode = library.func('int munge_encode(void *cred, void *ctx, const void *buf, int len)') as never;
    this.#decode = library.func(
      'int munge_decode(const void *cred, void *ctx, void *buf, void *len, void *uid, void *gid)',
    ) as never;
    // The process's own symbols, so that free() is the one of the malloc libmunge is bound to, also under a preloaded allocator.
    const libc = koffi.load(null);
    this.#free = libc.func('void free(void *ptr)') as never;
    // koffi.decode(ptr, type, length) would register a type per length for good, koffi.view() is refused by some runtimes.
    this.#memcpy = libc.func('void memcpy(void *dest, const void *src, size_t n)') as never;
  }

  /** @internal For tests: what is held now. All zero when no call is under way. */
  get held(): { readonly contexts: number; readonly results: number; readonly calls: number } {
    return { contexts: this.#contexts, results: this.#results, calls: this.#inFlight.size };
  }

  /**
   * Makes a credential; `payload` must not change meanwhile. A refusal is a result, not a rejection.
   * Holds a pool thread while it lasts: 10 s if munged hangs (measured, 0.5.15).
   */
  encode(settings: MungeSettings, payload: Buffer): Promise<MungeResult<string>> {
    return this.#withContext(settings, async (context) => {
      const credential = this.#pointerHolder();
      const error = await this.#call([payload, credential], (done) =>
        this.#encode.async(credential, context, payload, payload.length, done),
      );
      const text = this.#errorText(context, error);
      const value = this.#take(credential, (pointer) => this.#koffi.decode.string(pointer));
      return { ...UNHEARD, error, text, value };
    });
  }

  /** Decodes a credential. A refusal is a result, not a rejection. Holds a pool thread as long as {@link encode}. */
  decode(settings: MungeSettings, credential: string): Promise<MungeResult<DecodedCredential>> {
    return this.#withContext(settings, async (context) => {
      const bytes = Buffer.from(`${credential}\0`);
      const payload = this.#pointerHolder();
      const [length, uid, gid] = [Buffer.alloc(4), Buffer.alloc(4), Buffer.alloc(4)];
      const error = await this.#call([bytes, payload, length, uid, gid], (done) =>
        this.#decode.async(bytes, context, payload, length, uid, gid, done),
      );
      const text = this.#errorText(context, error);
      // Errors 15, 16 and 17 leave a payload as well, to be freed as well.
      const copied = this.#take(payload, (pointer) =>
        this.#copyOut(pointer, this.#koffi.decode.int32(length)),
      );
      const value = {
        uid: this.#koffi.decode.uint32(uid),
        gid: this.#koffi.decode.uint32(gid),
        payload: copied ?? new Uint8Array(0),
      };
      return { ...UNHEARD, error, text, value, times: this.#times(context) };
    });
  }

  /** A fresh context around one call, destroyed after it. */
  async #withContext<Value>(
    settings: MungeSettings,
    use: (context: Pointer) => Promise<Omit<MungeResult<Value>, 'socket'>>,
  ): Promise<MungeResult<Value>> {
    const asked = settings.socket ?? '';
    const context = this.#contextCreate();
    if (context === null) {
      return { ...UNHEARD, error: EMUNGE.NO_MEMORY, socket: asked };
    }
    this.#contexts += 1;
    try {
      const error = this.#apply(context, settings);
      if (error !== EMUNGE_SUCCESS) {
        return { ...UNHEARD, error, text: this.#errorText(context, error), socket: asked };
      }
      const result = await use(context);
      // Only an error tells of it. Where none was given, the library knows which it was.
      const isTold = result.error !== EMUNGE_SUCCESS || result.value === null;
      const socket = isTold ? this.#getString(context, OPT.SOCKET) : asked;
      return { ...result, socket };
    } finally {
      this.#contextDestroy(context);
      this.#contexts -= 1;
    }
  }

  /** Returns the error of the first option that is refused. */
  #apply(context: Pointer, settings: MungeSettings): number {
    const values: [number, string, unknown][] = [
      [OPT.SOCKET, 'const char *', settings.socket],
      [OPT.TTL, 'int', settings.ttl],
      [OPT.UID_RESTRICTION, 'uint32_t', settings.restrictUid],
    ];
    for (const [option, type, value] of values) {
      if (value === null) continue;
      const error = this.#contextSet(context, option, type, value);
      if (error !== EMUNGE_SUCCESS) return error;
    }
    return EMUNGE_SUCCESS;
  }

  /** Runs one asynchronous call, keeping its buffers alive until it has returned. */
  async #call(
    buffers: readonly Buffer[],
    start: (done: (error: unknown, value: number) => void) => void,
  ): Promise<number> {
    this.#inFlight.add(buffers);
    try {
      return await new Promise<number>((resolve, reject) => {
        start((error, value) => (error === null ? resolve(value) : reject(error)));
      });
    } finally {
      this.#inFlight.delete(buffers);
    }
  }

  /** Reads what a result pointer points to, then frees it; null when it is NULL. */
  #take<Value>(holder: Buffer, read: (pointer: Pointer) => Value): Value | null {
    const pointer = this.#koffi.decode(holder, 'void *') as Pointer;
    if (pointer === null) return null;
    this.#results += 1;
    try {
      return read(pointer);
    } finally {
      this.#free(pointer);
      this.#results -= 1;
    }
  }

  #times(context: Pointer): CredentialTimes | null {
    const encoded = this.#getTime(context, OPT.ENCODE_TIME);
    const decoded = this.#getTime(context, OPT.DECODE_TIME);
    return encoded > 0 && decoded > 0 ? { ttl: this.#getInt(context, OPT.TTL), encoded, decoded } : null;
  }

  #pointerHolder(): Buffer {
    return Buffer.alloc(this.#koffi.sizeof('void *'));
  }

  #copyOut(pointer: Pointer, length: number): Uint8Array {
    const copy = new Uint8Array(Math.max(0, length));
    if (copy.length > 0) this.#memcpy(copy, pointer, copy.length);
    return copy;
  }

  #errorText(context: Pointer, error: number): string | null {
    return error === EMUNGE_SUCCESS ? null : this.#contextText(context);
  }

  #getInt(context: Pointer, option: number): number {
    const holder = Buffer.alloc(4);
    this.#contextGet(context, option, 'void *', holder);
    return this.#koffi.decode.int32(holder);
  }

  /** `time_t` has 8 bytes, or 4 on old 32-bit systems, all of them little-endian: zeroed upper bytes serve both. */
  #getTime(context: Pointer, option: number): number {
    const holder = Buffer.alloc(8);
    this.#contextGet(context, option, 'void *', holder);
    return Number(this.#koffi.decode.int64(holder));
  }

  /** For strings owned by the context. */
  #getString(context: Pointer, option: number): string {
    const holder = this.#pointerHolder();
    this.#contextGet(context, option, 'void *', holder);
    const pointer = this.#koffi.decode(holder, 'void *') as Pointer;
    return pointer === null ? '' : this.#koffi.decode.string(pointer);
  }
}
