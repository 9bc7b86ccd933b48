/** The parameters of a slurm.conf that say how its daemons know who is calling, and whether they speak TLS. */
import { badValue, findValue, listOf, readNumber, textOf } from './conf-values.js';
import { type OptionList, readOptionList } from './option-list.js';
import type { ConfValue, SlurmConf } from './slurm-conf.js';

/** What AuthInfo says about the credentials. */
export interface SlurmAuthInfo {
  /** Path of munged's (or sackd's) socket. `null`: the default one. */
  readonly socket: string | null;
  /** How long a credential is good, in seconds. `null`: MUNGE's default (300), auth/slurm's (60). */
  readonly ttlSeconds: number | null;
  /** cred_expire: how long the credentials are good that slurmctld makes for slurmds, in seconds. Default 120. */
  readonly credExpireSeconds?: number | undefined;
  /** use_client_ids: user and group names are the client's (auth/slurm, 23.11+). */
  readonly useClientIds?: boolean | undefined;
  /** disable_sack: the daemons keep no socket for clients (auth/slurm, 23.11+). */
  readonly disableSack?: boolean | undefined;
}

/** Left out of a configuration written by hand: the defaults. */
export interface SlurmAuthParameters {
  /** AuthType, default `auth/munge`. Not checked: whether it is supported is for the authenticators to say. */
  readonly authType: string;
  /** Where AuthType stands; left out where it is the default. */
  readonly authTypeAt?: { readonly file: string; readonly line: number } | undefined;
  readonly authInfo: SlurmAuthInfo;
  /** AuthAltTypes: what the daemons accept besides, `['auth/jwt']`. Default none. */
  readonly authAltTypes?: readonly string[] | undefined;
  /** AuthAltParameters: `jwt_key`, `jwks`, `userclaimfield`. They name keys of the daemons, which a client seldom may read. */
  readonly authAltParameters?: OptionList | undefined;
  /** TLSType (25.05+), default `tls/none`. `tls/s2n`: every connection is TLS. */
  readonly tlsType?: string | undefined;
  /** TLSParameters (25.05+): `ca_cert_file`, `load_system_certificates`, `security_policy_version` … */
  readonly tlsParameters?: OptionList | undefined;
}

/** @throws SlurmConfigError `SLURMWIRE_CONFIG_VALUE` */
export function readAuthParameters(conf: SlurmConf): SlurmAuthParameters {
  const authType = findValue(conf, 'AuthType');
  return {
    authType: authType?.value ?? 'auth/munge',
    ...(authType === undefined ? {} : { authTypeAt: { file: authType.file, line: authType.line } }),
    authInfo: readAuthInfo(findValue(conf, 'AuthInfo')),
    authAltTypes: listOf(conf, 'AuthAltTypes'),
    authAltParameters: readOptionList(textOf(conf, 'AuthAltParameters') ?? ''),
    tlsType: textOf(conf, 'TLSType') ?? 'tls/none',
    tlsParameters: readOptionList(textOf(conf, 'TLSParameters') ?? ''),
  };
}

/** Words of AuthInfo without `=` that are no path. */
const AUTH_FLAGS: readonly string[] = ['use_client_ids', 'disable_sack'];
const CRED_EXPIRE_SECONDS = 120;
/** Room in `sockaddr_un.sun_path` without its final NUL. */
const MAX_SOCKET_PATH = process.platform === 'linux' ? 107 : 103;

/** Slurm finds its words anywhere in the text; a text without any `=` is the path of the socket (its oldest form). */
function readAuthInfo(found: ConfValue | undefined): SlurmAuthInfo {
  const text = found?.value ?? '';
  const has = (flag: string) => text.toLowerCase().includes(flag);
  const flags = { useClientIds: has('use_client_ids'), disableSack: has('disable_sack') };
  const checkSocket = (path: string) => {
    if (found !== undefined && Buffer.byteLength(path) > MAX_SOCKET_PATH)
      throw badValue(found, `Give the socket a path of at most ${MAX_SOCKET_PATH} bytes.`);
    return path;
  };
  if (found === undefined || !text.includes('=')) {
    // Only auth/slurm has flags alone, and it does not take them for a path.
    const onlyFlags = text
      .split(',')
      .every((word) => ['', ...AUTH_FLAGS].includes(word.trim().toLowerCase()));
    return {
      socket: onlyFlags ? null : checkSocket(text),
      ttlSeconds: null,
      credExpireSeconds: CRED_EXPIRE_SECONDS,
      ...(onlyFlags ? flags : { useClientIds: false, disableSack: false }),
    };
  }
  const socket = /socket=([^,]*)/.exec(text)?.[1];
  if (socket === '') throw badValue(found, 'Give socket= the path of a socket.');
  const ttlSeconds = secondsAfter(found, 'ttl');
  const credExpireSeconds = secondsAfter(found, 'cred_expire') ?? CRED_EXPIRE_SECONDS;
  if (credExpireSeconds < 5) throw badValue(found, 'Give cred_expire= at least 5 seconds.');
  // 0 asks for the default, in MUNGE and in Slurm.
  return {
    socket: socket === undefined ? null : checkSocket(socket),
    ttlSeconds: ttlSeconds || null,
    credExpireSeconds,
    ...flags,
  };
}

function secondsAfter(found: ConfValue, word: 'ttl' | 'cred_expire'): number | undefined {
  const text = new RegExp(`${word}=([^,]*)`, 'i').exec(found.value)?.[1];
  if (text === undefined) return undefined;
  const seconds = readNumber(text.trim());
  if (seconds === undefined || seconds > 0x7fff_ffff)
    throw badValue(found, `Give ${word}= a number of seconds.`);
  return seconds;
}
