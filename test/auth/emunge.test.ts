import { describe, expect, it } from 'vitest';
import { EMUNGE, EMUNGE_ERRORS, emungeEntry, SOCKET_REASONS } from '../../src/auth/emunge.js';
import { mungeError } from '../../src/auth/munge-failure.js';
import { isSlurmError } from '../../src/protocol/slurm-error.js';

const failure = {
  text: null,
  speaker: null,
  socketErrno: null,
  socket: '/nowhere/munge.socket',
  tries: 1,
  elapsedMs: 0,
  times: null,
};
const sentence = /^[A-Z'`m].*[.?]$/s;

describe('the table of MUNGE errors', () => {
  it('has every number from 1 to 18 once, in order', () => {
    expect(EMUNGE_ERRORS.map(({ number }) => number)).toEqual(
      Array.from({ length: 18 }, (_, index) => index + 1),
    );
  });

  it('has unique codes, and the numbers used by name are those of the names', () => {
    expect(new Set(EMUNGE_ERRORS.map(({ code }) => code)).size).toBe(EMUNGE_ERRORS.length);
    for (const [name, number] of Object.entries(EMUNGE))
      expect(emungeEntry(number).code).toBe(`EMUNGE_${name}`);
  });

  it.each(EMUNGE_ERRORS)('$code makes a typed error with a hint', async (entry) => {
    expect(entry.code).toMatch(/^EMUNGE_[A-Z_]+$/);
    expect(entry.errno).toMatch(/^E[A-Z]+$/);
    expect(entry.hint).toMatch(sentence);
    expect(entry.summary).not.toMatch(/\.$/);
    const error = await mungeError({ ...failure, error: entry.number, text: 'words of libmunge' });
    expect(isSlurmError(error)).toBe(true);
    expect(error).toMatchObject({
      name: 'SlurmAuthError',
      code: entry.code,
      number: entry.number,
      outcome: 'not-sent',
      phase: 'authenticate',
      peer: failure.socket,
    });
    expect(error.hint).toMatch(sentence);
    expect(error.message).toContain(error.hint);
    expect(error.message).toContain('words of libmunge');
    expect((error.cause as Error).message).toBe('words of libmunge');
  });

  it('shows the number of an error it does not know', async () => {
    expect(await mungeError({ ...failure, error: 99 })).toMatchObject({ code: 'EMUNGE_UNKNOWN', number: 99 });
  });

  it.each(Object.entries(SOCKET_REASONS))(
    'says what to do about reason %s',
    (_reason, { hint, summary, errno }) => {
      expect(hint).toMatch(sentence);
      expect(summary).not.toMatch(/\.$/);
      expect(errno).toMatch(/^E[A-Z]+$/);
    },
  );
});

describe('mungeError', () => {
  it('says which clock is ahead by how much, and the other explanation for an expired one', async () => {
    const times = { ttl: 300, encoded: 1_000_000, decoded: 1_000_600 };
    const expired = await mungeError({ ...failure, error: EMUNGE.CRED_EXPIRED, times });
    expect(expired.clockSkewSeconds).toBe(600);
    expect(expired.hint).toMatch(
      /this host's clock is about 600 s ahead.*or the credential.*lifetime of 300 s/,
    );
    const rewound = await mungeError({
      ...failure,
      error: EMUNGE.CRED_REWOUND,
      times: { ttl: 300, encoded: 1_000_600, decoded: 1_000_000 },
    });
    expect(rewound.clockSkewSeconds).toBe(-600);
    expect(rewound.hint).toMatch(/encoding host's clock is at least 600 s ahead/);
  });

  it('claims no skew for errors that no clock causes, nor without times', async () => {
    const times = { ttl: 300, encoded: 1_000_000, decoded: 1_000_600 };
    expect(
      (await mungeError({ ...failure, error: EMUNGE.CRED_REPLAYED, times })).clockSkewSeconds,
    ).toBeUndefined();
    expect((await mungeError({ ...failure, error: EMUNGE.CRED_EXPIRED })).clockSkewSeconds).toBeUndefined();
  });

  it('says how often it was tried', async () => {
    const error = await mungeError({ ...failure, error: EMUNGE.SOCKET, tries: 20, elapsedMs: 2_130 });
    expect(error.message).toContain('after 20 tries in 2.1 s');
  });

  it('says that a replay after a broken-off try may be our own', async () => {
    expect((await mungeError({ ...failure, error: EMUNGE.CRED_REPLAYED, tries: 2 })).hint).toMatch(
      /may have counted it/,
    );
  });

  it('shows no credential, should libmunge ever speak of one', async () => {
    const error = await mungeError({ ...failure, error: 14, text: 'bad "MUNGE:AwQFAAsecret+/=:" here' });
    expect(error.message).toContain('bad "MUNGE:…" here');
    expect(JSON.stringify([error.toJSON(), (error.cause as Error).message, error.stack])).not.toContain(
      'AwQFAAsecret',
    );
  });
});
