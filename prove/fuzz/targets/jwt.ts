/** JSON Web Tokens as they are read before they are sent, and the credentials of the embedded munged. */
import { createSecretKey } from 'node:crypto';
import { integerClaim, readJwt, textClaim } from '../../../src/auth/jwt-text.js';
import { readAuthSection } from '../../../src/protocol/auth-section.js';
import { ByteReader } from '../../../src/protocol/byte-reader.js';
import { CodecFault } from '../../../src/protocol/codec-fault.js';
import { unseal } from '../../../src/testing/credential-text.js';
import { reportFault } from '../shape.js';
import type { Target } from '../target.js';
import { chosen, textOf } from '../text.js';

const key = createSecretKey(new Uint8Array(32));
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

export const jwt: Target = {
  name: 'jwt',
  weight: 10,
  prefix: 1,
  isText: true,
  dictionary: ['eyJ', 'MUNGE:', '.', ':', '=', part({ exp: 1, sun: 'u' }), part({ alg: 'HS256' })],
  isDocumented: (thrown) => thrown instanceof CodecFault,

  *seeds() {
    yield chosen(
      0,
      `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ exp: 1_700_000_000, iat: 1, sun: 'u' })}.c2ln`,
    );
    yield chosen(0, `${part({ alg: 'none' })}.${part([])}.c2ln`);
    yield chosen(
      1,
      `MUNGE:${Buffer.concat([Buffer.of(3, 4, 5, 0, 0), Buffer.alloc(60)]).toString('base64')}:`,
    );
    yield chosen(
      1,
      `MUNGE:${Buffer.concat([Buffer.of(3, 4, 5, 0, 2, 65, 66), Buffer.alloc(60)]).toString('base64')}:`,
    );
    yield chosen(2, Uint8Array.from([0, 0, 0, 101, 0, 0, 0, 3, 65, 66, 0]));
    yield chosen(2, Uint8Array.from([0, 0, 0, 102, 0, 0, 0, 2, 65, 0, 0, 0, 0, 0]));
    yield chosen(2, Uint8Array.from([0, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 104, 0]));
  },

  run(input, report) {
    const choice = (input[0] as number) % 3;
    try {
      if (choice === 0) {
        const token = readJwt(textOf(input.subarray(1)), 'auth/jwt', 'option token');
        for (const name of ['exp', 'iat', '__proto__']) integerClaim(token, name);
        for (const name of ['sun', 'username', 'constructor']) textClaim(token, name);
      } else if (choice === 1) unseal(key, textOf(input.subarray(1)));
      else readAuthSection(new ByteReader(input.subarray(1)));
    } catch (error) {
      reportFault(error, choice, report);
      throw error;
    }
  },
};
