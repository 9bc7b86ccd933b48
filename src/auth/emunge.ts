/**
 * MUNGE's errors as data: one line each, with what they mean for a program and what a person can do.
 *
 * Numbers and names: libmunge API, `munge_err_t`, munge 0.5.15 (unchanged in 0.5.8 … 0.5.18).
 */

/** One of MUNGE's errors. */
export interface EmungeEntry {
  /** MUNGE's own number, as returned by its library and sent by munged. */
  readonly number: number;
  /** MUNGE's own name; it is the `code` of the error. */
  readonly code: string;
  /** Nearest POSIX errno. */
  readonly errno: string;
  /** True when the same call may succeed later with nothing changed. */
  readonly retryable: boolean;
  /** What happened, without a full stop. */
  readonly summary: string;
  /** What to do about it, as a sentence. */
  readonly hint: string;
}

/** `EMUNGE_SUCCESS`: the only number that is not an error. */
export const EMUNGE_SUCCESS = 0;

/** Numbers the code needs by name; every other error is looked up in {@link EMUNGE_ERRORS}. */
export const EMUNGE = {
  SNAFU: 1,
  BAD_ARG: 2,
  BAD_LENGTH: 3,
  NO_MEMORY: 5,
  SOCKET: 6,
  BAD_CRED: 8,
  BAD_VERSION: 9,
  BAD_CIPHER: 10,
  BAD_MAC: 11,
  BAD_ZIP: 12,
  BAD_REALM: 13,
  CRED_INVALID: 14,
  CRED_EXPIRED: 15,
  CRED_REWOUND: 16,
  CRED_REPLAYED: 17,
  CRED_UNAUTHORIZED: 18,
} as const;

/** Every error MUNGE has, by ascending number. */
export const EMUNGE_ERRORS: readonly EmungeEntry[] = [
  {
    number: EMUNGE.SNAFU,
    code: 'EMUNGE_SNAFU',
    errno: 'EIO',
    retryable: false,
    summary: 'MUNGE met an internal error',
    hint: "Look into munged's log (usually /var/log/munge/munged.log or the journal of munge.service).",
  },
  {
    number: EMUNGE.BAD_ARG,
    code: 'EMUNGE_BAD_ARG',
    errno: 'EINVAL',
    retryable: false,
    summary: 'MUNGE refused an argument',
    hint: 'Check the options given to munge(); an empty credential is refused in this way too.',
  },
  {
    number: EMUNGE.BAD_LENGTH,
    code: 'EMUNGE_BAD_LENGTH',
    errno: 'EMSGSIZE',
    retryable: false,
    summary: 'The message is longer than MUNGE allows',
    hint: 'Bind a digest of the data instead of the data: MUNGE takes about 1 MiB per request.',
  },
  {
    number: 4,
    code: 'EMUNGE_OVERFLOW',
    errno: 'EOVERFLOW',
    retryable: false,
    summary: 'A buffer within MUNGE was too small',
    hint: "Bind less data, and look into munged's log for the cause.",
  },
  {
    number: EMUNGE.NO_MEMORY,
    code: 'EMUNGE_NO_MEMORY',
    errno: 'ENOMEM',
    retryable: true,
    summary: 'MUNGE ran out of memory',
    hint: 'Free memory on this host, or raise the memory limit of this process or of munged.',
  },
  {
    number: EMUNGE.SOCKET,
    code: 'EMUNGE_SOCKET',
    errno: 'EIO',
    retryable: true,
    summary: 'munged cannot be reached',
    hint: 'Check that munged is running on this host (systemctl status munge).',
  },
  {
    number: 7,
    code: 'EMUNGE_TIMEOUT',
    errno: 'ETIMEDOUT',
    retryable: true,
    summary: 'munged did not answer in time',
    hint: 'Check that munged is not stopped or overloaded (systemctl status munge).',
  },
  {
    number: EMUNGE.BAD_CRED,
    code: 'EMUNGE_BAD_CRED',
    errno: 'EBADMSG',
    retryable: false,
    summary: 'What was given is not a MUNGE credential',
    hint: 'Check that the peer uses auth/munge (AuthType in slurm.conf) and that nothing cut the credential on its way.',
  },
  {
    number: EMUNGE.BAD_VERSION,
    code: 'EMUNGE_BAD_VERSION',
    errno: 'EPROTONOSUPPORT',
    retryable: false,
    summary: 'The credential has a format version that the local munged does not know',
    hint: 'Run compatible versions of MUNGE on both hosts; a damaged credential looks the same.',
  },
  {
    number: EMUNGE.BAD_CIPHER,
    code: 'EMUNGE_BAD_CIPHER',
    errno: 'EINVAL',
    retryable: false,
    summary: 'The cipher of the credential is not supported by munged',
    hint: 'Build or install munged with that cipher on both hosts.',
  },
  {
    number: EMUNGE.BAD_MAC,
    code: 'EMUNGE_BAD_MAC',
    errno: 'EINVAL',
    retryable: false,
    summary: 'The message digest of the credential is not supported by munged',
    hint: 'Build or install munged with that digest on both hosts.',
  },
  {
    number: EMUNGE.BAD_ZIP,
    code: 'EMUNGE_BAD_ZIP',
    errno: 'EINVAL',
    retryable: false,
    summary: 'The compression of the credential is not supported by munged',
    hint: 'Build or install munged with that compression (zlib, bzip2) on both hosts.',
  },
  {
    number: EMUNGE.BAD_REALM,
    code: 'EMUNGE_BAD_REALM',
    errno: 'EINVAL',
    retryable: false,
    summary: 'The security realm of the credential is not known to munged',
    hint: 'Configure the same realm on both hosts.',
  },
  {
    number: EMUNGE.CRED_INVALID,
    code: 'EMUNGE_CRED_INVALID',
    errno: 'EACCES',
    retryable: false,
    summary: 'The credential is not valid: its signature does not match',
    hint: 'Check that both hosts have the same /etc/munge/munge.key and that both munged were restarted after it was changed.',
  },
  {
    number: EMUNGE.CRED_EXPIRED,
    code: 'EMUNGE_CRED_EXPIRED',
    errno: 'EACCES',
    retryable: false,
    summary: 'The credential has expired',
    hint: 'Check that the clocks of both hosts agree, and that credentials are used soon after they were made.',
  },
  {
    number: EMUNGE.CRED_REWOUND,
    code: 'EMUNGE_CRED_REWOUND',
    errno: 'EACCES',
    retryable: false,
    summary: 'The credential comes from the future',
    hint: 'Check that the clocks of both hosts agree.',
  },
  {
    number: EMUNGE.CRED_REPLAYED,
    code: 'EMUNGE_CRED_REPLAYED',
    errno: 'EACCES',
    retryable: false,
    summary: 'The credential was decoded before by this munged',
    hint: 'A credential is good for one decoding on each host: make a new one for every message and every retry.',
  },
  {
    number: EMUNGE.CRED_UNAUTHORIZED,
    code: 'EMUNGE_CRED_UNAUTHORIZED',
    errno: 'EACCES',
    retryable: false,
    summary: 'The credential is restricted to another user or group than the one decoding it',
    hint: 'The restriction must name the uid the decoding daemon runs as: SlurmUser for slurmctld, SlurmdUser (usually root) for slurmd, our own for a reply.',
  },
];

const byNumber = new Map(EMUNGE_ERRORS.map((entry) => [entry.number, entry]));

/** The entry of an error number; for a number newer than this library, one that keeps the number visible. */
export function emungeEntry(number: number): EmungeEntry {
  return (
    byNumber.get(number) ?? {
      number,
      code: 'EMUNGE_UNKNOWN',
      errno: 'EIO',
      retryable: false,
      summary: `MUNGE failed with error ${number}, which this library does not know`,
      hint: "See munge_strerror(3) of the installed MUNGE and munged's log.",
    }
  );
}

/** Why munged could not be reached: the kinds of `EMUNGE_SOCKET`, as `reason` of the error. */
export type SocketReason = 'no-socket' | 'no-permission' | 'not-running' | 'busy' | 'hung' | 'not-munged';

/** What each kind of `EMUNGE_SOCKET` means. `summary` and `hint` are preceded by the socket's path. */
export const SOCKET_REASONS: Readonly<
  Record<
    SocketReason,
    { readonly errno: string; readonly retryable: boolean; readonly summary: string; readonly hint: string }
  >
> = {
  'no-socket': {
    errno: 'ENOENT',
    retryable: false,
    summary: "munged's socket is not there",
    hint: 'Is munged running (systemctl start munge)? If it listens elsewhere, give its path as option `socket` (AuthInfo=socket=… in slurm.conf).',
  },
  'no-permission': {
    errno: 'EACCES',
    retryable: false,
    summary: "This user may not use munged's socket",
    hint: 'The directory must be searchable (mode 0755) and the socket writable (mode 0777) for every user: see munged(8).',
  },
  'not-running': {
    errno: 'ECONNREFUSED',
    retryable: true,
    summary: "munged's socket is there, but nobody listens on it",
    hint: 'munged has died or is restarting: systemctl restart munge.',
  },
  busy: {
    errno: 'EAGAIN',
    retryable: true,
    summary: 'munged is too busy to take the request',
    hint: 'Try again later, send fewer requests at a time, or give munged more threads (--num-threads).',
  },
  hung: {
    errno: 'ETIMEDOUT',
    retryable: true,
    summary: 'munged took the request and does not answer',
    hint: 'munged is stopped or overloaded: look at its state and its log, and restart it (systemctl restart munge).',
  },
  'not-munged': {
    errno: 'EPROTO',
    retryable: false,
    summary: "What listens on munged's socket does not speak munged's protocol",
    hint: 'Is the path right (option `socket`, AuthInfo=socket=… in slurm.conf)? munged 0.5.8 to 0.5.18 are known to be understood.',
  },
};
