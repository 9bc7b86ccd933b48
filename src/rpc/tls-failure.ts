/** What goes wrong with TLS, told so that somebody can mend it. Never with anything of a key. */
import { SlurmConnectionError } from '../protocol/slurm-error.js';

/** Said where a daemon wants TLS and this client was not told so. It never changes over by itself. */
export const TLS_NEEDED =
  'The daemon takes TLS connections only. Set TLSType and TLSParameters in the slurm.conf that this client reads, as the cluster has them, or pass the tls option to connect().';

const PERHAPS_PLAIN =
  'Perhaps no TLS is spoken there: slurmctld and slurmd do so from 25.05 on, while in 24.05 and 24.11 TLSType concerns slurmdbd alone. Then pass tls: false to connect().';

/** What is known of a handshake that failed. */
export interface HandshakeFacts {
  readonly peer: string;
  /** Where the trust anchors came from, for people. */
  readonly trusted: string;
  /** Whether it was the peer's certificate that was not good. */
  readonly isCertificate: boolean;
}

/** The error of a handshake that did not succeed. Nothing of the request was sent. */
export function handshakeFailure(thrown: unknown, facts: HandshakeFacts): SlurmConnectionError {
  const { peer, trusted, isCertificate } = facts;
  const { code = '', message, reason } = thrown as NodeJS.ErrnoException & { readonly reason?: string };
  const details = { outcome: 'not-sent', phase: 'connect', peer, cause: thrown } as const;
  if (isCertificate) {
    return new SlurmConnectionError(`the certificate of ${peer} is not trusted: ${message} (${code}).`, {
      ...details,
      code: 'SLURMWIRE_TLS_UNTRUSTED',
      errno: 'EACCES',
      hint: certificateHint(code, trusted),
    });
  }
  const isSystem = isErrno(code);
  const alert = alertOf(code);
  const what =
    alert !== null
      ? `the peer refused it (alert: ${alert})`
      : isSystem
        ? code === 'ETIMEDOUT'
          ? message
          : `the peer closed the connection (${code})`
        : `the peer did not answer in TLS as it should (${reason ?? code})`;
  return new SlurmConnectionError(`the TLS handshake with ${peer} failed: ${what}.`, {
    ...details,
    code: 'SLURMWIRE_TLS_HANDSHAKE',
    errno: isSystem ? code : 'EPROTO',
    hint: alert === null ? PERHAPS_PLAIN : alertHint(alert),
    retryable: isSystem,
  });
}

/** What a connection says that broke after the handshake: the system's errors as they are, TLS's as ours. */
export function brokenTls(error: Error, peer: string): Error {
  const { code = '', reason } = error as NodeJS.ErrnoException & { readonly reason?: string };
  if (isErrno(code)) return error;
  const alert = alertOf(code);
  const what = alert === null ? (reason ?? (code || error.message)) : `alert: ${alert}`;
  return new SlurmConnectionError(`the TLS connection to ${peer} broke: ${what}.`, {
    code: 'SLURMWIRE_TLS_BROKEN',
    errno: 'EPROTO',
    outcome: 'unknown', // the exchange knows better whether anything was sent
    hint: alert === null ? undefined : alertHint(alert),
    cause: error,
  });
}

function certificateHint(code: string, trusted: string): string {
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return 'It has expired: renew it where the daemon runs, and compare the clocks of both hosts.';
    case 'CERT_NOT_YET_VALID':
      return 'It is not valid yet: compare the clocks of both hosts.';
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return 'Its names do not fit the host: Slurm itself does not check them, and without checkHostname this library does not either.';
    default:
      return `Trusted is what ${trusted} has: is it the CA that signed the certificates of this cluster's daemons?`;
  }
}

/** `certificate required`, for `ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED`. OpenSSL writes SSLV3, TLSV1, TLSV13 or, newer ones, SSL/TLS. */
function alertOf(code: string): string | null {
  const name = /^ERR_SSL_[A-Z0-9/]+_ALERT_([A-Z0-9_]+)$/.exec(code)?.[1];
  return name === undefined ? null : name.toLowerCase().replaceAll('_', ' ');
}

function alertHint(alert: string): string {
  if (/certificate|unknown ca|handshake failure/.test(alert))
    return 'It may want a certificate of the client, or another one: see cert and key of the tls option.';
  if (alert.includes('version')) return 'Client and daemon have no TLS version in common: see minVersion.';
  return 'The log of the daemon has the reason.';
}

function isErrno(code: string): boolean {
  return /^E(?!RR_)[A-Z0-9_]+$/.test(code);
}
