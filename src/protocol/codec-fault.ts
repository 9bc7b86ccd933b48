import { SlurmProtocolError } from './slurm-error.js';

/**
 * What the codec throws inside itself: cheap, and its path grows while it passes the enclosing structures on the way out.
 * {@link asProtocolError} turns it into the public error at the border; nothing outside `src/protocol` sees this class.
 */
export class CodecFault extends Error {
  readonly code: CodecFaultCode;
  readonly offset: number | undefined;
  readonly path: (string | number)[] = [];

  constructor(code: CodecFaultCode, message: string, offset?: number) {
    super(message);
    this.code = code;
    this.offset = offset;
  }
}

/** Codes of {@link SlurmProtocolError} as the codec makes it, with the errno each stands for. */
export const CODEC_FAULTS = {
  /** The bytes end before the field does. */
  SLURMWIRE_TRUNCATED: 'EPROTO',
  /** Bytes are left over behind the last field. */
  SLURMWIRE_TRAILING_BYTES: 'EPROTO',
  /** A count or length larger than what is left of the message. */
  SLURMWIRE_BAD_COUNT: 'EPROTO',
  /** A string without its terminating NUL, or text that is no bit string. */
  SLURMWIRE_BAD_TEXT: 'EPROTO',
  /** Lengths that contradict each other (frame, header, body). */
  SLURMWIRE_BAD_LENGTH: 'EPROTO',
  /** A message type or plugin id without a description here. */
  SLURMWIRE_UNKNOWN_TYPE: 'EPROTO',
  /** A frame above 1 GiB or above the caller's limit. */
  SLURM_PROTOCOL_INSANE_MSG_LENGTH: 'EMSGSIZE',
  /** A header whose version this library does not speak. */
  SLURM_PROTOCOL_VERSION_ERROR: 'EPROTO',
  /** Encoding: a value of the wrong type or out of its field's range. */
  SLURMWIRE_BAD_VALUE: 'EINVAL',
  /** Encoding: a field that has to be given is not. */
  SLURMWIRE_FIELD_MISSING: 'EINVAL',
  /** Encoding: a field or message is set that the chosen release cannot carry. */
  SLURMWIRE_NOT_IN_RELEASE: 'EINVAL',
  /** A release name that is not in the version table. */
  SLURMWIRE_BAD_RELEASE: 'EINVAL',
} as const;

export type CodecFaultCode = keyof typeof CODEC_FAULTS;

/** Adds the name of the enclosing field to a fault on its way out. */
export function within(thrown: unknown, step: string | number): unknown {
  if (thrown instanceof CodecFault) thrown.path.unshift(step);
  return thrown;
}

/** Runs a codec step; a fault leaves as {@link SlurmProtocolError}. */
export function withProtocolErrors<T>(
  rpc: string | undefined,
  protocol: string | undefined,
  step: () => T,
): T {
  try {
    return step();
  } catch (thrown) {
    throw asProtocolError(thrown, rpc, protocol);
  }
}

function asProtocolError(thrown: unknown, rpc: string | undefined, protocol: string | undefined): unknown {
  if (!(thrown instanceof CodecFault)) return thrown;
  const message =
    rpc === undefined ? thrown.message : `${thrown.message} (${rpc}${protocol ? `, ${protocol}` : ''})`;
  return new SlurmProtocolError(message, {
    code: thrown.code,
    errno: CODEC_FAULTS[thrown.code],
    outcome: 'not-sent',
    fieldPath: thrown.path.join('/'),
    offset: thrown.offset,
    rpc,
    protocol,
  });
}
