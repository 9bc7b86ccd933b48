/**
 * What the package exports is what the reports in test/package/api say, name by name: whoever changes its surface has to run `npm run docs`
 * and will see it in the diff. (`npm run check` holds the reports, types included, against the sources.)
 */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const root = new URL('../', import.meta.url);
const { name, exports } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as {
  name: string;
  exports: Record<string, string | { types: string }>;
};
const entryPoints = Object.entries(exports).flatMap(([path, target]) =>
  typeof target === 'string'
    ? []
    : [
        {
          path,
          report: path === '.' ? name : path.slice('./'.length),
          source: target.types.replace('./dist/', './src/').replace(/\.d\.ts$/, '.ts'),
        },
      ],
);

test('there is one report for each entry point', () => {
  const reports = readdirSync(new URL('test/package/api/', root)).sort();
  expect(reports).toEqual(entryPoints.map(({ report }) => `${report}.txt`).sort());
});

describe.each(entryPoints)('$path', ({ report, source }) => {
  const text = readFileSync(new URL(`test/package/api/${report}.txt`, root), 'utf8');
  const reported = [...text.matchAll(/^(function|class|const|interface|type) ([A-Za-z0-9_]+)/gm)];

  test('exports at run time what the report has', async () => {
    const module: object = await import(new URL(source, root).href);
    const values = reported.filter(([, kind]) => kind !== 'interface' && kind !== 'type');
    expect(Object.keys(module).sort()).toEqual(values.map(([, , value]) => value).sort());
  });

  test('has every type that its index names', () => {
    const index = readFileSync(new URL(source, root), 'utf8');
    const named = [...index.matchAll(/^export (?:type )?\{([^}]*)\}/gm)]
      .flatMap(([, list = '']) => list.split(','))
      .map((one) => one.trim().replace(/^type /, ''))
      .filter((one) => one !== '');
    const known = new Set(reported.map(([, , exported]) => exported));
    expect(named.filter((one) => !known.has(one))).toEqual([]);
    expect(named.length).toBeGreaterThan(5);
  });
});
