/**
 * Whether a credential can be had, how, and of whom.
 *
 * munged is asked over its socket, in TypeScript: a call of libmunge to a munged that hangs could not be given up, and would hold up the end of
 * this program for 10 s. libmunge is called only once munged has answered.
 */
import { jwt, loadMunge, munge, mungeSocket, slurmAuth } from '../../auth/index.js';
import { integerClaim, readJwt, textClaim } from '../../auth/jwt-text.js';
import { DEFAULT_SOCKET } from '../../auth/munged-calls.js';
import type { SlurmConfig } from '../../config/index.js';
import type { Authenticator, VerifiedCredential } from '../../protocol/authenticator.js';
import { SlurmAuthError } from '../../protocol/slurm-error.js';
import { type AuthChoice, chooseAuth } from '../../rpc/default-auth.js';
import type { ConnectionOptions } from '../connection.js';
import { type Bounds, bounded, type Finding, finding, troubleFinding } from './finding.js';
import { findMungeVersion, judgeMunge, type MungeVersion } from './munge-version.js';

type Env = Readonly<Record<string, string | undefined>>;

/** What is known after credentials were asked for. */
export interface Credentials {
  readonly findings: readonly Finding[];
  /** `null`: none can be had. */
  readonly auth: Authenticator | null;
  readonly method: AuthChoice['method'] | null;
  /** Of whom they are, as far as they tell. */
  readonly owner: { readonly uid: number | null; readonly name: string | null };
}

/** What the doctor asks the host for. A test has one of its own. */
export interface Host {
  readonly loadMunge: () => Promise<void>;
  readonly mungeVersion: (env: Env, signal: AbortSignal) => Promise<MungeVersion>;
}

export const HOST: Host = { loadMunge: () => loadMunge(), mungeVersion: findMungeVersion };

/** What a credential is made for here: nothing that a daemon would take. */
const PAYLOAD = new TextEncoder().encode('slurmwire doctor');
const NOBODY = { uid: null, name: null };

/** Rejects only where the user stops it. */
export async function readCredentials(
  options: ConnectionOptions,
  config: SlurmConfig | null,
  env: Env,
  bounds: Bounds,
  host: Host,
): Promise<Credentials> {
  let choice: Choice;
  try {
    choice = chosen(options, config, env);
  } catch (error) {
    const advice = 'Set AuthType in slurm.conf, or say --auth.';
    return {
      findings: [troubleFinding('credentials', error, { advice })],
      auth: null,
      method: null,
      owner: NOBODY,
    };
  }
  const { method, why } = choice;
  const summary = `${method} is used: ${why}.`;
  const first = finding('credentials', 'ok', summary, { details: { method, by: choice.by } });
  const rest = await WAYS[method]({ options, config, env, bounds, host });
  bounds.signal.throwIfAborted();
  return { ...rest, method, findings: [first, ...rest.findings] };
}

interface Choice {
  readonly method: AuthChoice['method'];
  readonly by: AuthChoice['by'] | 'option';
  readonly why: string;
}

const METHODS = {
  munge: 'auth/munge',
  'munge-socket': 'auth/munge',
  jwt: 'auth/jwt',
  slurm: 'auth/slurm',
} as const satisfies Record<NonNullable<ConnectionOptions['auth']>, AuthChoice['method']>;

function chosen(
  { auth, mungeSocket: path }: ConnectionOptions,
  config: SlurmConfig | null,
  env: Env,
): Choice {
  if (auth !== undefined) return { method: METHODS[auth], by: 'option', why: '--auth says so' };
  if (path !== undefined) return { method: 'auth/munge', by: 'option', why: '--munge-socket is given' };
  const { method, by } = chooseAuth(env, config);
  const at = config?.authTypeAt;
  const why = {
    SLURM_SACK_KEY: 'SLURM_SACK_KEY is set',
    SLURM_SACK_JWKS: 'SLURM_SACK_JWKS is set',
    SLURM_JWT: 'SLURM_JWT is set, which goes before AuthType',
    AuthType: `AuthType=${config?.authType}${at === undefined ? '' : ` in ${at.file}:${at.line}`}`,
    default:
      config === null
        ? "Slurm's default, as there is no slurm.conf"
        : 'the default, as slurm.conf names none',
  }[by];
  return { method, by, why };
}

interface Asking {
  readonly options: ConnectionOptions;
  readonly config: SlurmConfig | null;
  readonly env: Env;
  readonly bounds: Bounds;
  readonly host: Host;
}

type Had = Omit<Credentials, 'method'>;

const WAYS: Readonly<Record<AuthChoice['method'], (asking: Asking) => Promise<Had>>> = {
  'auth/munge': byMunge,
  'auth/jwt': byToken,
  'auth/slurm': bySack,
};

// --- MUNGE ---------------------------------------------------------------------------------------------------------

async function byMunge({ options, config, env, bounds, host }: Asking): Promise<Had> {
  const named = options.mungeSocket ?? config?.authInfo.socket ?? undefined;
  const setup = { socket: named, ttl: config?.authInfo.ttlSeconds ?? undefined };
  const overSocket = mungeSocket(setup);
  const [answer, library, version] = await Promise.all([
    tryOut(overSocket, bounds),
    bounded(bounds, () => host.loadMunge()).then(
      () => null,
      (error: unknown) => error,
    ),
    bounded(bounds, ({ signal }) => host.mungeVersion(env, signal)).catch(() => NO_VERSION),
  ]);
  bounds.signal.throwIfAborted();
  const findings: Finding[] = [];
  let auth: Authenticator | null = null;
  let uid = answer.credential?.uid ?? null;
  const usesLibrary = options.auth !== 'munge-socket' && library === null;
  const socket = named ?? DEFAULT_SOCKET;
  if (answer.credential !== null) {
    auth = overSocket;
    const summary = `munged answers on ${socket}: it made and read a credential of uid ${uid} in ${answer.ms} ms.`;
    findings.push(finding('munged', 'ok', summary, { details: { socket, uid, elapsedMs: answer.ms } }));
    if (usesLibrary) findings.push(await throughLibrary(setup, bounds));
  } else {
    // A libmunge that was built with another place in it knows better where munged is.
    const found = usesLibrary && named === undefined && isNoSocket(answer.error) ? munge(setup) : null;
    const second = found === null ? null : await tryOut(found, bounds);
    if (found !== null && second?.credential) {
      auth = found;
      uid = second.credential.uid;
      const summary = `munged answers libmunge in ${second.ms} ms, on a socket of its own: there is none at ${socket}.`;
      findings.push(
        finding('munged', 'ok', summary, { details: { socket: null, uid, elapsedMs: second.ms } }),
      );
    } else {
      const advice =
        'Start munged on this host, or name its socket: AuthInfo=socket=… in slurm.conf, or --munge-socket.';
      findings.push(troubleFinding('munged', answer.error, { advice, details: { socket } }));
    }
  }
  if (library !== null && options.auth !== 'munge-socket') findings.push(withoutLibrary(library));
  if (library === null && auth === null) findings.push(finding('libmunge', 'ok', 'libmunge can be loaded.'));
  findings.push(aboutVersion(version));
  return { findings, auth, owner: { uid, name: null } };
}

const NO_VERSION: MungeVersion = { program: null, package: null };

interface Tried {
  readonly credential: VerifiedCredential | null;
  readonly error: unknown;
  readonly ms: number;
}

/** Makes a credential and has it read again. */
async function tryOut(auth: Authenticator, bounds: Bounds): Promise<Tried> {
  const startedAt = performance.now();
  const ms = () => Math.round((performance.now() - startedAt) * 10) / 10;
  try {
    const credential = await bounded(bounds, async (context) => {
      const made = await auth.create(PAYLOAD, null, context);
      return auth.verify(made, context);
    });
    return { credential, error: null, ms: ms() };
  } catch (error) {
    return { credential: null, error, ms: ms() };
  }
}

async function throughLibrary(setup: { socket?: string | undefined }, bounds: Bounds): Promise<Finding> {
  const { credential, error, ms } = await tryOut(munge(setup), bounds);
  if (credential !== null) {
    const summary = `libmunge can be loaded, and is what is used: a credential in ${ms} ms.`;
    return finding('libmunge', 'ok', summary, { details: { loadable: true, elapsedMs: ms } });
  }
  const advice =
    'munged answers without the library: say --auth munge-socket, or mungeSocket() in a program.';
  return troubleFinding('libmunge', error, { advice, details: { loadable: true } });
}

function withoutLibrary(error: unknown): Finding {
  const reason = error instanceof SlurmAuthError ? error.reason : undefined;
  const what = reason === 'no-ffi' ? 'koffi, the bridge to C libraries,' : 'libmunge';
  const summary = `${what} cannot be loaded here, and is not needed: munged is spoken to on its socket.`;
  return finding('libmunge', 'note', summary, { details: { loadable: false, reason: reason ?? null } });
}

function isNoSocket(error: unknown): boolean {
  return error instanceof SlurmAuthError && error.reason === 'no-socket';
}

function aboutVersion(version: MungeVersion): Finding {
  const check = 'munge-version';
  const details = { program: version.program, package: version.package };
  const shown = [
    version.program === null ? '' : `munged --version says ${version.program}`,
    version.package === null ? '' : `the package is ${version.package}`,
  ];
  const said = shown.filter((text) => text !== '').join(', ');
  const advice =
    "Older ones let any local user read the MUNGE key (CVE-2026-25506). Update munged on every host with the key, and see your distribution's changelog: some carry the fix under an older number.";
  switch (judgeMunge(version)) {
    case 'safe':
      return finding(check, 'ok', `${said}: CVE-2026-25506 is closed in it, if munged was restarted since.`, {
        details,
      });
    case 'unsafe':
      return finding(check, 'warning', `${said}, which is before 0.5.18.`, { details, advice });
    case 'unknown': {
      const summary =
        "munged's version cannot be told: its protocol has no question for it, and no munged program was found on this host.";
      return finding(check, 'note', summary, { details, advice: 'It should be 0.5.18 or later.' });
    }
  }
}

// --- tokens --------------------------------------------------------------------------------------------------------

/** A token that lives no longer than this is worth a word, in seconds. */
const SOON_S = 300;

async function byToken({ env, bounds }: Asking): Promise<Had> {
  const advice = 'Get a token (scontrol token) and export it as SLURM_JWT.';
  try {
    const auth = jwt({ token: env.SLURM_JWT });
    await bounded(bounds, (context) => auth.create(PAYLOAD, null, context));
    const read = readJwt(env.SLURM_JWT ?? '', 'auth/jwt', 'SLURM_JWT');
    const name = textClaim(read, 'sun') ?? textClaim(read, 'username');
    const expiresAt = integerClaim(read, 'exp') ?? 0;
    const leftS = Math.floor(expiresAt - Date.now() / 1_000);
    const details = { user: name, expiresAt };
    const summary = `The token is ${name === null ? 'of a user it does not name' : `of ${name}`}, and good for ${leftS} s. Whether it is signed with the cluster's key only the controller knows.`;
    const found =
      leftS < SOON_S
        ? finding('token', 'warning', summary, { details, advice: `Get a new one: ${advice}` })
        : finding('token', 'ok', summary, { details });
    return { findings: [found], auth, owner: { uid: null, name } };
  } catch (error) {
    bounds.signal.throwIfAborted();
    // The variable as such is meant where the token is named as an option.
    return { findings: [troubleFinding('token', error, { advice })], auth: null, owner: NOBODY };
  }
}

async function bySack({ config, bounds }: Asking): Promise<Had> {
  const auth = slurmAuth({ clusterName: config?.clusterName ?? undefined });
  const startedAt = performance.now();
  try {
    await bounded(bounds, (context) => auth.create(PAYLOAD, null, context));
    const ms = Math.round(performance.now() - startedAt);
    const summary = `A SACK daemon (sackd, slurmd or slurmctld of this host) made a token in ${ms} ms.`;
    return {
      findings: [finding('sack', 'ok', summary, { details: { elapsedMs: ms } })],
      auth,
      owner: NOBODY,
    };
  } catch (error) {
    bounds.signal.throwIfAborted();
    const advice = 'Start sackd on this host, or set SLURM_SACK_SOCKET to its socket.';
    return { findings: [troubleFinding('sack', error, { advice })], auth: null, owner: NOBODY };
  }
}
