/** The error for "the server answered number N", whatever N is. */
import { errorMeaning } from './error-meaning.js';
import { RELEASE_NAMES, type Release } from './release.js';
import {
  SlurmAuthError,
  SlurmConnectionError,
  type SlurmError,
  type SlurmErrorDetails,
  SlurmProtocolError,
  SlurmProtocolVersionError,
  SlurmServerError,
  SlurmTimeoutError,
} from './slurm-error.js';

/** What the number does not say. */
export interface ServerErrorDetails
  extends Omit<SlurmErrorDetails, 'code' | 'errno' | 'number' | 'protocol'> {
  /** Where the call knows better than the table. */
  readonly errno?: string;
}

/**
 * Makes the error of the class that the number belongs to. `code` and `number` are the number's; `errno` and `retryable` too, unless they are
 * given.
 *
 * @param number signed, as `signedReturnCode` has it.
 * @param release whose protocol was spoken.
 */
export function serverError(
  summary: string,
  number: number,
  release: Release,
  given: ServerErrorDetails,
): SlurmError {
  const { code, errorClass, errno, retryable } = errorMeaning(number, release);
  const details = { errno, retryable, ...given, code, number, protocol: release };
  switch (errorClass) {
    case 'SlurmAuthError':
      return new SlurmAuthError(summary, details);
    case 'SlurmConnectionError':
      return new SlurmConnectionError(summary, details);
    case 'SlurmTimeoutError':
      return new SlurmTimeoutError(summary, details);
    case 'SlurmProtocolVersionError': {
      const answer = `${code} (${number})`;
      return new SlurmProtocolVersionError(summary, {
        ...details,
        spoken: RELEASE_NAMES,
        tried: [release],
        answer,
        answerKind: 'other',
      });
    }
    case 'SlurmProtocolError':
      return new SlurmProtocolError(summary, details);
    case 'SlurmServerError':
      return new SlurmServerError(summary, details);
  }
}
