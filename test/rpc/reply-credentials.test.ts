import { describe, expect, it } from 'vitest';
import {
  isAtLeast,
  payloadDigest,
  RELEASE_NAMES,
  type Release,
  SlurmAuthError,
} from '../../src/protocol/index.js';
import {
  badCredential,
  CALLER,
  FakeAuth,
  SLURM_USER,
  SLURMD_USER,
  sealCredential,
} from './support/fake-auth.js';
import { answering, type ReplyDetails, rc, reply, replyOf } from './support/replies.js';
import { ScriptedPeer } from './support/scripted-peer.js';
import { clientOf, exchangeOnce, expectFailure, type Failure, type TestSetup } from './support/setup.js';

const RC_TYPE = 8001;
const RC_BODY = Uint8Array.of(0, 0, 0, 0);

async function answered(bytes: Uint8Array, setup: TestSetup & { repeatable?: boolean }) {
  await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: bytes }));
  return await exchangeOnce(peer.endpoint, setup);
}

async function distrusted(bytes: Uint8Array, setup: TestSetup & { release: Release }, code?: string) {
  await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: bytes }));
  const expected: Failure = {
    name: 'SlurmAuthError',
    code: code ?? 'SLURM_PROTOCOL_AUTHENTICATION_ERROR',
    phase: 'authenticate',
    outcome: 'unknown',
    retryable: false,
    rpc: 'REQUEST_KILL_JOB',
    peer: peer.peer,
    protocol: setup.release,
  };
  const error = await expectFailure(exchangeOnce(peer.endpoint, setup), expected);
  await expectFailure(exchangeOnce(peer.endpoint, { ...setup, repeatable: true }), {
    ...expected,
    retryable: true,
  });
  return error;
}

for (const release of RELEASE_NAMES) {
  describe(`a reply in ${release}`, () => {
    const signed = (details: ReplyDetails) => rc(0, { release, signer: SLURM_USER, ...details });
    const good = { name: 'RESPONSE_SLURM_RC', record: { returnCode: 0 }, protocol: release };
    const payloadOf = (from: Release, type = RC_TYPE, body = RC_BODY) => payloadDigest(from, type, body);

    it.each([
      ['root', 0],
      ['SlurmUser', SLURM_USER],
      ['SlurmdUser', SLURMD_USER],
    ])('signed by %s is believed', async (_, signer) => {
      expect(await answered(signed({ signer }), { release })).toMatchObject({ ...good, authenticated: true });
    });

    it.each([
      ['the caller', CALLER],
      ['nobody', 65534],
      ['the uid that is no uid', 0xffffffff],
    ])('signed by %s is not: unknown, whatever it says', async (_, signer) => {
      for (const number of [0, 2017, 1007]) {
        const error = await distrusted(rc(number, { release, signer }), { release });
        expect(error.message).toContain(`uid ${signer}`);
        expect(error.message).toContain('Is SlurmUser in slurm.conf');
      }
    });

    it('with a credential that was made for another body, another type or nothing at all: unknown', async () => {
      const wrong = {
        'another body': payloadOf(release, RC_TYPE, Uint8Array.of(0, 0, 7, 0xe1)),
        'another type': payloadOf(release, 8002),
        'one byte too few': payloadOf(release).subarray(0, -1),
        'one byte too many': Uint8Array.of(...payloadOf(release), 0),
        'another hash type': Uint8Array.of(3, ...payloadOf(release).subarray(1)),
      };
      for (const [what, payload] of Object.entries(wrong)) {
        // Before 22.05 only the type is bound, not the body: nothing can be seen there.
        if (what === 'another body' && !isAtLeast(release, '22.05')) continue;
        const error = await distrusted(signed({ payload }), { release });
        expect(error.message, what).toContain('made for another message');
      }
    });

    it('signed by a stranger for another message: it is the stranger who is named', async () => {
      const payload = payloadOf(release, 8002);
      const error = await distrusted(signed({ signer: CALLER, payload }), { release });
      expect(error.message).toContain(
        `made by uid ${CALLER}, which is none of 0, ${SLURM_USER}, ${SLURMD_USER}`,
      );
      expect(error.message).not.toContain('another message');
    });

    it('that is believed has no answers of other nodes, and nobody was passed over', async () => {
      expect(await answered(signed({}), { release })).toMatchObject({ returnList: [], passedOver: [] });
    });

    const old = !isAtLeast(release, '22.05');
    it(`with an empty payload: ${old ? 'believed, as old daemons bind nothing' : 'unknown'}`, async () => {
      const bytes = signed({ payload: new Uint8Array(0) });
      if (old) expect(await answered(bytes, { release })).toMatchObject({ ...good, authenticated: true });
      else await distrusted(bytes, { release });
    });

    it(`with the payload of ${old ? '22.05, as newer daemons make it: believed' : '21.08: unknown'}`, async () => {
      const bytes = signed({ payload: payloadOf(old ? '22.05' : '21.08') });
      if (old) expect(await answered(bytes, { release })).toMatchObject({ ...good, authenticated: true });
      else await distrusted(bytes, { release });
      const other = signed({ payload: payloadOf(old ? '22.05' : '21.08', 8002) });
      await distrusted(other, { release });
    });

    const bare = isAtLeast(release, '23.02');
    it(`without a credential: ${bare ? 'taken, but not as authenticated' : 'unknown'}`, async () => {
      const auth = new FakeAuth();
      const bytes = rc(0, { release, signer: null });
      if (bare) {
        expect(await answered(bytes, { release, auth })).toMatchObject({ ...good, authenticated: false });
      } else {
        const error = await distrusted(bytes, { release, auth });
        expect(error.message).toContain('carries no credential');
        await distrusted(rc(2017, { release, signer: null }), { release, auth });
      }
      expect(auth.verified).toBe(0);
    });

    it('with flag 0x0004 beside, which daemons of 24.11 set: ignored', async () => {
      const bytes = bare ? rc(0, { release, flags: 0x0004 }) : signed({ flags: 0x0004 });
      expect(await answered(bytes, { release })).toMatchObject({ ...good, authenticated: !bare });
    });

    it('where SlurmUser is not known: the digest is checked, and nobody is called authenticated', async () => {
      const setup = { release, slurmUser: null, trusted: null };
      for (const signer of [0, CALLER, SLURM_USER]) {
        const auth = new FakeAuth();
        expect(await answered(signed({ signer }), { ...setup, auth })).toMatchObject({
          ...good,
          authenticated: false,
        });
        expect(auth.verified).toBe(1);
        expect(auth.created[0]?.restrictUid).toBeNull();
      }
      await distrusted(signed({ payload: payloadOf(release, 8002) }), setup);
    });

    it('with a credential that cannot be verified: unknown, with the code of the authenticator', async () => {
      const { credential } = sealCredential({ uid: 0, gid: 0, payload: '', restrictUid: null }) as {
        credential: string;
      };
      const sections = [
        credential.replace('"uid":0', '"uid":1'),
        credential.slice(0, -1),
        'MUNGE:what:',
        '',
        null,
      ];
      for (const broken of sections) {
        const auth = { plugin: 'auth/munge', credential: broken } as const;
        await distrusted(signed({ auth }), { release }, 'EMUNGE_CRED_INVALID');
      }
    });

    it('the request is signed for SlurmUser alone, over the digest of its own body', async () => {
      await using peer = await ScriptedPeer.listen(
        answering({ REQUEST_KILL_JOB: rc(0, { release }) }, release),
      );
      const auth = new FakeAuth();
      const client = clientOf([peer.endpoint], { release, auth });
      await client.killJob(7);
      const [ping, kill] = peer.connections.map(({ request }) => request);
      expect(auth.created.map(({ restrictUid }) => restrictUid)).toEqual([SLURM_USER, SLURM_USER]);
      for (const [index, request] of [ping, kill].entries()) {
        const { header, body } = request?.frame ?? expect.fail('no request');
        expect(auth.created[index]?.payload).toBe(
          Buffer.from(payloadDigest(release, header.msgType, body)).toString('hex'),
        );
        expect(header.flags).toBe(0);
      }
      expect(auth.created[0]?.serial).not.toBe(auth.created[1]?.serial);
    });
  });
}

describe('a verify() that throws', () => {
  const KINDS = [
    'EMUNGE_CRED_EXPIRED',
    'EMUNGE_CRED_REWOUND',
    'EMUNGE_CRED_REPLAYED',
    'EMUNGE_CRED_UNAUTHORIZED',
    'EMUNGE_SOCKET',
    'ESLURM_AUTH_CRED_INVALID',
  ];
  it.each(KINDS)('%s: unknown, though the authenticator says not-sent', async (code) => {
    const auth = new FakeAuth();
    const thrown = new SlurmAuthError(`verify says ${code}.`, {
      code,
      errno: 'EACCES',
      number: 17,
      outcome: 'not-sent',
      reason: 'because',
      clockSkewSeconds: 301,
      retryable: code === 'EMUNGE_SOCKET',
    });
    auth.beforeVerify = () => Promise.reject(thrown);
    const error = await distrusted(rc(0), { release: '22.05', auth }, code);
    expect(error).toMatchObject({ number: 17, reason: 'because', clockSkewSeconds: 301, errno: 'EACCES' });
    expect(error.message).toContain(`verify says ${code}`);
  });

  it('an error that names a peer and an rpc of its own (an authenticator that speaks Slurm itself): unknown too', async () => {
    const auth = new FakeAuth();
    auth.beforeVerify = () =>
      Promise.reject(badCredential('EMUNGE_CRED_INVALID', { peer: '/run/sack.socket', rpc: 'SACK_VERIFY' }));
    await distrusted(rc(0), { release: '22.05', auth }, 'EMUNGE_CRED_INVALID');
  });

  it('what is no SlurmError at all: unknown, as a defect, with its cause', async () => {
    const auth = new FakeAuth();
    const defect = new TypeError('no such function');
    auth.beforeVerify = () => {
      throw defect;
    };
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(0) }));
    const error = await expectFailure(exchangeOnce(peer.endpoint, { auth }), {
      name: 'SlurmProtocolError',
      code: 'SLURMWIRE_INTERNAL',
      phase: 'authenticate',
      outcome: 'unknown',
      retryable: false,
      rpc: 'REQUEST_KILL_JOB',
      peer: peer.peer,
      protocol: '22.05',
    });
    expect(error.cause).toBe(defect);
  });
});

describe('a create() that throws', () => {
  it('its error is kept, not sent, nobody was connected to', async () => {
    await using peer = await ScriptedPeer.listen(() => {});
    for (const more of [{}, { peer: '/run/sack.socket', rpc: 'SACK_CREATE' }]) {
      const auth = new FakeAuth();
      auth.beforeCreate = () => Promise.reject(badCredential('EMUNGE_SOCKET', more));
      const error = await expectFailure(exchangeOnce(peer.endpoint, { auth }), {
        name: 'SlurmAuthError',
        code: 'EMUNGE_SOCKET',
        phase: 'authenticate',
        outcome: 'not-sent',
        retryable: false,
        rpc: 'REQUEST_KILL_JOB',
        peer: peer.peer,
        protocol: '22.05',
      });
      expect(error.message).toContain('fake credential');
    }
    expect(peer.connections).toHaveLength(0);
  });
});

it('a reply that decodes, signed for another release of the same type number, is judged by its own version', async () => {
  const bytes = reply('RESPONSE_SLURM_RC_MSG', { returnCode: 0, errMsg: 'done' }, { signer: 0 });
  expect(await answered(bytes, { release: '22.05' })).toMatchObject({
    name: 'RESPONSE_SLURM_RC_MSG',
    record: { returnCode: 0, errMsg: 'done' },
    authenticated: true,
  });
  const payload = payloadDigest('22.05', 8002, Uint8Array.of(0));
  await distrusted(replyOf('RESPONSE_SLURM_RC_MSG', RC_BODY, { payload }), { release: '22.05' });
});
