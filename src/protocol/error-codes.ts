/**
 * The stable codes of this library's own, with what each means. All other codes are upstream's: `ESLURM_*`, `ESLURMD_*`, `SLURM_*`
 * and `SLURMCTLD_*` from Slurm's table (`errorNumber` finds their numbers), `EMUNGE_*` from MUNGE's.
 *
 * A published code is never reused for something else. A test holds this list against the sources.
 */
export const OWN_ERROR_CODES = {
  // The caller's arguments.
  SLURMWIRE_BAD_JOB_ID: 'Not a job id.',
  SLURMWIRE_BAD_STEP_ID: 'Not a step id, or one the verb cannot address.',
  SLURMWIRE_BAD_SIGNAL: 'Not a Unix signal from 1 to 64.',
  SLURMWIRE_BAD_OPTION: 'An option has a value it cannot have.',
  SLURMWIRE_BAD_FILE: 'A file named on the command line that cannot be read, written or used.',
  SLURMWIRE_BAD_HEX: 'Text given to decode that is no hex dump.',
  SLURMWIRE_CANNOT_LISTEN: 'A proxy or a player could not listen on the address that it needs.',
  SLURMWIRE_CANNOT_START: 'A command that was to be recorded or served could not be started.',
  SLURMWIRE_BAD_ENDPOINT: "Not 'host', 'host:port' or '[address]:port'.",
  SLURMWIRE_BAD_HOSTLIST: 'Not a hostlist expression, or a name that cannot stand in one.',
  SLURMWIRE_BAD_CONF: 'The conf option is neither a path nor a configuration.',
  SLURMWIRE_BAD_UID: 'Not a uid.',
  SLURMWIRE_UNKNOWN_MESSAGE: 'A message that has no description here.',
  SLURMWIRE_UNSAFE_MESSAGE: 'A message that could harm a cluster; it is never sent.',
  SLURMWIRE_WHOLE_HET_JOB: 'A component that Slurm cannot signal without the others of its het job.',
  SLURMWIRE_NOT_ONE_JOB: 'kill() with a positive target that stands for several jobs.',
  SLURMWIRE_NOT_IN_A_JOB: 'kill() with target 0 in a process that runs in no job.',
  SLURMWIRE_CLOSED: 'The client was closed before the call.',
  // The codec.
  SLURMWIRE_TRUNCATED: 'The bytes end before the field does.',
  SLURMWIRE_TRAILING_BYTES: 'Bytes are left over behind the last field.',
  SLURMWIRE_BAD_COUNT: 'A count or length that does not fit what is left of the message.',
  SLURMWIRE_BAD_TEXT:
    'A string that is not what it has to be: without its terminating NUL, no bit string, no list of nodes.',
  SLURMWIRE_BAD_LENGTH: 'Lengths that contradict each other.',
  SLURMWIRE_UNKNOWN_TYPE: 'A message type or plugin number without a description.',
  SLURMWIRE_BAD_VALUE: 'A value of the wrong type or out of its range.',
  SLURMWIRE_FIELD_MISSING: 'A field that has to be given is not.',
  SLURMWIRE_NOT_IN_RELEASE: 'A message, field or option that the chosen release does not have.',
  SLURMWIRE_BAD_RELEASE: 'Not the name of a release this library speaks.',
  // The configuration.
  SLURMWIRE_CONFIG_NOT_FOUND: 'There is no slurm.conf where Slurm looks for one.',
  SLURMWIRE_CONFIG_UNREADABLE: 'A configuration file cannot be read.',
  SLURMWIRE_CONFIG_TOO_LARGE: 'A configuration file is beyond all reason.',
  SLURMWIRE_CONFIG_SYNTAX: 'A line that is not as slurm.conf(5) has it.',
  SLURMWIRE_CONFIG_INCLUDE: 'An Include that cannot be followed.',
  SLURMWIRE_CONFIG_VALUE: 'A parameter with a value it cannot have.',
  SLURMWIRE_CONFIG_UNKNOWN_USER: 'SlurmUser or SlurmdUser is not known on this host.',
  SLURMWIRE_CONFIG_NO_CONTROLLER: 'No controller is configured.',
  SLURMWIRE_CONFIG_OTHER_CLUSTER: 'SLURM_CLUSTERS names another cluster than the configuration is of.',
  SLURMWIRE_CONFIG_NOT_FETCHED: "Configless: no server gave its configuration; the cause is the last one's.",
  SLURMWIRE_CONFIG_AUTH_TYPE: 'An AuthType this version cannot serve.',
  SLURMWIRE_CONFIG_TLS: 'A CA, certificate or key for TLS that cannot be used.',
  // TLS.
  SLURMWIRE_TLS_UNTRUSTED:
    "The peer's certificate is not good: another CA, expired, another host. Nothing was sent.",
  SLURMWIRE_TLS_HANDSHAKE:
    'The TLS handshake did not succeed: no TLS there, an alert, a close, silence. Nothing was sent.',
  SLURMWIRE_TLS_BROKEN:
    'A TLS connection broke after its handshake: an alert, or bytes that are no good TLS.',
  // Credentials.
  SLURMWIRE_AUTH_NO_TOKEN:
    'There is no token to authenticate with: its file cannot be read, its callback failed, or sackd made none.',
  SLURMWIRE_AUTH_NO_SACK: 'No daemon answers on a SACK socket, which auth/slurm needs.',
  SLURMWIRE_AUTH_NOT_FOR_NODES: 'A message for slurmds, which do not take this kind of credential.',
  // Calls.
  SLURMWIRE_ABORTED: "The caller's AbortSignal ended the call.",
  SLURMWIRE_BREAKER_OPEN:
    'Not sent: the controller dropped such a request (1805) a moment ago, and the call has no time to wait.',
  SLURMWIRE_SURVIVORS: 'All signals of a termination are through, and parts of its target are still there.',
  SLURMWIRE_REROUTED:
    'The controller named another one to ask (federation, step manager), and that leads nowhere or is not followed for this request.',
  SLURMWIRE_INTERNAL:
    'A defect of this library or of a transport or authenticator passed to it; the cause has it.',
  // Fixtures.
  SLURMWIRE_BAD_FIXTURE: 'Not a fixture file, or a broken one.',
  SLURMWIRE_LIVE_SECRET: 'A credential that is not redacted stood where a fixture was to be written.',
  SLURMWIRE_REPLAY_MISMATCH: 'A replayed conversation went another way than the recorded one.',
} as const;

/** A `code` of this library's own. */
export type OwnErrorCode = keyof typeof OWN_ERROR_CODES;
