import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LabError, LabUnavailableError } from './lab-error.js';

/** A certificate and its private key, PEM. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
}

/** What can be chosen about a certificate. */
export interface IssueOptions {
  /** As openssl writes subject alternative names: `DNS:ctl1`, `IP:127.0.0.1`; none where not given. */
  readonly names?: readonly string[];
  /** Days from now on that it is good; 2 where not given. Below 0: it has expired. */
  readonly days?: number;
  /** Whether it may sign others. */
  readonly isCa?: boolean;
  /** The name of an issued CA certificate that signs it; the CA itself where not given. */
  readonly issuer?: string;
}

/** A private CA made for one directory. The keys never leave it. */
export interface TlsCa {
  /** The CA's own certificate, PEM. */
  readonly cert: string;
  /** The file it is in. */
  readonly certFile: string;
  /** A certificate signed by the CA. `name` is its subject and names its files. */
  issue(name: string, options?: IssueOptions): Promise<TlsIdentity>;
}

/**
 * Makes a CA in a directory, `ca_cert.pem` as Slurm calls it.
 *
 * @throws LabUnavailableError where there is no `openssl` command.
 */
export async function makeTlsCa(directory: string, name = 'slurmwire lab CA'): Promise<TlsCa> {
  const path = (file: string) => join(directory, file);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const certFile = path('ca_cert.pem');
  const keyFile = path('ca_cert_key.pem');
  await openssl(
    ...[
      'req',
      '-x509',
      ...newKey,
      '-keyout',
      keyFile,
      '-out',
      certFile,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
    ],
  );
  return {
    cert: await readFile(certFile, 'utf8'),
    certFile,
    async issue(subject, { names = [], days = 2, isCa = false, issuer } = {}) {
      const [key, request, cert] = ['_key.pem', '.csr', '.pem'].map((end) => path(`${subject}${end}`)) as [
        string,
        string,
        string,
      ];
      const extensions = path(`${subject}.ext`);
      const lines = [
        ...(names.length === 0 ? [] : [`subjectAltName=${names.join(',')}`]),
        ...(isCa ? ['basicConstraints=critical,CA:TRUE'] : []),
      ];
      await writeFile(extensions, lines.map((line) => `${line}\n`).join(''));
      const signer =
        issuer === undefined ? [certFile, keyFile] : [path(`${issuer}.pem`), path(`${issuer}_key.pem`)];
      await openssl('req', '-new', ...newKey, '-keyout', key, '-out', request, '-subj', `/CN=${subject}`);
      await openssl(
        ...[
          'x509',
          '-req',
          '-in',
          request,
          '-CA',
          signer[0] ?? '',
          '-CAkey',
          signer[1] ?? '',
          '-CAcreateserial',
        ],
        ...['-days', String(days), '-extfile', extensions, '-out', cert],
      );
      return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') };
    },
  };
}

async function openssl(...args: string[]): Promise<void> {
  try {
    await promisify(execFile)('openssl', args, { timeout: 30_000 });
  } catch (error) {
    const { code, stderr = '' } = error as NodeJS.ErrnoException & { readonly stderr?: string };
    if (code === 'ENOENT') {
      throw new LabUnavailableError('TLS needs the openssl command for its certificates: install openssl');
    }
    throw new LabError(`openssl ${args[0]} failed: ${stderr.trim()}`);
  }
}
