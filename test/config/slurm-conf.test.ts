import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigErrorCode } from '../../src/config/config-error-code.js';
import {
  type IncludeRequest,
  MAX_ENTRIES,
  MAX_INCLUDE_DEPTH,
  MAX_INCLUDES,
  MAX_LINE_CHARS,
  MAX_PARAMETERS,
  MAX_TOTAL_CHARS,
  parseSlurmConf,
  type SlurmConf,
} from '../../src/config/slurm-conf.js';
import { SlurmConfigError } from '../../src/protocol/slurm-error.js';
import { caught, configError } from './caught.js';

const MAIN = '/etc/slurm/slurm.conf';

/** Parses with the files of a map in place of a file system. */
function parse(text: string, files: Record<string, string> = {}): Promise<SlurmConf> {
  return parseSlurmConf(text, {
    file: MAIN,
    readInclude: async ({ path }) => {
      const found = files[path];
      if (found === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
      return found;
    },
  });
}

/** Key in lower case → value, without places. */
function plain(conf: SlurmConf): Record<string, string> {
  return Object.fromEntries([...conf.values].map(([key, { value }]) => [key, value]));
}

describe('lines and values', () => {
  const cases: readonly (readonly [rule: string, text: string, values: Record<string, string>])[] = [
    ['empty file', '', {}],
    ['blank lines', '\n \t\n\r\n', {}],
    ['one pair, no newline at the end', 'A=1', { a: '1' }],
    ['CRLF', 'A=1\r\nB=2\r\n', { a: '1', b: '2' }],
    ['several pairs a line', 'A=1 B=2\tC=3', { a: '1', b: '2', c: '3' }],
    ['white space before the key', ' \t A=1', { a: '1' }],
    ['white space around =', 'A = 1 B\t=\t2', { a: '1', b: '2' }],
    ['a value is what follows, even with =', 'A= B=2', { a: 'B=2' }],
    ['= in a value', 'A=x=y,z=1', { a: 'x=y,z=1' }],
    ['key of digits, _ and .', 'a.b_9=1', { 'a.b_9': '1' }],
    ['keys in any case', 'SLURMUSER=a', { slurmuser: 'a' }],
    ['values keep their case', 'A=MiXed', { a: 'MiXed' }],
    ['last one holds', 'A=1\na=2\nA=3', { a: '3' }],
    ['last one holds, in one line', 'A=1 A=2', { a: '2' }],
    ['unknown keys are kept', 'KeyOfTheFuture=1', { keyofthefuture: '1' }],

    ['comment line', '# A=1\n  # B=2\nC=3', { c: '3' }],
    ['comment after a value', 'A=1# no\nB=2 # C=3', { a: '1', b: '2' }],
    ['comment inside quotes', 'A="x # y"', { a: '"x' }],
    ['escaped #', 'A=x\\#y', { a: 'x#y' }],
    ['escaped backslash before #', 'A=x\\\\#y', { a: 'x\\' }],
    ['three backslashes before #', 'A=x\\\\\\#y', { a: 'x\\#y' }],
    ['escaped # and a comment', 'A=x\\#y # B=1', { a: 'x#y' }],

    ['continued line', 'A=1 \\\nB=2', { a: '1', b: '2' }],
    ['continued within a word', 'A=ab\\\ncd', { a: 'abcd' }],
    ['continued key', 'AB\\\nCD=1', { abcd: '1' }],
    ['continued twice', 'A=1\\\n2\\\n3\nB=1', { a: '123', b: '1' }],
    ['white space after the backslash', 'A=1 \\ \t\r\nB=2', { a: '1', b: '2' }],
    ['white space after the backslash is dropped with it', 'A=ab\\ \t\ncd', { a: 'abcd' }],
    ['comment after the backslash', 'A=1 \\ # why\nB=2', { a: '1', b: '2' }],
    ['even number is not continued', 'A=1\\\\\nB=2', { a: '1\\', b: '2' }],
    ['three backslashes are', 'A=1\\\\\\\nB=2', { a: '1\\B=2' }],
    ['a comment is not continued', '# x \\\nA=1', { a: '1' }],
    ['a comment ends a continued line', 'A=1 \\\n# x \\\nB=2', { a: '1', b: '2' }],
    ['continued at the end of the file', 'A=1 \\', { a: '1' }],

    ['\\x is x', 'A=\\a\\b\\\\c', { a: 'ab\\c' }],
    ['an escaped space still ends a value', 'A=x\\ B=1', { a: 'x', b: '1' }],
    ['an escaped quote is a quote', 'A=\\"x y\\"', { a: 'x y' }],

    ['quotes', 'A="x y" B="z"', { a: 'x y', b: 'z' }],
    ['empty quotes', 'A="" B=1', { a: '', b: '1' }],
    ['quotes with =', 'A = "B=1 C=2"', { a: 'B=1 C=2' }],
    ['text right after the quotes', 'A="b"c', { a: '"b"c' }],
    ['quote without end', 'A="b', { a: '"b' }],
    ['quote within', 'A=b"c B=\'d', { a: 'b"c', b: "'d" }],
    ['non-ASCII text', 'A=grün # größer', { a: 'grün' }],
    ['U+00A0 is no white space', 'A=x\u00a0y', { a: 'x\u00a0y' }],
    ['a key called like a property', '__proto__=1 constructor=2', { ['__proto__']: '1', constructor: '2' }],
  ];

  it.each(cases)('%s: %j', async (_rule, text, values) => {
    const conf = await parse(text);
    expect(Object.entries(plain(conf))).toEqual(Object.entries(values));
    expect(conf.entries).toEqual([]);
  });

  it.each(['+', '-', '*', '/'] as const)('keeps the operator %s', async (operator) => {
    const conf = await parse(`A ${operator}= 1 B${operator}=2 C=3`);
    expect([...conf.values.values()].map((pair) => [pair.key, pair.operator, pair.value])).toEqual([
      ['A', operator, '1'],
      ['B', operator, '2'],
      ['C', '', '3'],
    ]);
  });

  it('tells where a value stands: the first line of a continued one', async () => {
    const conf = await parse('# x\nA=1\n\nB=2 \\\nC=3 \\\n\nD=4');
    expect([...conf.values.values()].map(({ key, file, line }) => [key, file, line])).toEqual([
      ['A', MAIN, 2],
      ['B', MAIN, 4],
      ['C', MAIN, 4],
      ['D', MAIN, 7],
    ]);
  });

  it('works with the text alone', async () => {
    expect(await parseSlurmConf('A=1')).toEqual({
      file: 'slurm.conf',
      values: new Map([['a', { key: 'A', operator: '', value: '1', file: 'slurm.conf', line: 1 }]]),
      entries: [],
    });
  });
});

describe('entries', () => {
  it.each(['NodeName', 'PartitionName', 'DownNodes', 'NodeSet', 'SlurmctldHost'])(
    '%s takes the rest of the line and adds up',
    async (key) => {
      const conf = await parse(`A=1 ${key.toUpperCase()}=x A=2 B+="3 4"\n${key.toLowerCase()}=x\nA=5`);
      expect(plain(conf)).toEqual({ a: '5' });
      expect(conf.entries).toEqual([
        {
          key,
          value: 'x',
          pairs: [
            { key: 'A', operator: '', value: '2' },
            { key: 'B', operator: '+', value: '3 4' },
          ],
          file: MAIN,
          line: 1,
        },
        { key, value: 'x', pairs: [], file: MAIN, line: 2 },
      ]);
    },
  );

  it('does not take keys that only begin like one', async () => {
    const conf = await parse('NodeNames=a SlurmctldHost2=b Port=1');
    expect(plain(conf)).toEqual({ nodenames: 'a', slurmctldhost2: 'b', port: '1' });
  });
});

describe('lines that are an error', () => {
  const cases: readonly (readonly [name: string, text: string, line: number, words: RegExp])[] = [
    ['word alone', 'A=1\nfoo\nB=2', 2, /not a list of key=value/],
    ['sentence', '\n\nThis is not a configuration', 3, /not a list of key=value/],
    ['key with a dash', 'slurm-user=x', 1, /not a list/],
    ['key of another script', 'größe=1', 1, /not a list/],
    ['byte order mark', '\ufeffA=1', 1, /not a list/],
    ['no key', '=x', 1, /not a list/],
    ['value without quotes', 'A=1\nB=x y', 2, /follows the value of B/],
    ['text after quotes', 'A="x" y', 1, /follows the value of A/],
    ['comment cut a quoted value short', 'A="x y # z"', 1, /follows the value of A/],
    ['in an entry', 'NodeName=n1 CPUs=2 oops', 1, /follows the value of CPUs/],
    ['no value', 'A=1 B=', 1, /B has no value/],
    ['no value, operator', 'B += # x', 1, /B has no value/],
    ['in the second of joined lines', '\nA=1 \\\noops', 2, /follows the value of A/],
    ['Include with =', 'Include=x.conf', 1, /takes no "="/],
    ['Include with = and spaces', 'A=1\ninclude = x.conf', 2, /takes no "="/],
    ['Include alone', 'Include', 1, /names no file/],
    ['Include and a comment', 'Include # x', 1, /names no file/],
    ['Include two files', 'Include a.conf b.conf', 1, /after the name/],
    ['Include not first', 'A=1 Include a.conf', 1, /follows the value of A/],
  ];

  it.each(cases)('%s: %j', async (_name, text, line, words) => {
    const error = await configError(parse(text));
    expect(error).toMatchObject({
      name: 'SlurmConfigError',
      code: 'SLURMWIRE_CONFIG_SYNTAX',
      errno: 'EINVAL',
      outcome: 'not-sent',
      phase: 'config',
      file: MAIN,
      line,
    });
    expect(error.message).toMatch(words);
    expect(error.message.startsWith(`${MAIN}:${line}: `)).toBe(true);
    expect(error.hint).toMatch(/\S{3}/);
  });

  it('never shows what stands in the line: it may be a password, or another file', async () => {
    for (const text of [
      'AccountingStoragePass=s3cret s3cret',
      's3cret',
      'root:s3cret:19000',
      'Include a s3cret',
    ]) {
      const error = await configError(parse(text));
      expect(JSON.stringify(error)).not.toContain('s3cret');
    }
  });
});

describe('Include', () => {
  it('puts the file in its place, in any case and indentation', async () => {
    const conf = await parse('A=1 \nB=1\n  iNCLUDE  a.conf  # x\nB=3', {
      '/etc/slurm/a.conf': 'A=2\nB=2\nNodeName=n1',
    });
    expect(plain(conf)).toEqual({ a: '2', b: '3' });
    expect(conf.values.get('a')).toMatchObject({ file: '/etc/slurm/a.conf', line: 1 });
    expect(conf.entries).toMatchObject([{ value: 'n1', file: '/etc/slurm/a.conf', line: 3 }]);
  });

  it('takes absolute names, and relative ones from the directory of the main file even when nested', async () => {
    const conf = await parse('Include /opt/x/a.conf', {
      '/opt/x/a.conf': 'Include sub/b.conf\nInclude ../c.conf',
      '/etc/slurm/sub/b.conf': 'B=1',
      '/etc/c.conf': 'C=1',
    });
    expect(plain(conf)).toEqual({ b: '1', c: '1' });
  });

  it('takes the same file twice when it is no cycle', async () => {
    const conf = await parse('Include a.conf\nInclude a.conf', { '/etc/slurm/a.conf': 'NodeName=n1' });
    expect(conf.entries).toHaveLength(2);
  });

  it('replaces %c with the ClusterName above, in lower case', async () => {
    const files = { '/etc/slurm/big.d/big.conf': 'A=1', '/etc/slurm/name.conf': 'ClusterName=BIG' };
    expect(plain(await parse('ClusterName=Big\nInclude %c.d/%c.conf', files))).toHaveProperty('a', '1');
    expect(plain(await parse('Include name.conf\nInclude %c.d/%c.conf', files))).toHaveProperty('a', '1');
    const error = await configError(parse('A=1\nInclude %c.conf\nClusterName=big', files));
    expect(error).toMatchObject({ code: 'SLURMWIRE_CONFIG_INCLUDE', file: MAIN, line: 2 });
    expect(error.hint).toContain('ClusterName');
  });

  it('expands nothing else', async () => {
    const asked: IncludeRequest[] = [];
    const readInclude = async (request: IncludeRequest) => {
      asked.push(request);
      return '';
    };
    await parseSlurmConf('\n\nInclude %h~$HOME', { file: MAIN, readInclude });
    expect(asked).toEqual([{ name: '%h~$HOME', path: '/etc/slurm/%h~$HOME', file: MAIN, line: 3 }]);
  });

  it('says that a pattern is not followed', async () => {
    expect(await configError(parse('\nInclude nodes/*.conf', {}))).toMatchObject({
      code: 'SLURMWIRE_CONFIG_INCLUDE',
      file: MAIN,
      line: 2,
    });
  });

  it('points at the line in the included file, and at the Include for a missing one', async () => {
    const files = { '/etc/slurm/a.conf': 'A=1\n\noops', '/etc/slurm/b.conf': '\nInclude gone.conf' };
    expect(await configError(parse('\nInclude a.conf', files))).toMatchObject({
      code: 'SLURMWIRE_CONFIG_SYNTAX',
      file: '/etc/slurm/a.conf',
      line: 3,
    });
    const error = await configError(parse('Include b.conf', files));
    expect(error).toMatchObject({
      code: 'SLURMWIRE_CONFIG_NOT_FOUND',
      errno: 'ENOENT',
      file: '/etc/slurm/b.conf',
      line: 2,
    });
    expect(error.message).toContain('/etc/slurm/gone.conf');
    expect(error.cause).toMatchObject({ code: 'ENOENT' });
  });

  it('makes a SlurmConfigError of whatever the reader throws', async () => {
    for (const thrown of [new Error('x'), null, 'text']) {
      const readInclude = () => Promise.reject(thrown);
      const error = await configError(parseSlurmConf('Include a', { file: MAIN, readInclude }));
      expect(error).toMatchObject({ code: 'SLURMWIRE_CONFIG_UNREADABLE', file: MAIN, line: 1 });
    }
  });

  it('is an error without a reader', async () => {
    expect(await configError(parseSlurmConf('Include a'))).toMatchObject({
      code: 'SLURMWIRE_CONFIG_INCLUDE',
      line: 1,
    });
  });

  it.each([
    ['itself', 'Include slurm.conf', {}, MAIN],
    ['itself, spelled otherwise', 'Include ./x/../slurm.conf', {}, MAIN],
    [
      'each other',
      'Include a',
      { '/etc/slurm/a': '\nInclude b', '/etc/slurm/b': 'Include a' },
      '/etc/slurm/b',
    ],
  ])('refuses a cycle: %s', async (_name, text, files, file) => {
    const error = await configError(parse(text, files as Record<string, string>));
    expect(error).toMatchObject({ code: 'SLURMWIRE_CONFIG_INCLUDE', file, line: 1 });
    expect(error.message).toContain('cycle');
  });

  it('follows a chain of MAX_INCLUDE_DEPTH files and refuses one more', async () => {
    const chain = (length: number) => ({
      file: MAIN,
      readInclude: async ({ name }: IncludeRequest) =>
        Number(name) < length ? `Include ${Number(name) + 1}` : 'A=1',
    });
    expect(plain(await parseSlurmConf('Include 1', chain(MAX_INCLUDE_DEPTH)))).toEqual({ a: '1' });
    expect(await configError(parseSlurmConf('Include 1', chain(MAX_INCLUDE_DEPTH + 1)))).toMatchObject({
      code: 'SLURMWIRE_CONFIG_INCLUDE',
      file: `/etc/slurm/${MAX_INCLUDE_DEPTH}`,
    });
  });

  it('shows of long keys and names only the beginning', async () => {
    const long = 'k'.repeat(20_000);
    const readInclude = async () => {
      throw new Error('no');
    };
    for (const text of [`${long}=`, `${long}=1 b`, `Include \u001b${long}`, `Include \u0007${long}*`]) {
      const error = await configError(parseSlurmConf(text, { readInclude }));
      expect(error.message).not.toMatch(/\p{Cc}/u);
      expect(error.message).toContain('…');
      expect(error.message.length).toBeLessThan(1000);
    }
  });

  it('refuses more than MAX_INCLUDES includes, also when they multiply', async () => {
    const flat = (count: number) => parse('Include a\n'.repeat(count), { '/etc/slurm/a': 'A=1' });
    expect(plain(await flat(MAX_INCLUDES))).toEqual({ a: '1' });
    expect(await configError(flat(MAX_INCLUDES + 1))).toMatchObject({ line: MAX_INCLUDES + 1 });

    let reads = 0;
    const readInclude = async ({ name }: IncludeRequest) => {
      reads += 1;
      return `Include ${name}a\nInclude ${name}b`;
    };
    const short = async (request: IncludeRequest) => (request.name.length < 14 ? readInclude(request) : '');
    const error = await configError(parseSlurmConf('Include x', { readInclude: short }));
    expect(error.code).toBe('SLURMWIRE_CONFIG_INCLUDE');
    expect(reads).toBeLessThanOrEqual(MAX_INCLUDES);
  });

  it('refuses more text than MAX_TOTAL_CHARS in all', async () => {
    const comment = `#${'x'.repeat(MAX_TOTAL_CHARS / 4 - 1)}`;
    const files = { '/etc/slurm/a': comment };
    await parse('Include a\n'.repeat(3), files);
    expect(await configError(parse('Include a\n'.repeat(4), files))).toMatchObject({
      code: 'SLURMWIRE_CONFIG_TOO_LARGE',
      errno: 'EFBIG',
      file: MAIN,
      line: 4,
    });
    expect(await configError(parse(`#${'x'.repeat(MAX_TOTAL_CHARS)}`))).toMatchObject({
      code: 'SLURMWIRE_CONFIG_TOO_LARGE',
      file: MAIN,
      line: undefined,
    });
  });
});

describe('signal', () => {
  it('rejects with the reason: before, during an include, in a long file', async () => {
    const reason = new Error('enough');
    expect(await caught(parseSlurmConf('A=1', { signal: AbortSignal.abort(reason) }))).toBe(reason);

    const during = new AbortController();
    const readInclude = async () => {
      during.abort(reason);
      throw new Error('aborted read');
    };
    expect(await caught(parseSlurmConf('Include a', { readInclude, signal: during.signal }))).toBe(reason);

    const long = new AbortController();
    const work = parseSlurmConf('A=1\n'.repeat(100_000), { signal: long.signal });
    long.abort(reason);
    expect(await caught(work)).toBe(reason);
  });
});

describe('hostile text', () => {
  const token = fc.constantFrom(
    ...[
      '\\',
      '#',
      '"',
      '=',
      ' ',
      '\n',
      '\t',
      '\r',
      '+=',
      'A',
      'b.c',
      'Include',
      'Include a',
      'NodeName',
      '%c',
    ],
    ...['SlurmctldHost=', 'ClusterName=x', '(', ')', ',', '0x', '\u00a0', '\ufeff', '\u2028', '\0', '😀'],
  );
  const soup = fc
    .array(fc.oneof({ weight: 5, arbitrary: token }, fc.string()), { maxLength: 60 })
    .map((a) => a.join(''));

  it('throws nothing but SlurmConfigError, with a line of the file', async () => {
    let good = 0;
    let bad = 0;
    await fc.assert(
      fc.asyncProperty(soup, soup, async (text, included) => {
        try {
          const conf = await parse(text, { '/etc/slurm/a': included });
          good += 1;
          for (const { key, value } of conf.values.values()) {
            expect(key).toMatch(/^[A-Za-z0-9_.]+$/);
            expect(value).not.toContain('\n');
          }
        } catch (error) {
          bad += 1;
          if (!(error instanceof SlurmConfigError)) throw error;
          expect(Object.values(ConfigErrorCode)).toContain(error.code);
          const lines = (error.file === MAIN ? text : included).split('\n').length;
          expect(error.line).toBeGreaterThanOrEqual(1);
          expect(error.line).toBeLessThanOrEqual(lines);
        }
      }),
      { numRuns: 3000 },
    );
    // Both ways are walked, or the property says little.
    expect(Math.min(good, bad)).toBeGreaterThan(0);
  });

  it('reads back what it is given in quotes', async () => {
    const key = fc
      .stringMatching(/^[A-Za-z0-9_.]{1,12}$/)
      .filter((k) => !/^(include|nodename|nodeset|downnodes)$/i.test(k));
    const value = fc.stringMatching(/^[ -~]*$/).filter((v) => !/["#\\]/.test(v));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(key, value)), async (pairs) => {
        const expected = new Map(pairs.map(([k, v]) => [k.toLowerCase(), v]));
        const text = pairs.map(([k, v]) => `${k} = "${v}"`);
        for (const joiner of ['\n', ' ', ' \\\n\t']) {
          const conf = await parse(text.join(joiner));
          expect(new Map([...conf.values].map(([k, v]) => [k, v.value]))).toEqual(expected);
        }
      }),
    );
  });

  // A rule with backtracking would need minutes for these.
  it.each([
    ['spaces', `A${' '.repeat(500_000)}`],
    ['one long key', 'A'.repeat(500_000)],
    ['backslashes', '\\'.repeat(500_001)],
    ['escaped hashes', '\\#'.repeat(250_000)],
    ['backslashes and hashes', `${'\\'.repeat(1000)}#\n`.repeat(500)],
    ['quotes', 'A="b'.repeat(120_000)],
    ['pairs with open quotes', 'A="b '.repeat(100_000)],
    ['continued lines', '\\\n'.repeat(250_000)],
    ['space after continued lines', `${' '.repeat(1000)}\\\n`.repeat(500)],
    ['equal signs', '='.repeat(500_000)],
    ['Include and spaces', `Include${' '.repeat(500_000)}`],
  ])('ends quickly: %s', async (_name, text) => {
    const start = performance.now();
    await parse(text).catch((error: unknown) => {
      if (!(error instanceof SlurmConfigError)) throw error;
    });
    expect(performance.now() - start).toBeLessThan(3000);
  });
});

describe('a text that is meant to exhaust', () => {
  it.each([
    ['pairs without end', 'a=b '.repeat(2_000_000), 1],
    ['a line without end', `A=1\n${' '.repeat(MAX_LINE_CHARS + 1)}`, 2],
    [
      'a line that is continued without end',
      `A=1\n${'bbbbbbbbbbbbbbb\\\n'.repeat(MAX_LINE_CHARS / 16 + 1)}`,
      2,
    ],
    ['parameters without end', manyLines((i) => `k${i}=1`, MAX_PARAMETERS + 1), MAX_PARAMETERS + 1],
    ['entries without end', manyLines(() => 'DownNodes=x', MAX_ENTRIES + 1), MAX_ENTRIES + 1],
  ])('%s', async (_, text, line) => {
    expect(await configError(parse(text))).toMatchObject({ code: 'SLURMWIRE_CONFIG_TOO_LARGE', line });
  });

  it('gives the event loop its turn by what was read, however long the lines are', async () => {
    let turns = 0;
    const count = () => {
      turns += 1;
      timer = setImmediate(count);
    };
    let timer = setImmediate(count);
    await parse(`A=${'x'.repeat(65_536)}\n`.repeat(50));
    clearImmediate(timer);
    expect(turns).toBeGreaterThan(25);
  });
});

function manyLines(lineOf: (index: number) => string, count: number): string {
  return Array.from({ length: count }, (_, index) => lineOf(index)).join('\n');
}
