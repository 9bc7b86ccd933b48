/** Encoding loses nothing and guesses nothing: every field of every message, in every release. */
import { describe, expect, test } from 'vitest';
import { header } from '../../src/protocol/header.js';
import { RELEASE_NAMES, type Release } from '../../src/protocol/index.js';
import type { Spec } from '../../src/protocol/wire-type.js';
import { decodeWith, encodeWith, protocolErrorOf } from '../support/codec.js';
import {
  type AnyType,
  at,
  DESCRIBED,
  exampleOf,
  type FieldPlace,
  fieldPlaces,
  otherExampleOf,
  withAt,
} from '../support/description.js';
import { toHex } from '../support/golden.js';

interface Subject {
  readonly name: string;
  readonly type: AnyType;
  example(release: Release): unknown;
}

const subjects: readonly Subject[] = [
  ...DESCRIBED.map(([name, type]) => ({
    name,
    type,
    example: (release: Release) => exampleOf(type, release),
  })),
  {
    name: 'header',
    type: header as AnyType,
    // Forwarded and with a net credential, so that every field of the forward block is on the wire; an item of a type without a body.
    example: (release) =>
      withAt(withAt(exampleOf(header as AnyType, release), ['flags'], 0x80), ['returnList', 0, 'type'], 9001),
  },
];

const eachRelease = subjects.flatMap((subject) =>
  RELEASE_NAMES.map((release) => [`${subject.name} ${release}`, subject, release] as const),
);

/** The deepest fields, whose values are not made of other fields. */
function leaves(subject: Subject, release: Release): FieldPlace[] {
  const composed = ['struct', 'dependent'];
  return fieldPlaces(subject.type, release).filter(
    ({ present, spec }) => present && !composed.includes(spec.kind),
  );
}

const show = (path: readonly (string | number)[]) => path.join('/');

describe('fields that a release lacks', () => {
  const absent = subjects.flatMap((subject) =>
    RELEASE_NAMES.flatMap((release) =>
      fieldPlaces(subject.type, release)
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
    // From wire/messages.md, wire/lookups.md and wire/envelope.md, not from the declarations. Other messages may come; these stay.
    expect(Object.fromEntries(lacking)).toMatchObject({
      'REQUEST_KILL_JOB stepId/sluid': RELEASE_NAMES.slice(0, 6),
      'REQUEST_CANCEL_JOB_STEP stepId/sluid': RELEASE_NAMES.slice(0, 6),
      'REQUEST_JOB_INFO_SINGLE jobId': RELEASE_NAMES.slice(8),
      'REQUEST_JOB_INFO_SINGLE stepId': RELEASE_NAMES.slice(0, 8),
      'RESPONSE_JOB_INFO lastBackfill': RELEASE_NAMES.slice(0, 1),
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

  test.each(absent)('%s', (_, subject, release, { path, field }) => {
    const example = subject.example(release);
    const set = otherExampleOf(field, '26.11');
    expect(set).not.toEqual(field.fallback?.value);

    const error = protocolErrorOf(() => encodeWith(subject.type, release, withAt(example, path, set)));
    expect(error.code).toBe('SLURMWIRE_NOT_IN_RELEASE');
    expect(error.fieldPath).toBe(show(path));
    expect(error.message).toContain(release);
    expect(error.protocol).toBe(release);

    const bytes = toHex(encodeWith(subject.type, release, example));
    const asStated = withAt(example, path, field.fallback?.value);
    expect(toHex(encodeWith(subject.type, release, asStated))).toBe(bytes);
    expect(toHex(encodeWith(subject.type, release, withAt(example, path, undefined)))).toBe(bytes);
    expect(at(decodeWith(subject.type, release, encodeWith(subject.type, release, example)), path)).toEqual(
      field.fallback?.value,
    );
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
    for (const { path, field } of leaves(subject, release)) {
      // What the count, the header's flags and an item's type decide is another test's matter.
      if (subject.name === 'header' && ['flags', 'forward/cnt', 'returnList/0/type'].includes(show(path)))
        continue;
      const changed = withAt(example, path, otherExampleOf(field, release));
      const otherBytes = encodeWith(subject.type, release, changed);
      expect(toHex(otherBytes), show(path)).not.toBe(bytes);
      expect(decodeWith(subject.type, release, otherBytes), show(path)).toEqual(changed);
    }
  });
});

describe('fields left out', () => {
  test.each(eachRelease)('%s', (_, subject, release) => {
    const example = subject.example(release);
    for (const { path, field, present } of fieldPlaces(subject.type, release)) {
      // Without flags there is no net credential: see frame.test.ts.
      if (subject.name === 'header' && show(path) === 'flags') continue;
      const without = withAt(example, path, undefined);
      if (!present || field.fallback !== undefined) {
        const stated = withAt(example, path, field.fallback?.value);
        expect(toHex(encodeWith(subject.type, release, without)), show(path)).toBe(
          toHex(encodeWith(subject.type, release, stated)),
        );
        continue;
      }
      for (const value of [without, withUndefined(example, path)]) {
        const error = protocolErrorOf(() => encodeWith(subject.type, release, value));
        expect([error.code, error.fieldPath]).toEqual(['SLURMWIRE_FIELD_MISSING', show(path)]);
      }
    }
  });
});

describe('values that do not fit', () => {
  test.each(eachRelease)('%s', (_, subject, release) => {
    const example = subject.example(release);
    for (const { path, spec, present } of fieldPlaces(subject.type, release)) {
      if (!present) continue;
      for (const wrong of wrongFor(spec)) {
        const error = protocolErrorOf(() => encodeWith(subject.type, release, withAt(example, path, wrong)));
        expect([error.code, error.fieldPath], `${show(path)} = ${String(wrong)}`).toEqual([
          'SLURMWIRE_BAD_VALUE',
          show(path),
        ]);
      }
    }
  });

  test.each(eachRelease)('%s: field names that there are not', (_, subject, release) => {
    const example = subject.example(release);
    const records = [
      [] as (string | number)[],
      ...fieldPlaces(subject.type, release)
        .filter(({ present, path }) => present && isRecord(at(example, path)))
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
    case 'optional':
      return [7, 'text', true, []];
    case 'rest':
      return [null, 7, 'text', [1, 2], {}, new ArrayBuffer(2), new Uint16Array(1)];
    default:
      return [];
  }
}
