/**
 * munged's messages as they stand on its socket, both directions of both calls. Pure functions of bytes.
 *
 * A message is a header of 11 bytes (magic, version, type, retry, length of the body) and a body. A body is declared once, as its
 * fields in order; encoder and decoder follow from that.
 *
 * Source: `m_msg_t` and `m_msg_type_t` of munge, format version 4, unchanged in 0.5.8 … 0.5.18; checked with libmunge and munged 0.5.15.
 */
import { ByteReader } from '../protocol/byte-reader.js';
import { decodeText, encodeText } from '../protocol/byte-text.js';
import { ByteWriter } from '../protocol/byte-writer.js';
import { CodecFault, within, withProtocolErrors } from '../protocol/codec-fault.js';

/** The payload a credential can carry, in bytes (0.5.17; older ones take a little less, see {@link MAX_OLD_REQUEST_BODY}). */
export const MAX_PAYLOAD = 1_048_576;
/** The longest body of a request that a munged of today takes (0.5.17 and later), and the longest answer read here. */
export const MAX_BODY = 2_097_152;
/** The longest body of a request that munged 0.5.13 to 0.5.16 takes; for a longer one it closes the connection without a word. */
export const MAX_OLD_REQUEST_BODY = 1_048_576;

/** "Anybody" as a restriction (`MUNGE_UID_ANY`, `MUNGE_GID_ANY`), "nobody known" as an identity (`UID_SENTINEL`). */
export const ANY_ID = 0xffffffff;
/** "munged's own choice": of a cipher, a MAC and a compression; and of a lifetime. */
export const DEFAULT_CIPHER = 1;
export const DEFAULT_MAC = 1;
export const DEFAULT_ZIP = 1;
export const DEFAULT_TTL = 0;

interface FieldType<Value> {
  read(reader: ByteReader): Value;
  write(writer: ByteWriter, value: Value): void;
}

const u8: FieldType<number> = {
  read: (reader) => reader.u8(),
  write: (writer, value) => writer.u8(value),
};

const u32: FieldType<number> = {
  read: (reader) => reader.u32(),
  write: (writer, value) => writer.u32(value),
};

/**
 * A u8 length that counts a final NUL, then the text; null has length 0. Read up to the first NUL or to the end: munged counts modulo
 * 256, so a long text of its own loses its NUL, and the error number beside it matters more.
 */
const shortText: FieldType<string | null> = {
  read(reader) {
    const bytes = take(reader, reader.u8());
    const end = bytes.indexOf(0);
    return bytes.length === 0 ? null : decodeText(end === -1 ? bytes : bytes.subarray(0, end));
  },
  write(writer, value) {
    if (value?.includes('\0')) throw new CodecFault('SLURMWIRE_BAD_VALUE', 'a text with a NUL inside');
    const bytes = value === null ? new Uint8Array(0) : encodeText(`${value}\0`);
    writer.u8(bytes.length);
    writer.raw(bytes);
  },
};

/** A u32 length, then the bytes. */
const block: FieldType<Uint8Array> = {
  // A copy, so that who keeps it does not keep the whole message. (slice() of a Buffer would be none.)
  read: (reader) => new Uint8Array(take(reader, reader.u32())),
  write(writer, value) {
    writer.u32(value.length);
    writer.raw(value);
  },
};

/** A u8 length of 4 and an IPv4 address in network order, or length 0 for none. Any other length overran munge before 0.5.18. */
const address: FieldType<Uint8Array | null> = {
  read(reader) {
    const at = reader.offset;
    const length = reader.u8();
    if (length === 0) return null;
    if (length !== 4) throw new CodecFault('SLURMWIRE_BAD_LENGTH', `an address of ${length} bytes`, at);
    return new Uint8Array(take(reader, length));
  },
  write(writer, value) {
    if (value !== null && value.length !== 4) {
      throw new CodecFault('SLURMWIRE_BAD_VALUE', `an address of ${value.length} bytes`);
    }
    writer.u8(value?.length ?? 0);
    if (value !== null) writer.raw(value);
  },
};

function take(reader: ByteReader, length: number): Uint8Array {
  if (length > reader.remaining) {
    throw new CodecFault('SLURMWIRE_BAD_COUNT', `${length} bytes, ${reader.remaining} left`, reader.offset);
  }
  return reader.raw(length);
}

/** Type numbers and bodies. Field names are upstream's. */
const MESSAGES = {
  /** `MUNGE_MSG_ENC_REQ`: make a credential. */
  encodeRequest: {
    type: 2,
    body: {
      cipher: u8,
      mac: u8,
      zip: u8,
      realm: shortText,
      /** Seconds, {@link DEFAULT_TTL} for munged's own. */
      ttl: u32,
      /** Who may decode it, {@link ANY_ID} for anybody. */
      authUid: u32,
      authGid: u32,
      data: block,
    },
  },
  /** `MUNGE_MSG_ENC_RSP`: `data` is the credential with a final NUL, empty on error. */
  encodeResponse: { type: 3, body: { errorNum: u8, errorStr: shortText, data: block } },
  /** `MUNGE_MSG_DEC_REQ`: `data` is the credential with a final NUL. */
  decodeRequest: { type: 4, body: { data: block } },
  /** `MUNGE_MSG_DEC_RSP`. Errors 15, 16 and 17 come with all fields, others with none: ids {@link ANY_ID}, the rest 0 or empty. */
  decodeResponse: {
    type: 5,
    body: {
      errorNum: u8,
      errorStr: shortText,
      cipher: u8,
      mac: u8,
      zip: u8,
      realm: shortText,
      /** Seconds. */
      ttl: u32,
      /** IPv4 address of the host that made the credential. */
      addr: address,
      /** When it was made and when decoded: seconds since 1970, by the clock of the host that did it. */
      time0: u32,
      time1: u32,
      /** Who made it. */
      credUid: u32,
      credGid: u32,
      authUid: u32,
      authGid: u32,
      /** The payload. */
      data: block,
    },
  },
} as const;

export type MungeMessageName = keyof typeof MESSAGES;

type ValueOf<T> = T extends FieldType<infer Value> ? Value : never;
/** The body of a message. */
export type MungeBody<N extends MungeMessageName> = {
  readonly [K in keyof (typeof MESSAGES)[N]['body']]: ValueOf<(typeof MESSAGES)[N]['body'][K]>;
};

/** A message that was read. */
export interface MungeMessage<N extends MungeMessageName> {
  /** 0 for the first try of a transaction, n for its n-th repetition. */
  readonly retry: number;
  readonly body: MungeBody<N>;
}

/** @internal For tests: the names of all messages. */
export const MUNGE_MESSAGE_NAMES = Object.keys(MESSAGES) as readonly MungeMessageName[];

const MAGIC = 0x00606d4b;
const VERSION = 4;
/** Bytes of a header. */
export const HEADER_LENGTH = 11;

/**
 * One message.
 *
 * @param retry 0, or n when this is the n-th repetition of the same transaction. munged waives its replay check for it, so any
 *   other use would be a hole.
 * @throws SlurmProtocolError for a value that its field cannot carry.
 */
export function encodeMungeMessage<N extends MungeMessageName>(
  name: N,
  body: MungeBody<N>,
  retry = 0,
): Uint8Array {
  return withProtocolErrors(`munge ${name}`, undefined, () => {
    const fields = new ByteWriter();
    for (const [field, type] of fieldsOf(name)) {
      try {
        type.write(fields, (body as Record<string, unknown>)[field]);
      } catch (thrown) {
        throw within(thrown, field);
      }
    }
    const bytes = fields.finish();
    const message = new ByteWriter(HEADER_LENGTH + bytes.length);
    message.u32(MAGIC);
    message.u8(VERSION);
    message.u8(MESSAGES[name].type);
    message.u8(retry);
    message.u32(bytes.length);
    message.raw(bytes);
    return message.finish();
  });
}

/**
 * Reads one whole message of the kind expected; every length must be right to the byte.
 *
 * @throws SlurmProtocolError when it is not that.
 */
export function decodeMungeMessage<N extends MungeMessageName>(name: N, bytes: Uint8Array): MungeMessage<N> {
  return withProtocolErrors(`munge ${name}`, undefined, () => {
    const reader = new ByteReader(bytes);
    const { retry, length } = readHeader(name, reader);
    if (length !== reader.remaining) {
      throw new CodecFault(
        'SLURMWIRE_BAD_LENGTH',
        `a body of ${length} bytes is announced, ${reader.remaining} are there`,
        reader.offset,
      );
    }
    const body: Record<string, unknown> = {};
    for (const [field, type] of fieldsOf(name)) {
      try {
        body[field] = type.read(reader);
      } catch (thrown) {
        throw within(thrown, field);
      }
    }
    reader.finish();
    return { retry, body: body as MungeBody<N> };
  });
}

/** Puts one message together from the pieces in which a socket delivers it. */
export class MungeAssembler<N extends MungeMessageName> {
  readonly #name: N;
  readonly #maxBody: number;
  readonly #pieces: Uint8Array[] = [];
  #received = 0;
  /** Of the whole message; null while its header is not complete. */
  #expected: number | null = null;

  /** @param maxBody the longest body accepted; nothing is allocated for what a header only announces. */
  constructor(name: N, maxBody = MAX_BODY) {
    this.#name = name;
    this.#maxBody = maxBody;
  }

  /** Bytes received so far. */
  get received(): number {
    return this.#received;
  }

  /**
   * Takes the next piece; returns the message once it is complete, else null.
   *
   * @throws SlurmProtocolError for what cannot become one message of the kind expected.
   */
  push(piece: Uint8Array): MungeMessage<N> | null {
    this.#pieces.push(piece);
    this.#received += piece.length;
    if (this.#received < HEADER_LENGTH) return null;
    this.#expected ??= this.#readLength();
    // Too many bytes are refused by the decoder.
    return this.#received < this.#expected ? null : decodeMungeMessage(this.#name, this.#joined());
  }

  #readLength(): number {
    return withProtocolErrors(`munge ${this.#name}`, undefined, () => {
      const { length } = readHeader(this.#name, new ByteReader(this.#joined()));
      if (length > this.#maxBody) {
        throw new CodecFault(
          'SLURM_PROTOCOL_INSANE_MSG_LENGTH',
          `a body of ${length} bytes, at most ${this.#maxBody} are accepted`,
          HEADER_LENGTH - 4,
        );
      }
      return HEADER_LENGTH + length;
    });
  }

  #joined(): Uint8Array {
    const [first] = this.#pieces;
    if (this.#pieces.length === 1 && first !== undefined) return first;
    const whole = Buffer.concat(this.#pieces);
    this.#pieces.splice(0, this.#pieces.length, whole);
    return whole;
  }
}

export type MungeRequestName = 'encodeRequest' | 'decodeRequest';

/** A request as munged gets it. */
export type MungeRequest = {
  readonly [N in MungeRequestName]: MungeMessage<N> & { readonly name: N };
}[MungeRequestName];

/** {@link MungeAssembler} for munged's side, where only the header says which of the two requests it is. */
export class MungeRequestAssembler {
  #start: Uint8Array = new Uint8Array(0);
  #push: ((piece: Uint8Array) => MungeRequest | null) | null = null;

  /**
   * Takes the next piece; returns the request once it is complete, else null.
   *
   * @throws SlurmProtocolError for what cannot become one request.
   */
  push(piece: Uint8Array): MungeRequest | null {
    if (this.#push !== null) return this.#push(piece);
    this.#start = Buffer.concat([this.#start, piece]);
    const type = this.#start[TYPE_AT];
    if (type === undefined) return null;
    // Anything else is refused by the assembler, for its magic, its version or its type.
    this.#push =
      type === MESSAGES.decodeRequest.type ? assembling('decodeRequest') : assembling('encodeRequest');
    return this.#push(this.#start);
  }
}

/** Where the type stands in a header. */
const TYPE_AT = 5;

function assembling<N extends MungeRequestName>(name: N): (piece: Uint8Array) => MungeRequest | null {
  const assembler = new MungeAssembler(name);
  return (piece) => {
    const message = assembler.push(piece);
    return message === null ? null : ({ name, ...message } as MungeRequest);
  };
}

function readHeader(name: MungeMessageName, reader: ByteReader): { retry: number; length: number } {
  expectValue(reader, 'magic', MAGIC, reader.u32());
  expectValue(reader, 'version', VERSION, reader.u8());
  expectValue(reader, 'type', MESSAGES[name].type, reader.u8());
  return { retry: reader.u8(), length: reader.u32() };
}

function expectValue(reader: ByteReader, field: string, wanted: number, found: number): void {
  if (found === wanted) return;
  const fault = new CodecFault('SLURMWIRE_UNKNOWN_TYPE', `${found} instead of ${wanted}`, reader.offset);
  throw within(fault, field);
}

function fieldsOf(name: MungeMessageName): readonly (readonly [string, FieldType<unknown>])[] {
  return Object.entries(MESSAGES[name].body) as [string, FieldType<unknown>][];
}
