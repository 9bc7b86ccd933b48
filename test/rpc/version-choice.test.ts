/** Which version is tried next, against models of every daemon there is and against daemons that answer anything. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RELEASE_NAMES, RELEASES, type Release } from '../../src/protocol/release.js';
import {
  mayTake,
  nextVersion,
  oldestTaken,
  type VersionAnswer,
  type VersionStep,
  type VersionTry,
} from '../../src/rpc/version-choice.js';

/** A daemon as `fits` must not know it: what it takes by number, and how it refuses. */
interface Daemon {
  readonly name: string;
  readonly protocol: number;
  readonly oldest: number;
  /** Says its release when it is asked for its configuration: not on standby. */
  readonly tells: boolean;
  readonly refuses: 'closed' | 'own-version' | 'http';
}

/** How slurmctld and slurmd of each release refuse a version: observed on 20.11, 22.05, 24.11, 26.05, read for the others. */
const REFUSALS: Readonly<Record<Release, readonly Daemon['refuses'][]>> = {
  '20.11': ['closed'],
  '21.08': ['closed'],
  '22.05': ['closed'],
  '23.02': ['closed'],
  '23.11': ['closed'],
  '24.05': ['closed'],
  // slurmd still closes.
  '24.11': ['own-version', 'closed'],
  '25.05': ['own-version'],
  '25.11': ['own-version', 'http', 'closed'],
  '26.05': ['http', 'closed'],
  '26.11': ['http', 'closed'],
};
/** Takes 44 to 47, as far as anybody can know. */
const FUTURE = { name: '27.05', protocol: 47, oldest: 44 };

const DAEMONS: readonly Daemon[] = [
  ...RELEASES.flatMap(({ release, protocol, oldestAccepted }) =>
    REFUSALS[release].map((refuses) => ({ name: release, protocol, oldest: oldestAccepted, refuses })),
  ),
  ...(['closed', 'own-version', 'http'] as const).map((refuses) => ({ ...FUTURE, refuses })),
].flatMap((daemon) => [
  { ...daemon, tells: true },
  { ...daemon, tells: false },
]);

const numberOf = (release: Release) => 36 + RELEASE_NAMES.indexOf(release);
const nameOf = (protocol: number) => RELEASE_NAMES[protocol - 36] ?? null;
const takes = ({ protocol, oldest }: Daemon, release: Release) =>
  numberOf(release) >= oldest && numberOf(release) <= protocol;

function answerOf(daemon: Daemon, release: Release): VersionAnswer {
  if (takes(daemon, release)) return { kind: 'accepted', daemon: daemon.tells ? `${daemon.name}.3-1` : null };
  if (daemon.refuses === 'own-version') return { kind: 'own-version', release: nameOf(daemon.protocol) };
  return { kind: daemon.refuses };
}

interface Talk {
  readonly tried: readonly Release[];
  readonly end: Exclude<VersionStep, { step: 'try' }>;
}

/** Goes on until there is nothing more to try; fails when a version is tried twice. */
function talk(answer: (release: Release) => VersionAnswer, hint: Release | null): Talk {
  const tries: VersionTry[] = [];
  for (;;) {
    const next = nextVersion(tries, hint);
    const tried = tries.map(({ release }) => release);
    if (next.step !== 'try') return { tried, end: next };
    expect(tried, 'a version is tried twice').not.toContain(next.release);
    expect(RELEASE_NAMES).toContain(next.release);
    tries.push({ release: next.release, answer: answer(next.release) });
  }
}

const shown = ({ name, refuses, tells }: Daemon) =>
  `${name}, refuses by ${refuses}${tells ? '' : ', on standby'}`;

describe.each(DAEMONS.map((daemon) => [shown(daemon), daemon] as const))('a daemon of %s', (_, daemon) => {
  // What closes on every version of the others may be newer than the table: that is tried last.
  const limit = daemon.name === FUTURE.name && daemon.refuses === 'closed' ? 4 : 3;
  const newest = nameOf(Math.min(daemon.protocol, 46)) as Release;

  it('is spoken to in the newest version that both speak, after three tries at most', () => {
    const { tried, end } = talk((release) => answerOf(daemon, release), null);
    expect(tried.length).toBeLessThanOrEqual(limit);
    expect(end).toMatchObject({ step: 'use' });
    if (end.step !== 'use') return;
    expect(takes(daemon, end.release)).toBe(true);
    if (daemon.tells) expect(end).toEqual({ step: 'use', release: newest, isNewest: true });
    // It did not tell: the last version tried is known to be good, and that is all.
    else expect(end).toEqual({ step: 'use', release: tried.at(-1), isNewest: false });
  });

  it.each(RELEASE_NAMES)('and with %s to begin with', (hint) => {
    const { tried, end } = talk((release) => answerOf(daemon, release), hint);
    expect(tried[0]).toBe(hint);
    expect(tried.length).toBeLessThanOrEqual(takes(daemon, hint) ? 1 : limit + 1);
    expect(end.step === 'use' && takes(daemon, end.release)).toBe(true);
    if (daemon.tells) expect(end).toMatchObject({ release: newest, isNewest: true });
  });
});

describe('the order of the tries', () => {
  it('is that of the fewest: 25.05, 23.02, 20.11, and what is newer than all at last', () => {
    const { tried, end } = talk(() => ({ kind: 'closed' }), null);
    expect(tried).toEqual(['25.05', '23.02', '20.11', '26.11']);
    expect(end).toEqual({ step: 'give-up', because: 'credential' });
  });

  it('a daemon that names its version is believed at once', () => {
    const [first, second] = [
      { release: '25.05', answer: { kind: 'own-version', release: '24.11' } },
      { release: '24.11', answer: { kind: 'accepted', daemon: '24.11.5' } },
    ] as const;
    expect(nextVersion([first])).toEqual({ step: 'try', release: '24.11' });
    expect(nextVersion([first, second])).toEqual({ step: 'use', release: '24.11', isNewest: true });
    // And refuses that one too.
    const refused = { release: '24.11', answer: { kind: 'closed' } } as const;
    expect(nextVersion([first, refused])).toEqual({ step: 'give-up', because: 'version' });
  });

  it('HTTP, or an answer in a version not in the table: nothing old is tried', () => {
    for (const answer of [{ kind: 'http' }, { kind: 'own-version', release: null }] as const) {
      const { tried, end } = talk(() => answer, null);
      expect(tried).toEqual(['25.05', '26.11']);
      expect(end).toEqual({ step: 'give-up', because: 'version' });
    }
  });

  it('an upgrade by one release costs no more than the question', () => {
    for (const [index, hint] of RELEASE_NAMES.slice(0, -1).entries()) {
      const upgraded = DAEMONS.filter(({ name, tells }) => tells && name === RELEASE_NAMES[index + 1]);
      for (const daemon of upgraded)
        expect(talk((release) => answerOf(daemon, release), hint).tried).toEqual([hint]);
    }
  });
});

describe('what a daemon says of itself', () => {
  const accepted = (release: Release, daemon: string | null) =>
    nextVersion([{ release, answer: { kind: 'accepted', daemon } }]);

  it.each([
    ['25.05', '26.05.5', '26.05', true],
    ['25.05', '26.11.0-0rc1', '26.11', true],
    ['26.11', '27.05.0', '26.11', true],
    ['25.05', '27.05.0', '26.11', true],
    ['25.05', '26.11', '26.11', true],
    // No release that there is.
    ['25.05', '25.08.1', '25.05', false],
    ['25.05', 'Slurm of my own', '25.05', false],
    ['25.05', '', '25.05', false],
    ['25.05', '250.05', '25.05', false],
    ['25.05', null, '25.05', false],
    // Older than what it has just answered in: that cannot be.
    ['25.05', '22.05.8', '25.05', true],
  ] as const)('%s was taken by %s: %s', (tried, daemon, release, isNewest) => {
    expect(accepted(tried, daemon)).toEqual({ step: 'use', release, isNewest });
  });
});

describe('daemons that answer anything', () => {
  const release = fc.constantFrom(...RELEASE_NAMES);
  const answer: fc.Arbitrary<VersionAnswer> = fc.oneof(
    fc.constant({ kind: 'closed' } as const),
    fc.constant({ kind: 'http' } as const),
    fc.record({ kind: fc.constant('own-version' as const), release: fc.option(release) }),
    fc.record({
      kind: fc.constant('accepted' as const),
      daemon: fc.option(fc.oneof(fc.string(), release, fc.constantFrom('24.11.5', '27.05.1', '26.11.0-rc1'))),
    }),
  );

  it('never a version twice, never more tries than there are versions, always an end', () => {
    fc.assert(
      fc.property(fc.array(answer, { minLength: 12, maxLength: 12 }), fc.option(release), (answers, hint) => {
        let count = 0;
        const { tried, end } = talk(() => answers[count++] as VersionAnswer, hint);
        expect(tried.length).toBeLessThanOrEqual(RELEASES.length);
        const isTaken = answers.slice(0, count).some(({ kind }) => kind === 'accepted');
        expect(end.step).toBe(isTaken ? 'use' : 'give-up');
        // Silence alone proves no version gap.
        if (end.step === 'give-up' && answers.slice(0, count).every(({ kind }) => kind === 'closed'))
          expect(end.because).toBe('credential');
      }),
    );
  });
});

describe('whether a message of another version can have been looked at', () => {
  it('is never denied for one that a daemon takes', () => {
    for (const daemon of DAEMONS) {
      const { end } = talk((release) => answerOf(daemon, release), null);
      if (end.step !== 'use') throw new Error('not found');
      for (const other of RELEASE_NAMES)
        if (takes(daemon, other)) expect(mayTake(end, other), `${shown(daemon)} ${other}`).toBe(true);
    }
  });

  it('is denied exactly for the others where the daemon told its release', () => {
    for (const daemon of DAEMONS.filter(({ tells, name }) => tells && name !== FUTURE.name)) {
      const { end } = talk((release) => answerOf(daemon, release), null);
      if (end.step !== 'use') throw new Error('not found');
      for (const other of RELEASE_NAMES)
        expect(mayTake(end, other), `${shown(daemon)} ${other}`).toBe(takes(daemon, other));
    }
  });

  it.each([
    // One that takes 24.11 may be a 26.05, which takes it too.
    ['24.11', false, '26.05', true],
    ['24.11', true, '26.05', false],
    ['24.11', false, '22.05', false],
    ['22.05', false, '24.11', false],
    ['20.11', false, '22.05', true],
    ['20.11', false, '23.02', false],
  ] as const)('%s (isNewest %s) and %s: %s', (release, isNewest, other, expected) => {
    expect(mayTake({ release, isNewest }, other)).toBe(expected);
  });
});

it('the oldest version a release takes is in the table', () => {
  expect(RELEASE_NAMES.map(oldestTaken)).toEqual([
    ...['20.11', '20.11', '20.11', '21.08', '22.05', '23.02', '23.02'],
    ...['23.11', '24.05', '24.11', '25.05'],
  ]);
});
