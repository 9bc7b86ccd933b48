/** Something about a lab went wrong; the message is one a person can act on. */
export class LabError extends Error {
  override readonly name: string = 'LabError';
  readonly code: string = 'ELAB';
}

/**
 * This machine cannot run the lab: packages, privileges or kernel facilities are missing.
 * Live tests skip on it, with its message as the reason.
 */
export class LabUnavailableError extends LabError {
  override readonly name = 'LabUnavailableError';
  override readonly code = 'ELABUNAVAILABLE';
}

/**
 * Another process took one of the ports chosen for a daemon before the daemon had it: try again with others.
 */
export class LabPortTakenError extends LabError {
  override readonly name = 'LabPortTakenError';
  override readonly code = 'ELABPORTTAKEN';
}

/**
 * The Debian suites of a release carry another Slurm by now: the lab's table of releases has to follow.
 * Unlike a {@link LabUnavailableError} it is no reason to skip a test.
 */
export class LabReleaseGoneError extends LabError {
  override readonly name = 'LabReleaseGoneError';
  override readonly code = 'ELABRELEASEGONE';
}
