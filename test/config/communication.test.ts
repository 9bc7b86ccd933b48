/** CommunicationParameters: words anywhere in the text, in any case, as Slurm finds them. */
import { describe, expect, it } from 'vitest';
import { readCommunication } from '../../src/config/communication.js';
import { parseSlurmConf } from '../../src/config/slurm-conf.js';
import { configError } from './caught.js';

const read = async (value: string) =>
  readCommunication(await parseSlurmConf(`\nCommunicationParameters=${value}`, { file: '/etc/slurm.conf' }));

describe('families', () => {
  it.each([
    ['NoInAddrAny', 'ipv4'],
    ['""', 'ipv4'],
    ['EnableIPv6', 'any'],
    ['noinaddrany,enableipv6', 'any'],
    ['xEnableIPv6x', 'any'],
    ['EnableIPv6,DisableIPv4', 'ipv6'],
    ['disableipv4,ENABLEIPV6', 'ipv6'],
  ])('%s: %s', async (value, families) => {
    expect((await read(value)).families).toBe(families);
  });

  it('are ipv4 where nothing is said', async () => {
    expect(readCommunication(await parseSlurmConf('ClusterName=x')).families).toBe('ipv4');
  });

  it('of which none is left are an error, as for Slurm', async () => {
    const error = await configError(read('NoInAddrAny,DisableIPv4'));
    expect(error).toMatchObject({ code: 'SLURMWIRE_CONFIG_VALUE', file: '/etc/slurm.conf', line: 2 });
    expect(error.hint).toContain('EnableIPv6');
  });
});

describe('the rest', () => {
  it.each([
    ['host_unreach_retry_count=3', 3],
    ['EnableIPv6,Host_Unreach_Retry_Count=7,x', 7],
    ['host_unreach_retry_count=-1', 0],
    ['host_unreach_retry_count=abc', 0],
    ['host_unreach_retry_count=99999999999', 0],
  ])('%s: %d retries', async (value, retries) => {
    expect((await read(value)).hostUnreachRetries).toBe(retries);
  });

  it('is told as it stands', async () => {
    const text = 'keepaliveinterval=10,keepaliveprobes=3,keepalivetime=60,disable_http,Block_Null_Hash';
    expect(await read(text)).toEqual({
      families: 'ipv4',
      hostUnreachRetries: 0,
      keepAlive: { timeSeconds: 60, intervalSeconds: 10, probes: 3 },
      disableHttp: true,
      blockNullHash: true,
      blockZeroHash: false,
    });
  });
});
