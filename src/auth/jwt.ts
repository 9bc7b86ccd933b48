/**
 * `auth/jwt`: the caller's token goes with each message. Nothing is bound to the message, and nothing comes back that could be checked.
 *
 * Source: the auth/jwt plugin of 20.11 to 26.05: `exp` is compared with the daemon's clock and a token without one has expired; `nbf` and `iat` are
 * not looked at; the user is `sun`, else `username`, else a claim that the daemon's AuthAltParameters name.
 */
import type { AuthSection } from '../protocol/auth-section.js';
import type { Authenticator } from '../protocol/authenticator.js';
import { errorNumber } from '../protocol/error-number.js';
import { SlurmAuthError, SlurmUsageError, showValue } from '../protocol/slurm-error.js';
import { integerClaim, malformed, readJwt, textClaim } from './jwt-text.js';
import {
  fixedToken,
  type ProvideToken,
  providedToken,
  type Token,
  type TokenSource,
  tokenFile,
} from './token-source.js';
import { wrongPlugin } from './wrong-plugin.js';

const PLUGIN = 'auth/jwt';

/** Where {@link jwt} gets its token: one of `token`, `tokenFile` and `provide`, or none for the environment's SLURM_JWT. */
export interface JwtOptions {
  /** The token itself, without white space around it. */
  readonly token?: string | undefined;
  /**
   * Path of a file with the token, read again for each message. White space around it and `SLURM_JWT=` before it, as `scontrol token` prints
   * it, are taken off. Put a new one there by renaming, so that it is never read half-written. Only its owner should be able to read it
   * (mode 0600): whoever can read it can act as its user.
   */
  readonly tokenFile?: string | undefined;
  /**
   * Asked for a token when there is none or the last one expires within 30 s (within the last tenth of its life where that is
   * less): once for all calls that wait. `signal` fires when no call waits any more.
   */
  readonly provide?: ProvideToken | undefined;
  /** The user to act as, where the token is root's or SlurmUser's; the daemon refuses it with any other. Default: the token's user. */
  readonly username?: string | undefined;
  /**
   * Uid that the cluster has for the user. Give it only where it is certain: with it `killJobs` may be one request in place of one for each job.
   * Default: not known.
   */
  readonly uid?: number | undefined;
  /** @internal Milliseconds since 1970; default the system's clock. */
  readonly now?: (() => number) | undefined;
}

/**
 * Authenticates with a JSON Web Token, as Slurm's own tools do where SLURM_JWT is set.
 *
 * The controllers have to have `auth/jwt` in AuthAltTypes. slurmds take no tokens: verbs that go to them are refused (`SLURMWIRE_AUTH_NOT_FOR_NODES`).
 * Replies cannot be checked, so `authenticated` is always false. A token that has expired by this host's clock is not sent. All tokens of one
 * authenticator have to name the same user.
 *
 * @throws SlurmUsageError for bad options; SlurmAuthError `ESLURM_AUTH_CRED_INVALID` for a `token` or SLURM_JWT that is none. The token
 * is in no error.
 */
export function jwt(options: JwtOptions = {}): Authenticator {
  checkOptions(options);
  const { username = null, uid = null, now = Date.now } = options;
  const source = sameUser(sourceOf(options, now));
  return {
    name: PLUGIN,
    reach: 'controllers',

    async create(_payload, _restrictUid, context): Promise<AuthSection> {
      const token = await source(context);
      refuseExpired(token, now());
      return { plugin: PLUGIN, token: token.text, username };
    },

    async verify(section): Promise<null> {
      // Daemons that sign replies to a token (protocols before 23.02) send one without token and user.
      if (section.plugin !== PLUGIN) throw wrongPlugin(PLUGIN, section.plugin);
      return null;
    },

    async identity(context) {
      return { uid, name: username ?? (await source(context)).user };
    },
  };
}

function sourceOf({ token, tokenFile: path, provide }: JwtOptions, now: () => number): TokenSource {
  if (path !== undefined) return tokenFile(path, readToken);
  if (provide !== undefined) return providedToken(provide, readToken, now);
  if (token !== undefined) return fixedToken(readToken(token, 'The option token'));
  const { SLURM_JWT } = process.env;
  if (SLURM_JWT !== undefined) return fixedToken(readToken(SLURM_JWT, 'SLURM_JWT in the environment'));
  throw new SlurmUsageError(
    'jwt: there is neither an option that gives a token nor SLURM_JWT in the environment.',
    {
      code: 'SLURMWIRE_BAD_OPTION',
      field: 'token',
      value: undefined,
      hint: 'Give token, tokenFile or provide.',
    },
  );
}

function readToken(text: string, from: string): Token {
  const token = readJwt(text, PLUGIN, from);
  const expiresAt = integerClaim(token, 'exp');
  // To Slurm it is 0 then, which is long ago.
  if (expiresAt === null)
    throw malformed(PLUGIN, from, 'its claim exp is missing or no whole number, which Slurm refuses');
  return { text, expiresAt, user: textClaim(token, 'sun') ?? textClaim(token, 'username') };
}

/**
 * A later token of another user is refused: what has been learned of who asks (whose jobs are meant, what KILL_JOBS may be sent for) would
 * be wrong from one message to the next.
 */
function sameUser(source: TokenSource): TokenSource {
  let user: string | null | undefined;
  return async (context) => {
    const token = await source(context);
    if (user === undefined) user = token.user;
    if (user === token.user) return token;
    const code = 'ESLURM_AUTH_CRED_INVALID';
    throw new SlurmAuthError(
      `The token is one of user ${showValue(token.user)}, and those before it were of ${showValue(user)}.`,
      {
        code,
        number: errorNumber(code) ?? undefined,
        errno: 'EACCES',
        outcome: 'not-sent',
        phase: 'authenticate',
        reason: 'other-user',
        hint: 'Use a client for each user.',
      },
    );
  };
}

/** As a daemon would: good until its last second is over. */
function refuseExpired({ expiresAt }: Token, nowMs: number): void {
  const late = Math.floor(nowMs / 1000) - expiresAt;
  if (late <= 0) return;
  const code = 'ESLURM_AUTH_EXPIRED';
  throw new SlurmAuthError(`The token has expired ${late} s ago, by the clock of this host.`, {
    code,
    number: errorNumber(code) ?? undefined,
    errno: 'EACCES',
    outcome: 'not-sent',
    phase: 'authenticate',
    reason: 'expired',
    hint: 'Get a new one (scontrol token), and see that the clock is right.',
  });
}

function checkOptions(options: JwtOptions): void {
  if (typeof options !== 'object' || options === null)
    throw badOption('options', typeof options, 'is not an object');
  const { token, tokenFile: path, provide, username, uid, now } = options;
  const given = Object.entries({ token, tokenFile: path, provide }).filter(
    ([, value]) => value !== undefined,
  );
  if (given.length > 1) {
    const names = given.map(([name]) => name).join(' and ');
    throw badOption('token', names, 'can come from one place only');
  }
  // Never the value itself: it may be a token of some other type.
  if (token !== undefined && typeof token !== 'string')
    throw badOption('token', typeof token, 'is not a text');
  if (path !== undefined && (typeof path !== 'string' || path === '' || path.includes('\0'))) {
    throw badOption('tokenFile', path, 'is not a path');
  }
  // Every error about the file would have it in its words.
  if (path !== undefined && /^\s*(SLURM_JWT=)?eyJ[\w-]*\./.test(path)) {
    throw badOption('tokenFile', 'a token', 'is a token, not the path of a file with one');
  }
  if (provide !== undefined && typeof provide !== 'function')
    throw badOption('provide', typeof provide, 'is not a function');
  if (username !== undefined && !isUserName(username))
    throw badOption('username', username, 'is not a user name');
  if (uid !== undefined && !(Number.isInteger(uid) && uid >= 0 && uid < 0xffffffff)) {
    throw badOption('uid', uid, 'is not a uid (0 … 4294967294)');
  }
  if (now !== undefined && typeof now !== 'function') throw badOption('now', typeof now, 'is not a function');
  const known = ['token', 'tokenFile', 'provide', 'username', 'uid', 'now'];
  const foreign = Object.keys(options).find((name) => !known.includes(name));
  if (foreign !== undefined) throw badOption(foreign, 'given', 'is no option of jwt()');
}

function isUserName(name: unknown): boolean {
  return typeof name === 'string' && name !== '' && name.length <= 256 && !/[\s\0]/.test(name);
}

function badOption(field: string, value: unknown, why: string): SlurmUsageError {
  return new SlurmUsageError(`jwt: ${field} ${why}.`, { code: 'SLURMWIRE_BAD_OPTION', field, value });
}
