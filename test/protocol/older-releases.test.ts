/** Encoding loses nothing and guesses nothing: every field of every message, in every release. */
import { isDeepStrictEqual } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { fallbackOf } from '../../src/protocol/compile.js';
import { header } from '../../src/protocol/header.js';
import { messageTypeNumber, RELEASE_NAMES, type Release } from '../../src/protocol/index.js';
import type { Spec } from '../../src/protocol/wire-type.js';
import { decodeWith, encodeWith, protocolErrorIfAny, protocolErrorOf } from '../support/codec.js';
import {
  type AnyType,
  at,
  DESCRIBED,
  exampleOf,
  type FieldPlace,
  fieldPlaces,
  isUndescribed,
  otherExampleOf,
  settled,
  withAt,
} from '../support/description.js';
import { toHex } from '../support/golden.js';

// Errors by the ten thousand: vitest's stacks of 100 frames would take half of the time.
beforeAll(() => {
  Error.stackTraceLimit = 4;
});

interface Subject {
  readonly name: string;
  readonly type: AnyType;
  example(release: Release): unknown;
}

const subjects: readonly Subject[] = [
  ...DESCRIBED.map(([name, type]) => ({
    name,
    type,
    example: once((release: Release) => exampleOf(type, release)),
  })),
  {
    name: 'header',
    type: header as AnyType,
    // Forwarded and with a net credential, so that every field of the forward block is on the wire; an item of a type without a body.
    example: once((release) =>
      withAt(withAt(exampleOf(header as AnyType, release), ['flags'], 0x80), ['returnList', 0, 'type'], 9001),
    ),
  },
];

function once<T>(make: (release: Release) => T): (release: Release) => T {
  const made = new Map<Release, T>();
  return (release) => {
    if (!made.has(release)) made.set(release, make(release));
    return made.get(release) as T;
  };
}

const releasesOf = ({ name }: Subject) =>
  RELEASE_NAMES.filter((release) => name === 'header' || messageTypeNumber(name, release) !== null);

const eachRelease = subjects.flatMap((subject) =>
  releasesOf(subject).map((release) => [`${subject.name} ${release}`, subject, release] as const),
);

const placesOf = (subject: Subject, release: Release) =>
  fieldPlaces(subject.type, release, subject.example(release));

/** Of long records every third field, others in each release: all fields of all releases would take a minute. */
function sampled(places: readonly FieldPlace[], release: Release): readonly FieldPlace[] {
  if (places.length < 60) return places;
  return places.filter((_, i) => (i + RELEASE_NAMES.indexOf(release)) % 3 === 0);
}

/** The deepest fields, whose values are not made of other fields. */
function leaves(subject: Subject, release: Release): FieldPlace[] {
  const composed = ['struct', 'dependent'];
  return placesOf(subject, release).filter(
    ({ onWire, spec, field }) => onWire && !composed.includes(spec.kind) && !isUndescribed(field),
  );
}

/** What stands for a field that is not on the wire, in this record. */
const fallbackAt = (record: unknown, { path, field }: FieldPlace) =>
  fallbackOf(field, at(record, path.slice(0, -1)) as Record<string, unknown>);

/** The record as a caller gives it: without what the release does not carry and what follows from other fields. */
function asGiven(subject: Subject, release: Release): unknown {
  const gone = placesOf(subject, release).filter(({ onWire }) => !onWire);
  return gone.reduce((record, { path }) => withAt(record, path, undefined), subject.example(release));
}

const show = (path: readonly (string | number)[]) => path.join('/');

describe('fields that a release lacks', () => {
  const absent = subjects.flatMap((subject) =>
    releasesOf(subject).flatMap((release) =>
      placesOf(subject, release)
        .filter((place) => !place.present)
        .map((place) => [`${subject.name} ${show(place.path)} ${release}`, subject, release, place] as const),
    ),
  );

  test('are these', () => {
    const lacking = new Map<string, Release[]>();
    for (const [, subject, release, place] of absent) {
      const key = `${subject.name} ${show(place.path)}`;
      lacking.set(key, [...(lacking.get(key) ?? []), release]);
    }
    const record = 'RESPONSE_SLURM_REROUTE_MSG workingClusterRec';
    // From upstream's packing functions, not from the declarations. Other messages may come; these stay.
    expect(Object.fromEntries(lacking)).toMatchObject({
      'REQUEST_KILL_JOB stepId/sluid': RELEASE_NAMES.slice(0, 6),
      'REQUEST_CANCEL_JOB_STEP stepId/sluid': RELEASE_NAMES.slice(0, 6),
      'REQUEST_JOB_INFO_SINGLE jobId': RELEASE_NAMES.slice(8),
      'REQUEST_JOB_INFO_SINGLE stepId': RELEASE_NAMES.slice(0, 8),
      'RESPONSE_JOB_INFO lastBackfill': RELEASE_NAMES.slice(0, 1),
      'RESPONSE_JOB_INFO jobs/0/jobId': RELEASE_NAMES.slice(8),
      'RESPONSE_JOB_INFO jobs/0/hasDetails': RELEASE_NAMES.slice(0, 6),
      'RESPONSE_JOB_INFO jobs/0/containerType': [...RELEASE_NAMES.slice(0, 9), '26.11'],
      'RESPONSE_JOB_INFO jobs/0/jobResources/nodeBitmap': [
        ...RELEASE_NAMES.slice(0, 5),
        ...RELEASE_NAMES.slice(9),
      ],
      'RESPONSE_NODE_INFO hiddenNodes': RELEASE_NAMES.slice(0, 6),
      'RESPONSE_NODE_INFO nodes/0/selectNodeinfo': RELEASE_NAMES.slice(7),
      'RESPONSE_JOB_STEP_INFO stepmgrJobs': RELEASE_NAMES.slice(0, 5),
      'RESPONSE_BUILD_INFO keepAliveTime': RELEASE_NAMES.slice(2),
      'RESPONSE_CONFIG configFiles': RELEASE_NAMES.slice(0, 1),
      'REQUEST_CONFIG port': RELEASE_NAMES.slice(0, 7),
      'REQUEST_TERMINATE_JOB workDir': RELEASE_NAMES.slice(0, 1),
      // The message itself is of 23.11.
      'REQUEST_KILL_JOBS adminComment': RELEASE_NAMES.slice(4, 8),
      [`${record}/id`]: RELEASE_NAMES.slice(0, 6),
      [`${record}/pluginIdSelect`]: RELEASE_NAMES.slice(5),
      [`${record}/rootAssoc/accountingList/0/idAlt`]: RELEASE_NAMES.slice(0, 6),
      [`${record}/rootAssoc/comment`]: RELEASE_NAMES.slice(0, 3),
      [`${record}/rootAssoc/lft`]: RELEASE_NAMES.slice(4),
      [`${record}/rootAssoc/rgt`]: RELEASE_NAMES.slice(4),
      [`${record}/rootAssoc/lineage`]: RELEASE_NAMES.slice(0, 4),
      'RESPONSE_SLURM_REROUTE_MSG stepmgr': RELEASE_NAMES.slice(0, 5),
      'header msgIndex': RELEASE_NAMES.slice(2),
      'header forward/netCred': RELEASE_NAMES.slice(0, 4),
      'header forward/treeDepth': RELEASE_NAMES.slice(0, 6),
    });
  });

  test.each(absent)('%s', (_, subject, release, place) => {
    const { path, field } = place;
    const example = subject.example(release);
    const fallback = fallbackAt(example, place);
    const values = [otherExampleOf(field, '26.11'), exampleOf(field, '26.11'), {}];
    const set = values.find((value) => !isDeepStrictEqual(value, fallback));

    const error = protocolErrorOf(() => encodeWith(subject.type, release, withAt(example, path, set)));
    expect(error.code).toBe('SLURMWIRE_NOT_IN_RELEASE');
    expect(error.fieldPath).toBe(show(path));
    expect(error.message).toContain(release);
    expect(error.protocol).toBe(release);

    const bytes = encodeWith(subject.type, release, example);
    const asStated = withAt(example, path, fallback);
    expect(toHex(encodeWith(subject.type, release, asStated))).toBe(toHex(bytes));
    expect(toHex(encodeWith(subject.type, release, withAt(example, path, undefined)))).toBe(toHex(bytes));
    expect(at(decodeWith(subject.type, release, bytes), path)).toEqual(fallback);
  });
});

describe('a type that was narrower', () => {
  test.each(RELEASE_NAMES)('flags of an association in %s: 16 bits until 23.11, 32 since', (release) => {
    const subject = subjects.find(({ name }) => name === 'RESPONSE_SLURM_REROUTE_MSG') as Subject;
    const path = ['workingClusterRec', 'rootAssoc', 'flags'];
    const wide = withAt(subject.example(release), path, 0x10000);
    if (RELEASE_NAMES.indexOf(release) >= 5) {
      expect(at(decodeWith(subject.type, release, encodeWith(subject.type, release, wide)), path)).toBe(
        0x10000,
      );
    } else {
      const error = protocolErrorOf(() => encodeWith(subject.type, release, wide));
      expect([error.code, error.fieldPath]).toEqual(['SLURMWIRE_BAD_VALUE', path.join('/')]);
    }
  });
});

describe('every field that a release has reaches the bytes', () => {
  test.each(eachRelease)('%s', (_, subject, release) => {
    const example = subject.example(release);
    const bytes = toHex(encodeWith(subject.type, release, example));
    for (const { path, field } of sampled(leaves(subject, release), release)) {
      // What the count, the header's flags and an item's type decide is another test's matter.
      if (subject.name === 'header' && ['flags', 'forward/cnt', 'returnList/0/type'].includes(show(path)))
        continue;
      const raw = withAt(example, path, otherExampleOf(field, release));
      const changed = subject.name === 'header' ? raw : settled(subject.type, raw, release);
      // The count of a list follows the list: see layout.test.ts.
      if (field.fallback?.derive !== undefined && isDeepStrictEqual(changed, example)) continue;
      const otherBytes = encodeWith(subject.type, release, changed);
      expect(toHex(otherBytes), show(path)).not.toBe(bytes);
      expect(decodeWith(subject.type, release, otherBytes), show(path)).toEqual(changed);
    }
  });
});

describe('fields left out', () => {
  test.each(eachRelease)('%s', (_, subject, release) => {
    const example = subject.example(release);
    const outcome = (value: unknown) => {
      let hex = '';
      const error = protocolErrorIfAny(() => {
        hex = toHex(encodeWith(subject.type, release, value));
      });
      return error === null ? hex : `${error.code} ${error.fieldPath}`;
    };
    for (const place of sampled(placesOf(subject, release), release)) {
      const { path, onWire } = place;
      // Without flags there is no net credential: see frame.test.ts.
      if (subject.name === 'header' && show(path) === 'flags') continue;
      const without = withAt(example, path, undefined);
      const fallback = fallbackAt(without, place);
      if (!onWire || fallback !== undefined) {
        expect(outcome(without), show(path)).toBe(outcome(withAt(example, path, fallback)));
        continue;
      }
      for (const value of [without, withUndefined(example, path)]) {
        expect(outcome(value)).toBe(`SLURMWIRE_FIELD_MISSING ${show(path)}`);
      }
    }
  });
});

describe('values that do not fit', () => {
  test.each(eachRelease)('%s', (_, subject, release) => {
    const given = asGiven(subject, release);
    const places = placesOf(subject, release).filter(({ onWire }) => onWire);
    sampled(places, release).forEach(({ path, spec }, i) => {
      // All wrong values of all types in short records; in long ones the same few fields' types come over and over.
      const wrong = wrongFor(spec).filter((_value, k) => places.length < 60 || (i + k) % 4 === 0);
      for (const value of wrong) {
        const error = protocolErrorOf(() => encodeWith(subject.type, release, withAt(given, path, value)));
        expect([error.code, error.fieldPath], `${show(path)} = ${String(value)}`).toEqual([
          'SLURMWIRE_BAD_VALUE',
          show(path),
        ]);
      }
    });
  });

  test.each(eachRelease)('%s: field names that there are not', (_, subject, release) => {
    const example = subject.example(release);
    const records = [
      [] as (string | number)[],
      ...placesOf(subject, release)
        .filter(({ onWire, path }) => onWire && isRecord(at(example, path)))
        .map(({ path }) => path),
    ];
    for (const path of records) {
      for (const value of [1, null, undefined]) {
        const inner = { ...(at(example, path) as object), nosuch: value };
        const error = protocolErrorOf(() => encodeWith(subject.type, release, withAt(example, path, inner)));
        expect([error.code, error.fieldPath]).toEqual(['SLURMWIRE_BAD_VALUE', show([...path, 'nosuch'])]);
      }
    }
  });

  test.each(subjects.map((subject) => [subject.name, subject] as const))(
    '%s: no record at all',
    (_, subject) => {
      for (const wrong of [null, undefined, 7, 'text', true, 1n, [], [1], () => ({})]) {
        const error = protocolErrorOf(() => encodeWith(subject.type, '24.11', wrong));
        expect([error.code, error.fieldPath]).toEqual(['SLURMWIRE_BAD_VALUE', '']);
      }
    },
  );

  test('the error says what was given and what would do', () => {
    const subject = subjects.find(({ name }) => name === 'REQUEST_KILL_JOB') as Subject;
    const wrong = withAt(subject.example('22.05'), ['signal'], 70_000);
    const error = protocolErrorOf(() => encodeWith(subject.type, '22.05', wrong));
    expect(error.message).toMatch(/^field signal: 70000 is not an integer from 0 to 65535/);
    expect(error).toMatchObject({
      errno: 'EINVAL',
      outcome: 'not-sent',
      retryable: false,
      offset: undefined,
    });
  });
});

function withUndefined(value: unknown, path: readonly (string | number)[]): unknown {
  const parent = path.slice(0, -1);
  return withAt(value, parent, { ...(at(value, parent) as object), [path.at(-1) as string]: undefined });
}

function isRecord(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  );
}

/** Values that a type must refuse. Names are no numbers and numbers no names, whatever JavaScript makes of them. */
function wrongFor(spec: Spec): unknown[] {
  const never = [{}, [], () => 0, Symbol('x')];
  const noNumber = [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '1', '', true, 1n, null, ...never];
  switch (spec.kind) {
    case 'u8':
      return [...noNumber, 0x100];
    case 'u16':
      return [...noNumber, 0x10000, 2 ** 32];
    case 'u32':
      return [...noNumber, 2 ** 32, Number.MAX_SAFE_INTEGER];
    case 'u64':
      return [-1n, 2n ** 64n, 1, 0, '1', true, null, ...never];
    case 'bigU32':
      return [-1n, 2n ** 32n, 1, '1', true, null, ...never];
    case 'double':
      return ['1', '', true, 1n, null, ...never];
    case 'bitString':
      return [7, 'text', true, [], {}, { size: 3 }, { size: 3, set: null }];
    case 'i64':
      return [-(2n ** 63n) - 1n, 2n ** 63n, 1, -1, '1', true, null, ...never];
    case 'bool':
      return [0, 1, 'true', '', null, ...never];
    case 'text':
      // A NUL inside would be cut there by every reader; a surrogate that stands for no byte has no bytes.
      return [
        'a\0b',
        '\0',
        'a\0',
        '\ud800',
        'x\udbff',
        '\udc00',
        '\udc7f',
        '\udd00',
        '\udfff',
        7,
        true,
        1n,
        ...never,
      ];
    case 'address':
      return [null, 7, 'localhost', [], { family: -1 }, { family: '2' }, { address: '127.0.0.1', port: 1 }];
    case 'struct':
      return [null, 7, 'text', true, [], [{}], () => ({})];
    case 'list':
      return [...(spec.nullable ? [] : [null]), 7, 'text', {}, { length: 1 }, new Set([1]), true];
    case 'atMostOne':
      return [null, 7, 'text', {}, { length: 1 }, new Set([1]), true];
    case 'optional':
    case 'unlessNoVal':
      return wrongFor(spec.item.spec).filter((value) => value !== null);
    case 'undescribed':
      return [7, 'text', {}, []];
    case 'rest':
      return [null, 7, 'text', [1, 2], {}, new ArrayBuffer(2), new Uint16Array(1)];
    default:
      return [];
  }
}
