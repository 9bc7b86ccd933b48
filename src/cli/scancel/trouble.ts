/** What ends a cancel before anything is sent: bad input. Said in scancel's words, exit code 1. */
export class ScancelTrouble extends Error {
  override readonly name = 'ScancelTrouble';
  /** What to do, on a line of its own. */
  readonly hint: string | undefined;
  /** The text stands alone, without `scancel: error:`. */
  readonly isBare: boolean;

  constructor(message: string, hint?: string, { isBare = false } = {}) {
    super(message);
    this.hint = hint;
    this.isBare = isBare;
  }
}
