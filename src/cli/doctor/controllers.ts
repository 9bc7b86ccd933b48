/** Each controller by itself: reached, up, in charge, in which version, how fast. */
import type { SlurmConfig } from '../../config/index.js';
import type { Authenticator } from '../../protocol/authenticator.js';
import { errorMeaning, signedReturnCode } from '../../protocol/error-meaning.js';
import type { MessageRecord } from '../../protocol/messages/index.js';
import type { Release } from '../../protocol/release.js';
import { isSlurmError } from '../../protocol/slurm-error.js';
import { type Endpoint, showEndpoint, type Transport } from '../../protocol/transport.js';
import { type ConnectOptions, connect } from '../../rpc/connect.js';
import { isStandby } from '../../rpc/first-contact.js';
import type { Reply } from '../../rpc/reply.js';
import { type Bounds, bounded, type Finding, finding, troubleFinding } from './finding.js';

/** What the controllers are asked with. */
export interface Asking {
  readonly config: SlurmConfig | null;
  readonly protocol: 'auto' | Release | undefined;
  /** `null`: they are connected to and asked nothing. */
  readonly auth: Authenticator | null;
  readonly transport: Transport;
  readonly bounds: Bounds;
}

/** What the one in charge told. */
export interface InCharge {
  readonly endpoint: Endpoint;
  readonly told: MessageRecord<'RESPONSE_BUILD_INFO'>;
  readonly protocol: Release;
  /** This host's clock before the question left and when the answer was here, in milliseconds since 1970. */
  readonly askedAt: number;
  readonly answeredAt: number;
}

export interface Controllers {
  readonly findings: readonly Finding[];
  readonly inCharge: InCharge | null;
}

const CHECK = 'controller';
const ADVICE = 'Look at that host: is slurmctld running, and what does its log say?';

/** All side by side. Rejects only where the user stops it. */
export async function askControllers(controllers: readonly Endpoint[], asking: Asking): Promise<Controllers> {
  const all = await Promise.all(controllers.map((endpoint, index) => askOne(endpoint, index === 0, asking)));
  asking.bounds.signal.throwIfAborted();
  const inCharge = all.find((one) => one.inCharge !== null)?.inCharge ?? null;
  const findings = all.map((one) => one.finding);
  const isSomebodyThere = all.some(({ finding: { verdict } }) => verdict === 'ok' || verdict === 'note');
  if (inCharge === null && asking.auth !== null && isSomebodyThere) {
    findings.push(
      finding(
        CHECK,
        'problem',
        'No controller is in charge: requests are refused until one has taken over.',
        {
          advice:
            'A backup takes over SlurmctldTimeout after the primary was last heard of; "scontrol takeover" does it at once.',
        },
      ),
    );
  }
  return { findings, inCharge };
}

interface Asked {
  readonly finding: Finding;
  readonly inCharge: InCharge | null;
}

async function askOne(endpoint: Endpoint, isPrimary: boolean, asking: Asking): Promise<Asked> {
  const subject = showEndpoint(endpoint);
  const role = isPrimary ? 'primary' : 'backup';
  const details = { role };
  const { auth, bounds, config } = asking;
  try {
    if (auth === null) return { finding: await onlyConnected(endpoint, details, asking), inCharge: null };
    const answered = await ask(endpoint, asking, { conf: config ?? undefined, auth });
    return judged(answered, endpoint, isPrimary);
  } catch (error) {
    const wrong = auth === null ? null : await wrongSlurmUser(error, endpoint, asking, auth);
    if (wrong !== null) return { finding: wrong, inCharge: null };
    bounds.signal.throwIfAborted();
    return { finding: troubleFinding(CHECK, error, { subject, advice: ADVICE, details }), inCharge: null };
  }
}

async function onlyConnected(
  endpoint: Endpoint,
  details: Readonly<Record<string, unknown>>,
  { transport, bounds }: Asking,
): Promise<Finding> {
  const connection = await bounded(bounds, (context) => transport.connect(endpoint, context)).catch(
    (error: unknown) => {
      if (isSlurmError(error)) throw error;
      return error as Error;
    },
  );
  const subject = showEndpoint(endpoint);
  if (connection instanceof Error) {
    return finding(CHECK, 'problem', `It cannot be connected: ${connection.message}.`, {
      subject,
      advice: ADVICE,
      details,
    });
  }
  connection.close();
  const summary = 'It takes connections. It was asked nothing, since there is no credential to ask with.';
  return finding(CHECK, 'skipped', summary, { subject, details });
}

interface Answered {
  readonly reply: Reply;
  readonly askedAt: number;
  readonly answeredAt: number;
}

async function ask(
  endpoint: Endpoint,
  { protocol, transport, bounds }: Asking,
  options: Pick<ConnectOptions, 'conf' | 'auth'>,
): Promise<Answered> {
  // Its own client for each, so that one does not answer for another.
  const client = await connect({ ...options, controllers: [showEndpoint(endpoint)], protocol, transport });
  try {
    return await bounded(bounds, async ({ signal }) => {
      const reply = await client.request(
        'REQUEST_BUILD_INFO',
        { lastUpdate: 0n },
        { timeoutMs: bounds.limitMs, signal },
      );
      const answeredAt = Date.now();
      // Of this exchange alone: the first contact before it took its own time.
      return { reply, answeredAt, askedAt: answeredAt - reply.elapsedMs };
    });
  } finally {
    await client.close();
  }
}

function judged({ reply, askedAt, answeredAt }: Answered, endpoint: Endpoint, isPrimary: boolean): Asked {
  const subject = showEndpoint(endpoint);
  const { protocol, authenticated } = reply;
  const latencyMs = Math.round(reply.elapsedMs * 10) / 10;
  const role = isPrimary ? 'primary' : 'backup';
  const details = { role, protocol, latencyMs, authenticated };
  if (reply.name === 'RESPONSE_BUILD_INFO') {
    const { version } = reply.record;
    const signed = authenticated
      ? 'its answers are signed'
      : 'its answers are not signed, as of all daemons that speak 23.02 or newer';
    const summary = `Up and in charge (${role}): Slurm ${version ?? 'of an unknown release'}, protocol ${protocol} is spoken, ${latencyMs} ms, ${signed}.`;
    return {
      finding: finding(CHECK, 'ok', summary, { subject, details: { ...details, inCharge: true, version } }),
      inCharge: { endpoint, told: reply.record, protocol, askedAt, answeredAt },
    };
  }
  if (isStandby(reply)) {
    const summary = `Up and on standby (${role}), ${latencyMs} ms; which release it is it tells when it is in charge.`;
    const verdict = isPrimary ? 'note' : 'ok';
    return {
      finding: finding(CHECK, verdict, summary, { subject, details: { ...details, inCharge: false } }),
      inCharge: null,
    };
  }
  const number = reply.name === 'RESPONSE_SLURM_RC' ? signedReturnCode(reply.record.returnCode) : null;
  const said = number === null ? reply.name : errorMeaning(number, protocol).text;
  const summary = `It answered REQUEST_BUILD_INFO with: ${said}`;
  return {
    finding: finding(CHECK, 'problem', summary, { subject, advice: ADVICE, details }),
    inCharge: null,
  };
}

/**
 * Credentials are made for SlurmUser alone, by the uid that this host has for the name. Where the controller runs as another uid it cannot read
 * them, which looks like any other credential it does not like: one that anybody may read tells.
 */
async function wrongSlurmUser(
  error: unknown,
  endpoint: Endpoint,
  asking: Asking,
  auth: Authenticator,
): Promise<Finding | null> {
  const { config, bounds } = asking;
  if (config === null || auth.name === 'auth/jwt' || bounds.signal.aborted) return null;
  if (!isSlurmError(error) || !MAY_BE_USER.has(error.name)) return null;
  const answered = await ask(endpoint, asking, { auth }).catch(() => null);
  if (answered?.reply.name !== 'RESPONSE_BUILD_INFO') return null;
  const { slurmUserId, slurmUserName } = answered.reply.record;
  const { name, uid } = config.slurmUser;
  if (slurmUserId === uid) return null;
  const summary = `It runs as ${slurmUserName ?? 'a user'} (uid ${slurmUserId}), and here SlurmUser is ${name} (uid ${uid}): it cannot read credentials that are made for that one.`;
  return finding(CHECK, 'problem', summary, {
    subject: showEndpoint(endpoint),
    advice: `Give ${name} the uid ${slurmUserId} on this host, or correct SlurmUser in slurm.conf; a program can say slurmUser: ${slurmUserId}.`,
    details: { slurmUserId, slurmUserName, configured: uid },
  });
}

const MAY_BE_USER: ReadonlySet<string> = new Set([
  'SlurmAuthError',
  'SlurmConnectionError',
  'SlurmServerError',
  'SlurmProtocolVersionError',
]);
