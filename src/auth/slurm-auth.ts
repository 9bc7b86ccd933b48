/**
 * `auth/slurm`: credentials are made and checked by sackd, or by the slurmd, slurmctld or slurmdbd of this host, over a Unix socket; the
 * kernel tells the daemon who asks. The key of the cluster stays with the daemon.
 *
 * Source: the SACK client of 23.11 to 26.05, and the claims of the daemons' own tokens there.
 */
import type { AuthSection } from '../protocol/auth-section.js';
import type { Authenticator, VerifiedCredential } from '../protocol/authenticator.js';
import { errorNumber } from '../protocol/error-number.js';
import { headerVersionOf, isAtLeast, isRelease, RELEASE_NAMES, type Release } from '../protocol/release.js';
import { SlurmAuthError, SlurmConfigError, SlurmUsageError, showValue } from '../protocol/slurm-error.js';
import { integerClaim, type JwtText, malformed, readJwt, textClaim } from './jwt-text.js';
import { wrongPlugin } from './wrong-plugin.js';

const PLUGIN = 'auth/slurm';
/** The first protocol with the plugin. */
const SINCE = '23.11';

/** How {@link slurmAuth} finds the daemon. Every field has a default. */
export interface SlurmAuthOptions {
  /**
   * Path of the SACK socket, at most 107 bytes; no other is tried then. Default: SLURM_SACK_SOCKET of the environment and no other; else the first that can be
   * connected of `/run/slurm-CLUSTER/sack.socket` (with `clusterName`), `/run/slurm/sack.socket`, `/run/slurmctld/sack.socket`,
   * `/run/slurmdbd/sack.socket`.
   */
  readonly socket?: string | undefined;
  /** ClusterName of slurm.conf. Default: none. */
  readonly clusterName?: string | undefined;
  /** The release the daemon is told, which it writes into its log and nothing else. Default `23.11`. */
  readonly release?: Release | undefined;
}

/**
 * Authenticates with auth/slurm, as Slurm's own tools do where AuthType=auth/slurm. It exists since protocol 23.11.
 *
 * How long the credentials live is the daemon's choice (`ttl=` of AuthInfo in its slurm.conf, 60 s by default) and cannot be asked for. A daemon that is
 * busy or restarts is tried again for some seconds, within the deadline; one that takes the request and is silent is given 10 s.
 *
 * @throws SlurmUsageError when an option is not valid.
 */
export function slurmAuth(options: SlurmAuthOptions = {}): Authenticator {
  checkOptions(options);
  const version = headerVersionOf(options.release ?? SINCE);
  const own = { socket: options.socket, clusterName: options.clusterName };
  return {
    name: PLUGIN,
    since: SINCE,

    async create(payload, restrictUid, context): Promise<AuthSection> {
      if (restrictUid !== null) checkUid(restrictUid);
      const paths = sackPaths(own, process.env.SLURM_SACK_SOCKET);
      // As the payload is now, whatever the caller does with its buffer meanwhile.
      const asked = { rpc: 'create', version, restrictUid, payload: new Uint8Array(payload) } as const;
      const { createToken } = await sack();
      const token = await createToken(paths, asked, context);
      readJwt(token, PLUGIN, 'What the SACK daemon made');
      return { plugin: PLUGIN, token };
    },

    async verify(section, context): Promise<VerifiedCredential> {
      if (section.plugin !== PLUGIN) throw wrongPlugin(PLUGIN, section.plugin);
      const { token } = section;
      if (token === null) throw malformed(PLUGIN, "The reply's credential", 'it is empty');
      // Before the daemon is asked: what cannot be read cannot be good, and hostile bytes go no further.
      const claims = readJwt(token, PLUGIN, "The reply's credential");
      const paths = sackPaths(own, process.env.SLURM_SACK_SOCKET);
      const { verifyToken } = await sack();
      const result = await verifyToken(paths, { rpc: 'verify', version, token }, context);
      if (result !== 0) throw notGood(`the SACK daemon refused it with ${result}`);
      return readClaims(claims);
    },
  };
}

/** Sockets to try, in order. A socket that was named is the only one. */
export function sackPaths(
  { socket, clusterName }: Pick<SlurmAuthOptions, 'socket' | 'clusterName'>,
  environment: string | undefined,
): readonly string[] {
  if (socket !== undefined) return [socket];
  if (environment !== undefined) return [checkEnvironment(environment)];
  const cluster = clusterName === undefined ? [] : [`/run/slurm-${clusterName}/sack.socket`];
  const all = [
    ...cluster,
    '/run/slurm/sack.socket',
    '/run/slurmctld/sack.socket',
    '/run/slurmdbd/sack.socket',
  ];
  return all.filter((path) => Buffer.byteLength(path) <= MAX_SOCKET_PATH);
}

/** What speaks to the daemon is loaded by `connect()`, or by the first credential: importing the package must not cost what is not used. */
function sack(): Promise<typeof import('./sack-calls.js')> {
  loading ??= import('./sack-calls.js');
  return loading;
}

let loading: Promise<typeof import('./sack-calls.js')> | undefined;

/** What a daemon's token says of its maker. */
function readClaims(token: JwtText): VerifiedCredential {
  const uid = integerClaim(token, 'uid');
  const gid = integerClaim(token, 'gid');
  const expiresAt = integerClaim(token, 'exp');
  const context = textClaim(token, 'context');
  if (uid === null || gid === null || !isId(uid) || !isId(gid)) throw notGood('it names no uid and gid');
  if (context !== 'sack' && context !== 'auth') throw notGood('it was made for something else than messages');
  if (expiresAt === null || expiresAt < Math.floor(Date.now() / 1000)) throw notGood('it has expired');
  const payload = textClaim(token, 'payload') ?? '';
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(payload) || payload.length % 4 !== 0)
    throw notGood('its payload is not base64');
  return { uid, gid, payload: Uint8Array.from(Buffer.from(payload, 'base64')) };
}

function isId(value: number): boolean {
  return value >= 0 && value < 0xffffffff;
}

function notGood(why: string): SlurmAuthError {
  const code = 'ESLURM_AUTH_CRED_INVALID';
  return new SlurmAuthError(`The reply's credential is not good: ${why}.`, {
    code,
    number: errorNumber(code) ?? undefined,
    errno: 'EACCES',
    outcome: 'not-sent',
    phase: 'authenticate',
    reason: 'invalid',
    hint: 'Same slurm.key and clocks on both hosts?',
  });
}

/** Room in `sockaddr_un.sun_path` without its final NUL. */
const MAX_SOCKET_PATH = process.platform === 'linux' ? 107 : 103;

function checkOptions(options: SlurmAuthOptions): void {
  if (typeof options !== 'object' || options === null) throw badOption('options', options, 'not an object');
  const { socket, clusterName, release } = options;
  if (socket !== undefined) {
    if (typeof socket !== 'string' || socket === '' || socket.includes('\0'))
      throw badOption('socket', socket, 'not a path');
    if (Buffer.byteLength(socket) > MAX_SOCKET_PATH) {
      throw badOption('socket', socket, `longer than the ${MAX_SOCKET_PATH} bytes a socket's path may have`);
    }
  }
  if (clusterName !== undefined && (typeof clusterName !== 'string' || !/^[^/\0]+$/.test(clusterName))) {
    throw badOption('clusterName', clusterName, 'not the name of a cluster');
  }
  if (release !== undefined && !(isRelease(release) && isAtLeast(release, SINCE))) {
    throw badOption(
      'release',
      release,
      `none of ${RELEASE_NAMES.filter((name) => isAtLeast(name, SINCE)).join(', ')}`,
    );
  }
  const foreign = Object.keys(options).find((name) => !['socket', 'clusterName', 'release'].includes(name));
  if (foreign !== undefined) throw badOption(foreign, 'given', 'no option of slurmAuth()');
}

/** Slurm would fail to connect it; here it is said why. */
function checkEnvironment(path: string): string {
  if (path !== '' && Buffer.byteLength(path) <= MAX_SOCKET_PATH) return path;
  throw new SlurmConfigError(`SLURM_SACK_SOCKET=${showValue(path)} in the environment is not usable.`, {
    code: 'SLURMWIRE_CONFIG_VALUE',
    hint: `Give a path of at most ${MAX_SOCKET_PATH} bytes, or unset it.`,
  });
}

/** 0xffffffff would be "anybody"; here that is `null`, so that nobody says it by mistake. */
function checkUid(uid: unknown): void {
  if (!(Number.isInteger(uid) && isId(uid as number)))
    throw badOption('restrictUid', uid, 'not a uid (0 … 4294967294, or null for anybody)');
}

function badOption(field: string, value: unknown, why: string): SlurmUsageError {
  return new SlurmUsageError(`slurmAuth: ${field} is ${why}: ${showValue(value)}.`, {
    code: 'SLURMWIRE_BAD_OPTION',
    field,
    value,
  });
}
