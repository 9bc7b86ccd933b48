import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseEndpoint } from '../../src/config/endpoint.js';
import { SlurmUsageError } from '../../src/protocol/slurm-error.js';
import { showEndpoint } from '../../src/protocol/transport.js';

describe('parseEndpoint', () => {
  it.each([
    ['ctl', 'ctl', 6817],
    ['ctl:7000', 'ctl', 7000],
    ['Ctl-1.cluster_a.example.:1', 'Ctl-1.cluster_a.example.', 1],
    ['10.0.0.1', '10.0.0.1', 6817],
    ['10.0.0.1:65535', '10.0.0.1', 65535],
    ['::1', '::1', 6817],
    ['fe80::1%eth0', 'fe80::1%eth0', 6817],
    ['2001:db8::6817', '2001:db8::6817', 6817],
    ['[::1]', '::1', 6817],
    ['[::1]:6818', '::1', 6818],
    ['[fe80::1%eth0]:7', 'fe80::1%eth0', 7],
    ['rechner-grün:6817', 'rechner-grün', 6817],
  ])('%s', (text, host, port) => {
    expect(parseEndpoint(text)).toEqual({ host, port });
  });

  it('takes another default port', () => {
    expect(parseEndpoint('ctl', { defaultPort: 9 })).toEqual({ host: 'ctl', port: 9 });
    expect(parseEndpoint('[::1]', { defaultPort: 9 })).toEqual({ host: '::1', port: 9 });
    expect(parseEndpoint('::1', { defaultPort: 9 })).toEqual({ host: '::1', port: 9 });
    expect(parseEndpoint('ctl:8', { defaultPort: 9 })).toEqual({ host: 'ctl', port: 8 });
  });

  it.each([
    ['', /is empty/],
    [':6817', /names no host/],
    ['ctl:', /port/],
    ['ctl:0', /port/],
    ['ctl:65536', /port/],
    ['ctl:100000', /port/],
    ['ctl:-1', /port/],
    ['ctl:+1', /port/],
    ['ctl:1e3', /port/],
    ['ctl:0x10', /port/],
    ['ctl: 6817', /port/],
    ['ctl:6817\n', /port/],
    ['ctl:6817:6818', /port/],
    ['1::2::3', /port/],
    ['tcp://ctl:6817', /is a URL/],
    ['http://x:6817', /is a URL/],
    ['http://[::1]:6817', /is a URL/],
    ['://', /is a URL/],
    ['ctl1,ctl2', /not a host name/],
    ['ctl 1', /not a host name/],
    ['-ctl', /not a host name/],
    ['ctl/x', /not a host name/],
    ['ctl\u0000', /not a host name/],
    ['\u001b[31mctl', /neither/],
    ['x'.repeat(254), /not a host name/],
    ['[ctl]:6817', /no IPv6/],
    ['[10.0.0.1]', /no IPv6/],
    ['[]', /no IPv6/],
    ['[::1', /neither/],
    ['::1]:6817', /names no host/],
    ['[::1]6817', /neither/],
    ['ctl[1-2]', /neither/],
    [undefined, /not a string/],
    [6817, /not a string/],
    [{ host: 'ctl', port: 1 }, /not a string/],
  ])('refuses %j', (text, words) => {
    let error: unknown;
    try {
      parseEndpoint(text as string, { field: 'controllers[2]' });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(SlurmUsageError);
    expect(error).toMatchObject({
      code: 'SLURMWIRE_BAD_ENDPOINT',
      field: 'controllers[2]',
      errno: 'EINVAL',
      outcome: 'not-sent',
    });
    expect((error as SlurmUsageError).message).toMatch(words);
    expect((error as SlurmUsageError).message).toMatch(/^controllers\[2\] .*'\[::1\]:6817'/);
  });

  it('reads what showEndpoint writes', () => {
    const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6());
    fc.assert(
      fc.property(host, fc.integer({ min: 1, max: 65_535 }), (host, port) => {
        expect(parseEndpoint(showEndpoint({ host, port }))).toEqual({ host, port });
      }),
    );
  });

  it('throws nothing but SlurmUsageError', () => {
    const soup = fc
      .array(fc.oneof(fc.constantFrom('[', ']', ':', '::1', 'a', '1', '%'), fc.string()))
      .map((a) => a.join(''));
    fc.assert(
      fc.property(soup, (text) => {
        try {
          const { host, port } = parseEndpoint(text);
          expect(host).not.toMatch(/[\s[\]]/);
          expect(port).toBeGreaterThan(0);
        } catch (error) {
          if (!(error instanceof SlurmUsageError)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });
});
