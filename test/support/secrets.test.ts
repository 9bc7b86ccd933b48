/** The scanner finds what is planted, however it is written; and it does not cry wolf. */
import { spawnSync } from 'node:child_process';
import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { findSecrets } from '../../scripts/secrets.mjs';
import { CredentialStore } from '../../src/testing/credentials.js';
import { secretsShownBy } from './shown-secrets.js';

const script = fileURLToPath(new URL('../../scripts/scan-secrets.mjs', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'slurmwire-scan-test-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
function token(): string {
  const body = `${base64url({ alg: 'HS256', typ: 'JWT' })}.${base64url({ exp: 1, sun: 'alice' })}`;
  return `${body}.${createHmac('sha256', 'k').update(body).digest('base64url')}`;
}
function credential(): string {
  return new CredentialStore().mint({ uid: 1000, gid: 1000, payload: randomBytes(33), restrictUid: null });
}
const privateKey = () =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString();
const KEY = randomBytes(128);

const SECRETS: Readonly<Record<string, () => string>> = {
  munge: credential,
  jwt: token,
  'private-key': privateKey,
};
/** How programs write bytes. */
const WRITTEN: Readonly<Record<string, (text: string) => string | Buffer>> = {
  'as it stands': (text) => text,
  'in JSON': (text) => JSON.stringify({ a: [text] }),
  'in JSON in JSON': (text) => JSON.stringify(JSON.stringify(text)),
  'a Buffer, inspected': (text) =>
    inspect(Buffer.from(`head${text}`), { maxArrayLength: null }).replace('<Buffer', ''),
  'a Uint8Array, inspected': (text) => inspect(new Uint8Array(Buffer.from(text)), { maxArrayLength: null }),
  'a Buffer in JSON': (text) => JSON.stringify(Buffer.from(text)),
  'in hexadecimal': (text) => `x${Buffer.from(text).toString('hex')}`,
  'in base64': (text) => Buffer.from(`ab${text}`).toString('base64'),
  'in base64, one on': (text) => Buffer.from(`abc${text}`).toString('base64'),
  'in base64url behind other characters': (text) => `https://x/${Buffer.from(text).toString('base64url')}`,
  'in gzip': (text) => gzipSync(`x ${text}`),
  'in hexadecimal in gzip': (text) => gzipSync(JSON.stringify({ hex: Buffer.from(text).toString('hex') })),
};

describe.each(Object.keys(SECRETS))('%s', (kind) => {
  // Of a Buffer 50 bytes are shown: enough for a credential, and too few to know the others by, or to use them.
  const ways = Object.entries(WRITTEN).filter(([way]) => kind === 'munge' || way !== 'a Buffer, inspected');
  it.each(ways)('%s', (_, write) => {
    for (let i = 0; i < 5; i++) {
      const text = write(SECRETS[kind]?.() ?? '');
      expect(findSecrets(Buffer.from(text)).map((found) => found.kind)).toContain(kind);
    }
  });

  it('anywhere in an error', () => {
    const secret = SECRETS[kind]?.() ?? '';
    const hidden = Object.defineProperty(new Error('x'), 'hidden', { value: secret, enumerable: false });
    const named = class Named extends Error {
      override name = secret;
    };
    const errors = [
      new Error(secret),
      new Error('x', { cause: new Error('y', { cause: { deep: [secret] } }) }),
      hidden,
      new named(),
      Object.assign(new Error('x'), { bytes: Buffer.from(secret.slice(0, 60)) }),
      Object.assign(new Error('x'), { toJSON: () => ({ secret }) }),
      new AggregateError([new Error(secret)]),
    ];
    for (const error of kind === 'munge' ? errors : errors.filter((one) => !('bytes' in one)))
      expect(secretsShownBy(error), inspect(error)).not.toEqual([]);
    for (const told of secretsShownBy(errors[0])) expect(told).not.toContain(secret.slice(10, 40));
  });
});

it('canaries and keys', () => {
  const looking = { canaries: ['slurmwire-canary'], keys: [KEY, Buffer.from('short')] };
  const kinds = (text: string | Buffer) => findSecrets(Buffer.from(text), looking).map(({ kind }) => kind);
  for (const write of Object.values(WRITTEN))
    expect(kinds(write('a text with slurmwire-canary in it'))).toContain('canary');
  for (const text of [KEY, KEY.toString('hex'), KEY.toString('base64'), JSON.stringify(KEY)])
    expect(kinds(text)).toContain('key');
  expect(kinds('short canary')).toEqual([]);
  expect(secretsShownBy(new Error('FAKE:{"uid":1000}'))).toHaveLength(1);
});

it('what is none', () => {
  for (const text of [
    'MUNGE:…:',
    `MUNGE:REDACTED:uid=1000:payload=${'02'.repeat(33)}:gid=1000:${'x'.repeat(90)}:`,
    `REDACTED:${'x'.repeat(200)}:`,
    'MUNGE:AwQFAAA…',
    'eyJhbGciOiJIUzI1NiJ9.hunter2.hunter2',
    `${base64url({ alg: 'none' })}.${base64url({ exp: 1, sun: 'x' })}.${'x'.repeat(43)}`,
    `${base64url({ alg: 'HS256' })}.${base64url({ exp: 1, sun: 'x' })}.${'A'.repeat(43)}`,
    '-----BEGIN PRIVATE KEY…',
    '-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUBx\n',
    `sha512-${randomBytes(64).toString('base64')}`,
    randomBytes(200).toString('hex'),
  ])
    expect(findSecrets(Buffer.from(text)), text).toEqual([]);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => findSecrets(bytes).length === 0));
});

describe('the command', () => {
  const scan = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });
    return { status, text: stdout + stderr };
  };
  const file = (name: string, content: string | Buffer) => {
    const path = join(directory, name);
    writeFileSync(path, content);
    return path;
  };

  it('fails where there is one, and does not show it', () => {
    const secret = credential();
    const path = file('log.txt', `FAIL x\n  received ${secret}\n`);
    const { status, text } = scan(path);
    expect([status, text]).toEqual([1, expect.stringMatching(/log\.txt: a MUNGE credential at byte 18/)]);
    expect(text).not.toContain(secret.slice(6, 30));
    expect(scan(file('good.txt', 'no secret here')).status).toBe(0);
  });

  it('looks for canaries in what a test run wrote, and for keys that it is given', () => {
    const path = file('report.json', JSON.stringify({ message: 'FAKE:{"uid":1}' }));
    expect(scan(path).status).toBe(0);
    expect(scan('--output', path).status).toBe(1);
    const key = file('k', KEY);
    const dump = file('dump', KEY.toString('hex'));
    expect(scan(dump).status).toBe(0);
    expect(scan('--key', key, dump)).toMatchObject({
      status: 1,
      text: expect.stringContaining('content of a key'),
    });
    rmSync(key);
  });
});
