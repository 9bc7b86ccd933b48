/**
 * CommunicationParameters, as far as a client has to do with them.
 *
 * Source: `_validate_and_set_defaults()` in `src/common/read_config.c` upstream, 20.11 to 26.05: words are found anywhere in the text, in
 * any case; a number that is none, negative, or above 2^31 - 1 is passed over.
 */
import { SlurmConfigError } from '../protocol/slurm-error.js';
import { findValue } from './conf-values.js';
import { ConfigErrorCode } from './config-error-code.js';
import type { SlurmConf } from './slurm-conf.js';

/**
 * Which addresses of a host name are connected to, one after the other. `any`: both kinds in the order of the system's resolver;
 * `ipv4-first`: both kinds. An address in place of a name is always used, of whichever kind it is.
 */
export type AddressFamilies = 'ipv4' | 'ipv6' | 'any' | 'ipv4-first';

export interface SlurmCommunication {
  /** `ipv4` unless EnableIPv6 or DisableIPv4 say otherwise. */
  readonly families: AddressFamilies;
  /** host_unreach_retry_count (25.05+), default 0: so often is a connect repeated that said EHOSTUNREACH, 500 ms apart. */
  readonly hostUnreachRetries: number;
  /** keepalive…, in seconds and probes; `null` where not set. Slurm sets them on its long connections only, and this library has none. */
  readonly keepAlive: {
    readonly timeSeconds: number | null;
    readonly intervalSeconds: number | null;
    readonly probes: number | null;
  };
  /** disable_http (25.11+): the daemons' ports speak no HTTP. */
  readonly disableHttp: boolean;
  /** block_null_hash, block_zero_hash: credentials without a digest of the body are refused. Those of this library have one wherever the release knows it. */
  readonly blockNullHash: boolean;
  readonly blockZeroHash: boolean;
}

/** @throws SlurmConfigError `SLURMWIRE_CONFIG_VALUE` where neither IPv4 nor IPv6 is left, which is fatal for Slurm too. */
export function readCommunication(conf: SlurmConf): SlurmCommunication {
  const found = findValue(conf, 'CommunicationParameters');
  const text = (found?.value ?? '').toLowerCase();
  const has = (word: string) => text.includes(word.toLowerCase());
  const ipv6 = has('EnableIPv6');
  const ipv4 = !has('DisableIPv4');
  if (!ipv4 && !ipv6) {
    throw new SlurmConfigError(
      'CommunicationParameters has DisableIPv4 without EnableIPv6: no address is left.',
      {
        code: ConfigErrorCode.VALUE,
        file: found?.file ?? conf.file,
        line: found?.line,
        hint: 'Add EnableIPv6, or remove DisableIPv4.',
      },
    );
  }
  return {
    families: ipv4 ? (ipv6 ? 'any' : 'ipv4') : 'ipv6',
    hostUnreachRetries: numberAfter(text, 'host_unreach_retry_count=') ?? 0,
    keepAlive: {
      timeSeconds: numberAfter(text, 'keepalivetime='),
      intervalSeconds: numberAfter(text, 'keepaliveinterval='),
      probes: numberAfter(text, 'keepaliveprobes='),
    },
    disableHttp: has('disable_http'),
    blockNullHash: has('block_null_hash'),
    blockZeroHash: has('block_zero_hash'),
  };
}

function numberAfter(text: string, word: string): number | null {
  const at = text.indexOf(word);
  const digits = at === -1 ? undefined : /^[0-9]{1,10}/.exec(text.slice(at + word.length))?.[0];
  return digits === undefined || Number(digits) > 0x7fff_ffff ? null : Number(digits);
}
