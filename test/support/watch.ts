/**
 * Looks on in every test: what its clients send over sockets is judged (`outgoing-judge.ts`), the errors it makes are searched for secrets, and no
 * embedded daemon may say that a real one would have been harmed. A test that breaks a rule on purpose says so: {@link expectHarm}.
 */
import { afterEach } from 'vitest';
import { SlurmError } from '../../src/protocol/slurm-error.js';
import { SocketConnection } from '../../src/rpc/socket-connection.js';
import { TcpConnection } from '../../src/rpc/tcp-connection.js';
import { OutgoingJudge } from './outgoing-judge.js';
import { secretsShownBy } from './shown-secrets.js';

const judge = new OutgoingJudge({
  hasForwarders: true,
  // That of test/auth/fake-munged.ts.
  onlyOnes: new Set(['MUNGE:AwQFAAC7:']),
});
const connections = new WeakMap<object, ReturnType<OutgoingJudge['connection']>>();
for (const { prototype } of [SocketConnection, TcpConnection]) {
  const { write } = prototype;
  prototype.write = function (this: object, bytes: Uint8Array) {
    let seen = connections.get(this);
    if (seen === undefined) {
      seen = judge.connection();
      connections.set(this, seen);
    }
    seen.wrote(Uint8Array.from(bytes));
    return write.call(this as never, bytes);
  };
}

/** Errors of the test that runs; of thousands the first ones: to search one takes longer than to make it. SLURMWIRE_RUNS asks for a longer look. */
const MOST_ERRORS = 5 * Number(process.env.SLURMWIRE_RUNS ?? 1);
const made: Error[] = [];
/** Every error of the library comes by here, whoever catches it: `super()` looks up the prototype of the class when it is called. */
class Noted extends Error {
  constructor(...given: ConstructorParameters<typeof Error>) {
    super(...given);
    if (made.length < MOST_ERRORS) made.push(this);
  }
}
Object.setPrototypeOf(SlurmError, Noted);

const harmed: string[] = [];
process.on('warning', ({ name, message }) => {
  if (name === 'SlurmwireTesting' && message.includes('would have been harmed')) harmed.push(message);
});

/** Takes back what was found in this test so far: it is what the test is about. */
export function expectHarm(): { broken: string[]; harmed: string[] } {
  judge.frames.length = 0;
  return { broken: judge.broken.splice(0), harmed: harmed.splice(0) };
}

afterEach(() => {
  const shown = made.splice(0).flatMap((error) => secretsShownBy(error, true));
  const { broken, harmed: said } = expectHarm();
  const found = [
    ...said.map((what) => `an embedded daemon says: ${what}`),
    ...broken.map((what) => `bytes that were sent break a rule: ${what}`),
    ...shown.map((what) => `an error shows a secret: ${what}`),
  ];
  if (found.length > 0) throw new Error([...new Set(found)].join('\n'));
});
