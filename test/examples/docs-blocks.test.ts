/**
 * Every block of JavaScript or TypeScript on a page for readers has been run: it stands in a file of examples/ that a test runs, or another test
 * runs all blocks of its page, or it is run here. (docs/api is made from the declarations.)
 */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it, test } from 'vitest';
import { type EmbeddedCluster, startCluster } from '../../src/testing/index.js';
import { outsideOfTests } from './support/outside-of-tests.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** Pages whose blocks are all run by a test of their own, which counts them. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'docs/observability.md': 'test/examples/observability.test.ts',
};

interface Block {
  readonly page: string;
  readonly line: number;
  readonly code: string;
}

interface Run {
  readonly page: string;
  /** Text that this block has, and no other of its page. */
  readonly has: string;
  /** Runs it. @returns what it wrote. */
  readonly run: (code: string, cluster: EmbeddedCluster) => Promise<string>;
  /** All that it wrote. */
  readonly says: string;
}

const CONNECTED = "const slurm = await (await import('slurmwire')).connect();\n";
const CLOSED = '\nawait slurm.close();';

/** The blocks that are run here. Job 1234, the first of the cluster, runs, an array of eleven tasks whose first has a step. */
const RUNS: readonly Run[] = [
  {
    page: 'README.md',
    has: 'killJobStep',
    // What the second call names is gone by then: the controller is made to say yes.
    run: async (code, cluster) => {
      cluster.fault({ request: 'REQUEST_KILL_JOB' }, { rc: 0 });
      cluster.fault({ request: 'REQUEST_CANCEL_JOB_STEP' }, { rc: 0 });
      await asProgram(code, cluster);
      const names = cluster.requests.map(({ name }) => name).filter((name) => /KILL|CANCEL/.test(name ?? ''));
      return names.join(' ');
    },
    says: 'REQUEST_KILL_JOB REQUEST_KILL_JOB REQUEST_CANCEL_JOB_STEP',
  },
  { page: 'README.md', has: 'slurmwire/testing', run: asProgram, says: 'unknown\nCANCELLED\n' },
  ...['mungeSocket(', 'jwt(', 'slurmAuth('].map((has) => ({
    page: 'docs/auth.md',
    has,
    run: (code: string, cluster: EmbeddedCluster) => asProgram(`${code}${CLOSED}`, cluster),
    says: '',
  })),
  {
    page: 'docs/calls.md',
    has: 'isSlurmError',
    run: async (code, cluster) => {
      cluster.fault({ request: 'REQUEST_KILL_JOB' }, { rc: 2002 });
      const written = await asProgram(`${CONNECTED}${code}${CLOSED}`, cluster);
      return written.split(' ').slice(0, 2).join(' ');
    },
    says: 'ESLURM_ACCESS_DENIED refused',
  },
  {
    page: 'docs/terminate.md',
    has: 'termination',
    run: async (code, cluster) => {
      const before = `${CONNECTED}const save = async () => {};\n`;
      const written = await asProgram(
        `${before}${code}\nconsole.log(sent[0].signal, dead);${CLOSED}`,
        cluster,
      );
      return written.trim().split('\n').at(-1) ?? '';
    },
    says: 'SIGINT true',
  },
  {
    page: 'docs/replay.md',
    has: 'new Recorder',
    run: async (code) => {
      // An excerpt: these lines, in this order.
      const lines = read('examples/replay/record.mjs').split('\n');
      return code.split('\n').every((line) => {
        const at = lines.findIndex((one) => one.trim() === line.trim());
        lines.splice(0, at + 1);
        return at >= 0;
      })
        ? 'stands in record.mjs'
        : 'is another';
    },
    says: 'stands in record.mjs',
  },
  {
    page: 'docs/replay.md',
    has: "from 'vitest'",
    run: async (code) => {
      // Inside of the package, so that it finds itself by its name.
      const directory = await mkdtemp(join(root, 'test/examples/.block-'));
      try {
        await writeFile(join(directory, 'block.test.mjs'), code);
        await copyFile(join(root, 'examples/replay/cancel.mjs'), join(directory, 'cancel.mjs'));
        const fixture = 'kill-job-unknown.msgpack';
        await copyFile(join(root, 'fixtures/24.11', fixture), join(directory, fixture));
        const args = ['run', '--root', '.', '--reporter=json'];
        const config = "export default { test: { include: ['*.test.mjs'] } };";
        await writeFile(join(directory, 'vitest.config.mjs'), config);
        const vitest = join(root, 'node_modules/.bin/vitest');
        const { stdout } = await run(vitest, args, { cwd: directory, env: outsideOfTests() });
        return `${JSON.parse(stdout.slice(stdout.indexOf('{'))).numPassedTests} passed`;
      } finally {
        await rm(directory, { recursive: true });
      }
    },
    says: '1 passed',
  },
];

async function asProgram(code: string, cluster: EmbeddedCluster): Promise<string> {
  const env = { PATH: process.env.PATH, SLURM_CONF: cluster.slurmConf };
  const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', code], {
    cwd: root,
    env,
  });
  return stdout + stderr;
}

const pages = ['README.md', 'CONTRIBUTING.md', 'DESIGN.md', ...names('docs').map((name) => `docs/${name}`)];
const blocks = pages.filter((page) => page.endsWith('.md') && !(page in ELSEWHERE)).flatMap(blocksOf);
const examples = names('examples', true)
  .filter((name) => name.endsWith('.mjs'))
  .map((name) => ({ name, text: read(`examples/${name}`) }));
const tests = names('test/examples')
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => read(`test/examples/${name}`));

test('blocks are found, in all their spellings', () => {
  expect(blocksOf('docs/replay.md').length).toBeGreaterThan(1);
  expect(found('a\n```ts\nx\n```\n```mjs\ny\nz\n```\n```sh\nno\n```\n')).toEqual([
    { line: 2, code: 'x\n' },
    { line: 5, code: 'y\nz\n' },
  ]);
});

test('every block has been run', () => {
  const unknown = blocks.filter((block) => exampleOf(block) === null && runsOf(block).length !== 1);
  expect(unknown.map(({ page, line }) => `${page}:${line}`)).toEqual([]);
});

test('every example is named in a test of test/examples, which runs it', () => {
  const idle = examples.filter(({ name }) => {
    const file = name.split('/').at(-1) ?? '';
    return (
      file !== 'vitest.config.mjs' &&
      !tests.some((text) => text.includes(file.replace(/\.vitest\.test\.mjs$/, '.')))
    );
  });
  expect(idle.map(({ name }) => name)).toEqual([]);
});

test.each(Object.entries(ELSEWHERE))('%s is run by %s', (page, file) => {
  expect(read(file)).toContain(page.replace('docs/', ''));
});

describe.each(RUNS)('$page, the block with $has', (entry) => {
  it('runs', async () => {
    const block = blocks.find((one) => runsOf(one).includes(entry));
    if (block === undefined) throw new Error('there is no such block any more');
    const cluster = await startCluster({ parameters: { FirstJobId: '1234' } });
    try {
      const { jobId } = cluster.submit({ user: 'alice', array: '0-10', steps: [{}] });
      await cluster.waitForJob(jobId, 'RUNNING');
      expect(await entry.run(block.code, cluster)).toBe(entry.says);
    } finally {
      await cluster.down();
    }
  });
});

function blocksOf(page: string): Block[] {
  return found(read(page)).map((block) => ({ page, ...block }));
}

function found(text: string): Omit<Block, 'page'>[] {
  const matches = [...text.matchAll(/^```(?:js|ts|mjs|mts|javascript|typescript)\b[^\n]*\n(.*?)^```$/gms)];
  return matches.map(({ index, 1: code = '' }) => ({ line: text.slice(0, index).split('\n').length, code }));
}

/** The example that has it word for word; how far it is indented there does not matter. */
function exampleOf({ code }: Block): string | null {
  const has = (text: string) =>
    [0, 2, 4, 6].some((by) => text.includes(code.replace(/^(?=.)/gm, ' '.repeat(by))));
  return examples.find(({ text }) => has(text))?.name ?? null;
}

function runsOf({ page, code }: Block): Run[] {
  return RUNS.filter((entry) => entry.page === page && code.includes(entry.has));
}

function names(directory: string, recursive = false): string[] {
  return readdirSync(join(root, directory), { recursive, encoding: 'utf8' });
}
