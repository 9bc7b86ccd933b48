/** Certificates made when the tests run, never before. */
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { makeTlsCa, type TlsCa, type TlsIdentity } from '../../../lab/tls-ca.js';

export interface TestCertificates {
  /** Holds `ca_cert.pem`. */
  readonly directory: string;
  readonly ca: TlsCa;
  readonly otherCa: TlsCa;
  /** For `ctl.example`, not for 127.0.0.1. */
  readonly good: TlsIdentity;
  /** For 127.0.0.1. */
  readonly local: TlsIdentity;
  readonly expired: TlsIdentity;
  /** Of the other CA. */
  readonly stranger: TlsIdentity;
  readonly client: TlsIdentity;
}

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

/** Runs the tests with fresh certificates. Without the openssl command they are skipped aloud; in CI that is a failure. */
export function describeTls(name: string, tests: (certificates: () => TestCertificates) => void): void {
  if (!hasOpenssl) {
    if (process.env.CI) throw new Error('TLS is not tested: there is no openssl command');
    console.warn(`SKIPPED ${name}: there is no openssl command to make certificates with`);
  }
  describe.skipIf(!hasOpenssl)(name, () => {
    let directory = '';
    let certificates: TestCertificates | undefined;

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'slurmwire-tls-'));
      const other = join(directory, 'other');
      await mkdir(other);
      const ca = await makeTlsCa(directory);
      const otherCa = await makeTlsCa(other, 'another CA');
      certificates = {
        directory,
        ca,
        otherCa,
        good: await ca.issue('good', { names: ['DNS:ctl.example'] }),
        local: await ca.issue('local', { names: ['IP:127.0.0.1'] }),
        expired: await ca.issue('expired', { days: -1 }),
        client: await ca.issue('client'),
        stranger: await otherCa.issue('stranger'),
      };
    });
    afterAll(() => rm(directory, { recursive: true, force: true }));

    tests(() => {
      if (certificates === undefined) throw new Error('the certificates are not there yet');
      return certificates;
    });
  });
}
