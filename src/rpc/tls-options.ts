/** Whether the daemons are spoken to in TLS, and whom to trust: from the `tls` option and slurm.conf, never by trying. */
import { isIP } from 'node:net';
import { dirname, isAbsolute, join } from 'node:path';
import { ConfigErrorCode, readTextFile, type SlurmConfig } from '../config/index.js';
import { isSlurmError, SlurmConfigError, showValue } from '../protocol/slurm-error.js';
import type { Transport } from '../protocol/transport.js';
import { badOption, checkBoolean } from './check-options.js';
import { tcpTransport } from './tcp-transport.js';
import { SYSTEM_CA_FILES } from './tls-pem.js';
import { type Pem, type TlsTransportOptions, tlsTransport } from './tls-transport.js';

/** The `tls` option of `connect()`. All optional. */
export interface TlsOptions
  extends Pick<TlsTransportOptions, 'checkHostname' | 'servername' | 'cert' | 'key' | 'minVersion'> {
  /** The certificates to trust, PEM. Default: those of `caFile`. */
  readonly ca?: Pem | undefined;
  /** The PEM file with the certificates to trust. Default: `ca_cert_file` of slurm.conf's TLSParameters, else `ca_cert.pem` beside slurm.conf. */
  readonly caFile?: string | undefined;
  /**
   * Trust the system's CAs besides: the file that SSL_CERT_FILE names, or the system's own list. Default `false`; where neither `ca` nor
   * `caFile` is given, what `load_system_certificates` in TLSParameters says.
   */
  readonly systemCertificates?: boolean | undefined;
}

const TLS_OPTIONS = Object.keys({
  ca: 0,
  caFile: 0,
  systemCertificates: 0,
  checkHostname: 0,
  servername: 0,
  cert: 0,
  key: 0,
  minVersion: 0,
} satisfies Record<keyof TlsOptions, 0>);

/** @throws SlurmUsageError `SLURMWIRE_BAD_OPTION` */
export function checkTls(tls: unknown, transport: unknown): void {
  if (tls === undefined) return;
  // Not a text itself: it may be a key.
  const shown = typeof tls === 'string' ? 'a text' : tls;
  if (transport !== undefined)
    throw badOption('tls', shown, 'cannot be combined with transport', 'Make it with tlsTransport().');
  if (typeof tls === 'boolean') return;
  if (typeof tls !== 'object' || tls === null)
    throw badOption('tls', shown, 'is neither true, false nor an object of options');
  const foreign = Object.keys(tls).find((name) => !TLS_OPTIONS.includes(name));
  // Its type alone: what is misspelt may be a private key.
  if (foreign !== undefined)
    throw badOption(
      `tls.${foreign}`,
      typeof (tls as Record<string, unknown>)[foreign],
      'is no option of tls',
      `It has ${TLS_OPTIONS.join(', ')}.`,
    );
  const { ca, caFile, systemCertificates, checkHostname, servername, cert, key, minVersion } =
    tls as TlsOptions;
  checkBoolean('tls.systemCertificates', systemCertificates);
  checkBoolean('tls.checkHostname', checkHostname);
  for (const [name, pem] of Object.entries({ ca, cert, key })) {
    if (pem === undefined || pem instanceof Uint8Array || typeof pem === 'string') continue;
    throw badOption(`tls.${name}`, typeof pem, 'is neither a PEM text nor its bytes');
  }
  for (const [name, text] of Object.entries({ caFile, servername })) {
    if (text === undefined || (typeof text === 'string' && text !== '' && !text.includes('\0'))) continue;
    throw badOption(`tls.${name}`, text, 'is no text');
  }
  if (ca !== undefined && caFile !== undefined) throw badOption('tls.caFile', caFile, 'stands beside ca');
  if (servername !== undefined && isIP(servername) !== 0)
    throw badOption('tls.servername', servername, 'is an address, which TLS cannot ask for');
  if ((cert === undefined) !== (key === undefined))
    throw badOption(
      cert === undefined ? 'tls.cert' : 'tls.key',
      undefined,
      'is missing: cert and key go together',
    );
  if (minVersion !== undefined && minVersion !== 'TLSv1.2' && minVersion !== 'TLSv1.3')
    throw badOption('tls.minVersion', minVersion, "is neither 'TLSv1.2' nor 'TLSv1.3'");
}

/** What a conf that was written by hand says about TLS. @throws SlurmUsageError `SLURMWIRE_BAD_OPTION` */
export function checkTlsConfig({ tlsType, tlsParameters }: SlurmConfig): void {
  if (tlsType !== undefined && typeof tlsType !== 'string')
    throw badOption('conf.tlsType', tlsType, 'is no text');
  if (tlsParameters === undefined) return;
  if (typeof tlsParameters !== 'object' || tlsParameters === null)
    throw badOption('conf.tlsParameters', tlsParameters, 'is not an object');
  for (const [name, value] of Object.entries(tlsParameters)) {
    if (typeof value !== 'string') throw badOption(`conf.tlsParameters.${name}`, value, 'is no text');
  }
}

interface Timeouts {
  readonly tcpTimeoutMs: number;
  readonly messageTimeoutMs: number;
}

/**
 * The transport to all daemons, slurmctld and slurmds alike. Whether it is TLS is the caller's or slurm.conf's word; a protocol older than
 * 25.05 says nothing, since a newer daemon takes it too.
 *
 * @throws SlurmUsageError `SLURMWIRE_BAD_OPTION`; SlurmConfigError. Rejects with `signal.reason` when the
 * signal fires.
 */
export async function chooseTransport(
  tls: boolean | TlsOptions | undefined,
  config: SlurmConfig | null,
  { tcpTimeoutMs, messageTimeoutMs }: Timeouts,
  signal: AbortSignal | undefined,
): Promise<Transport> {
  const { families, hostUnreachRetries } = config?.communication ?? {};
  const dialing = {
    connectTimeoutMs: tcpTimeoutMs,
    ...(families === undefined ? {} : { families }),
    ...(hostUnreachRetries === undefined ? {} : { hostUnreachRetries }),
  };
  if (!(tls ?? isTlsConfigured(config))) return tcpTransport(dialing);
  const options = typeof tls === 'object' ? tls : {};
  const { checkHostname, servername, cert, key, minVersion } = options;
  const { ca, caSource } = await trustAnchors(options, config, signal);
  return tlsTransport({
    ca,
    caSource,
    checkHostname,
    servername,
    cert,
    key,
    minVersion,
    ...dialing,
    handshakeTimeoutMs: messageTimeoutMs,
  });
}

/** TLSType names a plugin, in slurm.conf with or without the `tls/` before it. */
function isTlsConfigured(config: SlurmConfig | null): boolean {
  const { tlsType = 'tls/none', file } = config ?? {};
  const plugin = tlsType.toLowerCase().replace(/^tls\//, '');
  if (plugin === 'none' || plugin === '') return false;
  // Another word than these two has no meaning that could be guessed, and a guess may stall a daemon.
  if (plugin === 's2n') return true;
  throw new SlurmConfigError(`TLSType=${showValue(tlsType)} is neither tls/none nor tls/s2n.`, {
    code: ConfigErrorCode.VALUE,
    file: file ?? undefined,
    hint: 'The tls option of connect() says it instead of slurm.conf: true, false or an object of options.',
  });
}

interface Anchors {
  readonly ca: readonly Pem[];
  readonly caSource: string;
}

async function trustAnchors(
  options: TlsOptions,
  config: SlurmConfig | null,
  signal: AbortSignal | undefined,
): Promise<Anchors> {
  const { ca, caFile } = options;
  const parameters = config?.tlsParameters ?? {};
  const isOwn = ca !== undefined || caFile !== undefined;
  const system = options.systemCertificates ?? (!isOwn && 'load_system_certificates' in parameters);
  const found: [Pem, string][] = [];
  if (ca !== undefined) found.push([ca, 'the ca option']);
  else {
    const file = caFile ?? configuredCaFile(config);
    if (file !== null) {
      // Slurm's own default file need not be there where the system's CAs are trusted.
      const isOptional = system && caFile === undefined && !('ca_cert_file' in parameters);
      const text = await readCa(file, config, isOptional, signal);
      if (text !== null) found.push([text, file]);
    }
  }
  if (system) found.push(await systemCas(signal));
  if (found.length === 0) {
    throw badOption(
      'tls',
      options,
      'names no CA to trust, and there is no slurm.conf that does',
      'Give ca, caFile or systemCertificates: true.',
    );
  }
  return { ca: found.map(([pem]) => pem), caSource: found.map(([, source]) => source).join(' and ') };
}

/** As Slurm finds it: named in TLSParameters, or beside slurm.conf. */
function configuredCaFile(config: SlurmConfig | null): string | null {
  const { ca_cert_file: file = '' } = config?.tlsParameters ?? {};
  if (file === '') return config?.file == null ? null : join(dirname(config.file), 'ca_cert.pem');
  if (isAbsolute(file)) return file;
  throw new SlurmConfigError(`ca_cert_file=${showValue(file)} in TLSParameters is no absolute path.`, {
    code: ConfigErrorCode.VALUE,
    file: config?.file ?? undefined,
  });
}

async function readCa(
  file: string,
  config: SlurmConfig | null,
  isOptional: boolean,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  const missingHint = `It holds the CA certificates that are trusted${config?.file == null ? '' : `; TLSParameters=ca_cert_file=… in ${config.file}`} or the tls option of connect() name another one.`;
  try {
    return await readTextFile(file, { what: 'the CA file', missingHint, signal });
  } catch (error) {
    if (isOptional && isSlurmError(error) && error.code === ConfigErrorCode.NOT_FOUND) return null;
    throw error;
  }
}

async function systemCas(signal: AbortSignal | undefined): Promise<[string, string]> {
  const { SSL_CERT_FILE: named = '' } = process.env;
  const places = named === '' ? SYSTEM_CA_FILES : [named];
  for (const place of places) {
    try {
      return [await readTextFile(place, { what: "the system's CA file", signal }), place];
    } catch (error) {
      if (!isSlurmError(error) || error.code !== ConfigErrorCode.NOT_FOUND) throw error;
    }
  }
  throw new SlurmConfigError(`the system has no list of CAs in ${places.join(', ')}.`, {
    code: ConfigErrorCode.NOT_FOUND,
    errno: 'ENOENT',
    hint: 'Set SSL_CERT_FILE to it.',
  });
}
