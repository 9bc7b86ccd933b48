/** Certificates as text, and where a system keeps those it trusts. */
import { SlurmConfigError } from '../protocol/slurm-error.js';

const BLOCK = /-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----[^-]+-----END \1-----/g;

/**
 * Node takes what is no certificate for an empty list, and would then trust nobody without a word.
 *
 * @throws SlurmConfigError `SLURMWIRE_CONFIG_TLS`
 */
export function checkAnchors(anchors: readonly string[], source: string): void {
  // Not imported, as node:tls is not.
  const { X509Certificate } = process.getBuiltinModule('node:crypto');
  let count = 0;
  for (const [block] of anchors.flatMap((text) => [...text.matchAll(BLOCK)])) {
    count += 1;
    // A list of a system's own has well over a hundred; what matters is that there is something, and that it can be read.
    if (count > 16) return;
    try {
      new X509Certificate(block);
    } catch (cause) {
      throw badAnchors(`certificate ${count} of ${source} cannot be read.`, cause);
    }
  }
  if (count === 0) throw badAnchors(`there is no certificate in ${source}.`);
}

function badAnchors(summary: string, cause?: unknown): SlurmConfigError {
  return new SlurmConfigError(summary, {
    code: 'SLURMWIRE_CONFIG_TLS',
    hint: 'It must be PEM: BEGIN CERTIFICATE and END CERTIFICATE with the certificate between them.',
    cause,
  });
}

/** Where systems keep the list of the CAs they trust, in one file: Debian, Red Hat, SUSE, Alpine and BSD. */
export const SYSTEM_CA_FILES: readonly string[] = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];
