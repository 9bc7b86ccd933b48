import { isIP, type Socket } from 'node:net';
import type { SecureContext, TLSSocket } from 'node:tls';
import type { CallContext } from '../protocol/authenticator.js';
import { SlurmConfigError } from '../protocol/slurm-error.js';
import { type Connection, type Endpoint, showEndpoint, type Transport } from '../protocol/transport.js';
import { badOption, checkBoolean, checkMilliseconds, checkOptions } from './check-options.js';
import { checkDialOptions, dial } from './dial.js';
import { openSocket, untilReady } from './open-socket.js';
import { SocketConnection } from './socket-connection.js';
import type { TcpOptions } from './tcp-transport.js';
import { brokenTls, handshakeFailure } from './tls-failure.js';
import { checkAnchors } from './tls-pem.js';

/** Not imported: it is a sixth of the time that importing the package takes, and most clusters have no TLS. */
const tls = () => process.getBuiltinModule('node:tls');

/** PEM text, as a string or its bytes. */
export type Pem = string | Uint8Array;

/** Options of {@link tlsTransport}. */
export interface TlsTransportOptions extends TcpOptions {
  /** The certificates that are trusted, and nothing else is: one PEM text or several. */
  readonly ca: Pem | readonly Pem[];
  /** Where `ca` came from, for error texts. Default `the ca option`. */
  readonly caSource?: string | undefined;
  /**
   * Whether the peer's certificate must be for the host that is connected to (or for `servername`). Default `false`, as with Slurm's own
   * clients: any daemon's certificate of the cluster's CA is good. The names in such certificates are the site's own affair, and
   * slurm.conf often has addresses.
   */
  readonly checkHostname?: boolean | undefined;
  /** Name to ask for (SNI), and the one to check with `checkHostname`. Default: none is sent, as Slurm's clients do. */
  readonly servername?: string | undefined;
  /** Certificate of the client and what chains it to its CA, PEM. Default none; Slurm's daemons want none. */
  readonly cert?: Pem | undefined;
  /** The private key of `cert`, PEM. */
  readonly key?: Pem | undefined;
  /** Oldest TLS version to speak. Default `TLSv1.2`; the newest is always 1.3. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined;
  /** Milliseconds one handshake may take: slurm.conf's MessageTimeout. Default 10,000. It never takes more than 9/10 of what is left of the call. */
  readonly handshakeTimeoutMs?: number | undefined;
}

/**
 * TLS as Slurm's daemons speak it with `TLSType=tls/s2n`: the handshake begins with the first byte, and inside is what TCP would carry.
 * A peer that does not speak TLS is an error; nothing is ever tried in plain text instead.
 *
 * Connecting rejects with SlurmConnectionError, phase `connect`, outcome `not-sent`: `SLURMWIRE_TLS_UNTRUSTED` where the peer's certificate is
 * not good, `SLURMWIRE_TLS_HANDSHAKE` for any other end of the handshake. `SLURMWIRE_TLS_BROKEN` is what comes later.
 *
 * @throws SlurmConfigError `SLURMWIRE_CONFIG_TLS` for certificates or a key that cannot be read; SlurmUsageError `SLURMWIRE_BAD_OPTION`.
 */
export function tlsTransport(options: TlsTransportOptions): Transport {
  checkTlsTransportOptions(options);
  const { handshakeTimeoutMs = 10_000 } = options;
  const manner: Handshake = {
    context: secureContext(options),
    trusted: options.caSource ?? DEFAULT_SOURCE,
    checkHostname: options.checkHostname ?? false,
    servername: options.servername,
    timeoutMs: handshakeTimeoutMs,
  };
  return {
    async connect(endpoint, context) {
      const socket = await dial(endpoint, context, options, openSocket);
      return shakeHands(socket, endpoint, manner, context);
    },
  };
}

const DEFAULT_SOURCE = 'the ca option';

const TLS_TRANSPORT_OPTIONS = Object.keys({
  ca: 0,
  caSource: 0,
  checkHostname: 0,
  servername: 0,
  cert: 0,
  key: 0,
  minVersion: 0,
  handshakeTimeoutMs: 0,
  connectTimeoutMs: 0,
  families: 0,
  hostUnreachRetries: 0,
  lookup: 0,
} satisfies Record<keyof TlsTransportOptions, 0>);

/** A misspelt `checkHostname` that is dropped would leave a check out that was asked for. */
function checkTlsTransportOptions(options: TlsTransportOptions): void {
  // The names alone: what is misspelt may be a private key.
  checkOptions('tlsTransport', withoutValues(options), TLS_TRANSPORT_OPTIONS);
  const { ca, cert, key, checkHostname, servername, minVersion, handshakeTimeoutMs } = options;
  const isPem = (pem: unknown) => typeof pem === 'string' || pem instanceof Uint8Array;
  if (!(isPem(ca) || (Array.isArray(ca) && ca.every(isPem))))
    throw badOption('ca', typeof ca, 'is neither a PEM text nor its bytes, nor a list of such');
  for (const [name, pem] of Object.entries({ cert, key })) {
    if (pem !== undefined && !isPem(pem))
      throw badOption(name, typeof pem, 'is neither a PEM text nor its bytes');
  }
  checkBoolean('checkHostname', checkHostname);
  if (servername !== undefined && (typeof servername !== 'string' || servername === ''))
    throw badOption('servername', servername, 'is no text');
  if (minVersion !== undefined && minVersion !== 'TLSv1.2' && minVersion !== 'TLSv1.3')
    throw badOption('minVersion', minVersion, "is neither 'TLSv1.2' nor 'TLSv1.3'");
  checkMilliseconds('handshakeTimeoutMs', handshakeTimeoutMs);
  checkDialOptions(options);
}

function withoutValues(options: unknown): unknown {
  if (typeof options !== 'object' || options === null) return typeof options;
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [name, typeof value]));
}

interface Handshake {
  readonly context: SecureContext;
  readonly trusted: string;
  readonly checkHostname: boolean;
  readonly servername: string | undefined;
  readonly timeoutMs: number;
}

function secureContext({
  ca,
  caSource = DEFAULT_SOURCE,
  cert,
  key,
  minVersion,
  servername,
}: TlsTransportOptions): SecureContext {
  if (servername !== undefined && isIP(servername) !== 0)
    throw badOption('servername', servername, 'is an address, which TLS cannot ask for');
  const anchors = (typeof ca === 'string' || ca instanceof Uint8Array ? [ca] : ca).map(asText);
  checkAnchors(anchors, caSource);
  const own = {
    cert: cert === undefined ? undefined : asText(cert),
    key: key === undefined ? undefined : asText(key),
  };
  // Node takes an empty text for none, and would show no certificate without a word.
  if (Object.values(own).some((pem) => pem === '') || (own.cert === undefined) !== (own.key === undefined))
    throw badIdentity('one of them is missing');
  try {
    return tls().createSecureContext({
      ca: anchors,
      // What the CA file has is trusted, an intermediate CA too. Node knows the word from 20.18 and 22.9 on.
      allowPartialTrustChain: true,
      ...own,
      minVersion: minVersion ?? 'TLSv1.2',
      maxVersion: 'TLSv1.3',
    });
  } catch (error) {
    // Only OpenSSL's short reason, never what it was given.
    const { reason, code } = error as NodeJS.ErrnoException & { readonly reason?: string };
    throw badIdentity(reason ?? code ?? 'no PEM');
  }
}

function badIdentity(why: string): SlurmConfigError {
  return new SlurmConfigError(`the client's certificate and key cannot be used: ${why}.`, {
    code: 'SLURMWIRE_CONFIG_TLS',
    hint: 'cert and key of the tls option are PEM texts, the key without a pass phrase, and belong to each other.',
  });
}

/** The handshake on a socket that is connected. It ends with the call at the latest, a little before so that the reason can be told. */
async function shakeHands(
  socket: Socket,
  endpoint: Endpoint,
  manner: Handshake,
  context: CallContext,
): Promise<Connection> {
  const peer = showEndpoint(endpoint);
  const timeoutMs = Math.ceil(Math.min(manner.timeoutMs, context.remainingMs() * 0.9));
  socket.on('error', () => {}); // told by the TLS socket, which owns this one
  let secured: TLSSocket | undefined;
  try {
    context.signal.throwIfAborted();
    secured = tls().connect({
      socket, // the half-open manner of this socket is that of the TLS socket too
      secureContext: manner.context,
      rejectUnauthorized: true, // said, or an environment variable could switch it off
      checkServerIdentity: (_, certificate) =>
        manner.checkHostname
          ? tls().checkServerIdentity(manner.servername ?? endpoint.host, certificate)
          : undefined,
      ...(manner.servername === undefined ? {} : { servername: manner.servername }),
    });
    await untilReady(
      secured,
      'secureConnect',
      context.signal,
      timeoutMs,
      `no answer to it within ${timeoutMs} ms`,
    );
  } catch (error) {
    socket.destroy();
    if (context.signal.aborted) throw context.signal.reason;
    const isCertificate = (secured?.authorizationError ?? null) !== null;
    throw handshakeFailure(error, { peer, trusted: manner.trusted, isCertificate });
  }
  const open = secured;
  return new SocketConnection(open, {
    isTls: true,
    translate: (error) => brokenTls(error, peer),
    // close_notify: daemons that wait for a next request would else log an error. Only close() calls this, and the reply is read by then.
    farewell: () => open.end(),
  });
}

function asText(pem: Pem): string {
  return typeof pem === 'string' ? pem : Buffer.from(pem).toString('latin1');
}
