/** The layers look only downward, and the lowest one is pure. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { importsOf, layerViolations, type SourceFile } from './support/layers.js';

const src = new URL('../src/', import.meta.url);

const sources: readonly SourceFile[] = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ path, text: readFileSync(new URL(path, src), 'utf8') }));

describe('src', () => {
  test('is read whole', () => {
    const paths = sources.map(({ path }) => path);
    expect(paths).toContain('protocol/messages/kill-job.ts');
    expect(paths).toContain('protocol/compile.ts');
    expect(sources.flatMap(({ text }) => importsOf(text)).length).toBeGreaterThan(100);
  });

  test('keeps the rule', () => {
    expect(layerViolations(sources)).toEqual([]);
  });

  test('every import is seen: as many as there are lines that end in one', () => {
    for (const { path, text } of sources) {
      const lines = text.match(/^(?:import|export|\}).* from '[^']+';$|^import '[^']+';$/gm) ?? [];
      expect(importsOf(text).length, path).toBeGreaterThanOrEqual(lines.length);
    }
  });
});

describe('the checker', () => {
  const check = (path: string, text: string) => layerViolations([{ path, text }]);

  test.each([
    ['protocol/a.ts', "import { b } from './b.js';"],
    ['protocol/a.ts', "import { kt128 } from '@noble/hashes/sha3-addons.js';"],
    ['protocol/messages/a.ts', "import type { B } from '../wire-type.js';"],
    ['replay/a.ts', "import { b } from '../protocol/index.js';\nimport fs from 'node:fs';\nimport 'koffi';"],
    [
      'auth/a.ts',
      "import { b } from '../protocol/b.js';\nimport net from 'node:net';\nimport koffi from 'koffi';",
    ],
    ['config/a.ts', "import { b } from '../protocol/b.js';\nimport { c } from './c.js';"],
    [
      'rpc/a.ts',
      "import '../protocol/b.js';\nimport '../auth/b.js';\nimport '../config/b.js';\nimport '../replay/b.js';",
    ],
    ['cli/a.ts', "import { b } from '../rpc/index.js';\nimport { c } from '../testing/index.js';"],
    ['testing/a.ts', "import { b } from '../rpc/index.js';"],
    ['testing/deep/a.ts', "import { b } from '../../rpc/index.js';\nimport { c } from '../b.js';"],
    ['index.ts', "export * from './rpc/index.js';\nexport { b } from './protocol/index.js';"],
    [
      'protocol/a.ts',
      "/** Runs in any process, `import x from 'node:fs'`. */\n// console.log, import 'node:fs'\nconst x = 'process';",
    ],
  ])('%s: %j is fine', (path, text) => {
    expect(check(path, text)).toEqual([]);
  });

  test.each([
    ['protocol/a.ts', "import net from 'node:net';", 'node:net'],
    ['protocol/a.ts', "import type { Socket } from 'node:net';", 'node:net'],
    ['protocol/a.ts', "import 'node:fs';", 'node:fs'],
    ['protocol/a.ts', "export { join } from 'node:path';", 'node:path'],
    ['protocol/a.ts', "export * from 'path';", 'path'],
    ['protocol/a.ts', "import {\n  a,\n  b,\n} from 'node:os';", 'node:os'],
    ['protocol/a.ts', "const os = await import('node:os');", 'node:os'],
    ['protocol/a.ts', "type Socket = import('node:net').Socket;", 'node:net'],
    ['protocol/a.ts', 'import net from "node:net";', 'node:net'],
    ['protocol/a.ts', "import * as msgpack from '@msgpack/msgpack';", '@msgpack/msgpack'],
    ['protocol/a.ts', "import x from '@noble/hashes-not';", '@noble/hashes-not'],
    ['protocol/a.ts', "import { munge } from '../auth/munge.js';", '../auth/munge.js'],
    ['protocol/messages/a.ts', "import { b } from '../../rpc/b.js';", '../../rpc/b.js'],
    ['protocol/a.ts', "import pkg from '../../package.json';", '../../package.json'],
    ['replay/a.ts', "import { b } from '../auth/index.js';", '../auth/index.js'],
    ['replay/a.ts', "import { b } from '../rpc/index.js';", '../rpc/index.js'],
    ['auth/a.ts', "import { b } from '../config/index.js';", '../config/index.js'],
    ['auth/a.ts', "import { b } from '../replay/index.js';", '../replay/index.js'],
    ['config/a.ts', "import { b } from '../auth/index.js';", '../auth/index.js'],
    ['config/a.ts', "export { b } from '../rpc/b.js';", '../rpc/b.js'],
    ['rpc/a.ts', "import { b } from '../cli/b.js';", '../cli/b.js'],
    ['rpc/a.ts', "import { b } from '../testing/b.js';", '../testing/b.js'],
    ['cli/a.ts', "import { b } from '../index.js';", '../index.js'],
    ['testing/a.ts', "import { b } from '../cli/index.js';", '../cli/index.js'],
    ['testing/a.ts', "import { b } from '../index.js';", '../index.js'],
    ['rpc/a.ts', "import type { B } from '../index.js';", '../index.js'],
    ['new/a.ts', "import { b } from '../protocol/index.js';", '../protocol/index.js'],
  ])('%s: %j is found', (path, text, specifier) => {
    const found = check(path, `const before = 1;\n${text}\nexport const after = 2;`);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`${path} imports ${specifier}: `);
  });

  test.each([
    'Buffer.from([])',
    'process.env',
    'setTimeout(f, 1)',
    'console.log(1)',
    'Math.random()',
    'Date.now()',
    'new Date()',
    'globalThis.x',
    'import.meta.url',
    "require('x')",
    'fetch(u)',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the code looked at is a template
    '`${process.pid}`',
  ])('%s in src/protocol is found, elsewhere it is fine', (code) => {
    const text = `export const x = () => ${code};`;
    expect(check('protocol/a.ts', text)).toHaveLength(1);
    expect(check('protocol/a.ts', text)[0]).toContain('protocol/a.ts uses ');
    expect(check('rpc/a.ts', text)).toEqual([]);
  });

  test('each file is looked at, and each import of it', () => {
    const files = [
      { path: 'protocol/a.ts', text: "import 'node:fs';\nimport 'node:net';" },
      { path: 'auth/b.ts', text: "import '../config/c.js';" },
      { path: 'rpc/c.ts', text: "import '../auth/b.js';" },
    ];
    expect(layerViolations(files)).toHaveLength(3);
  });
});
