import { SlurmError, type SlurmErrorDetails } from '../protocol/slurm-error.js';

/** What a {@link ReplayMismatchError} says beside its text. */
export interface ReplayMismatchDetails {
  /** Which connection of the recording, from 0; `undefined` where none is concerned. */
  readonly connection?: number | undefined;
  /** Field of the first differing byte, for example `body/signal`. Empty where it is not known. */
  readonly fieldPath?: string | undefined;
  /** Offset of the first differing byte within its frame, length word included. */
  readonly offset?: number | undefined;
}

/**
 * A client did something else than what was recorded. The message is an annotated diff; what was a credential is masked in it.
 * `code` is `SLURMWIRE_REPLAY_MISMATCH`.
 */
export class ReplayMismatchError extends SlurmError {
  override readonly name = 'ReplayMismatchError';
  readonly connection: number | undefined;
  readonly fieldPath: string;
  readonly offset: number | undefined;

  constructor(summary: string, details: Partial<SlurmErrorDetails> & ReplayMismatchDetails = {}) {
    super(summary, { errno: 'EPROTO', outcome: 'not-sent', ...details, code: 'SLURMWIRE_REPLAY_MISMATCH' });
    this.connection = details.connection;
    this.fieldPath = details.fieldPath ?? '';
    this.offset = details.offset;
  }
}
