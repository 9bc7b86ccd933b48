/** `slurmwire decode`, from arguments to lines. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { bytesOfHex } from '../../src/cli/decode/hex-text.js';
import { readInput } from '../../src/cli/decode/input.js';
import { Stopped } from '../../src/cli/io.js';
import { encodeBody, RELEASE_NAMES } from '../../src/protocol/index.js';
import { dissect, encodeFixture } from '../../src/replay/index.js';
import { RECORDED_RELEASES, recordedNames } from '../recorded/support.js';
import {
  fakeJwt,
  fakeMunge,
  forwardFrame,
  killBody,
  killFixture,
  killFrame,
  latin1,
  munge,
  okFrame,
} from '../replay/support.js';
import { runCli } from './support/cli-run.js';
import { captureOf, conversation } from './support/pcap-writer.js';

const directory = mkdtempSync(join(tmpdir(), 'slurmwire-decode-'));
afterAll(() => rmSync(directory, { recursive: true }));
const file = (name: string, bytes: Uint8Array | string): string => {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
};
const fixtures = fileURLToPath(new URL('../../fixtures/', import.meta.url));

const frame = killFrame('22.05', munge(fakeMunge(1)));
const decode = (bytes: Uint8Array | string, ...argv: string[]) =>
  runCli(['decode', ...argv], { input: bytes });

describe('a frame', () => {
  it('binary: field paths, values, message, release; of the credential only its length', async () => {
    const { code, stdout, stderr } = await decode(frame);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^REQUEST_KILL_JOB, 22\.05, \d+ bytes$/m);
    expect(stdout).toMatch(/^ {2}0008 {2}13 a8 +header\/msgType +5032 0x13a8 REQUEST_KILL_JOB$/m);
    expect(stdout).toMatch(/ +auth\/pluginId +101 0x65 auth\/munge$/m);
    expect(stdout).toMatch(
      /^ {2}0018 {2}not shown +auth\/credential +212 characters, a credential or token$/m,
    );
    expect(stdout).toMatch(/00 0f +body\/signal +15 0xf$/m);
    expect(stdout).not.toContain('AwQDAA');
    expect(stdout).not.toContain(Buffer.from('AwQDAA').toString('hex').replace(/../g, '$& ').trim());
  });

  const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
  const rows = (bytes: Uint8Array) =>
    Array.from({ length: Math.ceil(bytes.length / 16) }, (_, i) =>
      Buffer.from(bytes.subarray(16 * i, 16 * i + 16)),
    );
  const printable = (row: Buffer) => row.toString('latin1').replace(/[^ -~]/g, '.');
  const address = (i: number, width = 8) => (16 * i).toString(16).padStart(width, '0');
  const dumps: Record<string, (bytes: Uint8Array) => string> = {
    digits: hexOf,
    'digits in lines, upper case': (bytes) => hexOf(bytes).toUpperCase().replace(/.{60}/g, '$&\n'),
    'C style': (bytes) => [...bytes].map((byte) => `0x${byte.toString(16).padStart(2, '0')}`).join(', '),
    xxd: (bytes) =>
      rows(bytes)
        .map(
          (row, i) =>
            `${address(i)}: ${row.toString('hex').replace(/.{4}/g, '$& ').trim().padEnd(39)}  ${printable(row)}\n`,
        )
        .join(''),
    'hexdump -C': (bytes) => {
      const pairs = (row: Buffer) => row.toString('hex').replace(/../g, '$& ');
      const columns = (row: Buffer) => `${pairs(row.subarray(0, 8))} ${pairs(row.subarray(8))}`.padEnd(50);
      const lines = rows(bytes).map((row, i) => `${address(i)}  ${columns(row)}|${printable(row)}|`);
      return [...lines, bytes.length.toString(16).padStart(8, '0'), ''].join('\n');
    },
    'od -A x -t x1': (bytes) =>
      `${rows(bytes)
        .map((row, i) => `${address(i, 6)} ${row.toString('hex').replace(/../g, ' $&').trim()}\n`)
        .join('')}${bytes.length.toString(16).padStart(6, '0')}\n`,
  };

  it.each(Object.keys(dumps))('hex: %s', (name) => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 100 }), (bytes) => {
        expect(bytesOfHex(dumps[name]?.(bytes) ?? '')).toEqual(Buffer.from(bytes));
      }),
    );
    expect(bytesOfHex(dumps[name]?.(frame) ?? '')).toEqual(Buffer.from(frame));
  });

  it.each([
    ['a text', 'hello world'],
    ['half a byte', '0000008c2'],
    ['squeezed rows', '00000000: 0000 0000\n*\n00000020: 0000'],
    ['octal offsets', '0000000: 0000 0000 0000 0000 0000 0000 0000 0000\n0000020: 00'],
  ])('no hex: %s', async (_, text) => {
    const { code, stderr } = await decode(text);
    expect(code).toBe(2);
    expect(stderr).toContain('SLURMWIRE_BAD_HEX');
    expect(stderr).not.toContain('hello');
  });

  it('several in a row, the last cut off: says where and why, and shows the rest', async () => {
    const { code, stdout } = await decode(
      Buffer.concat([frame, okFrame('22.05', fakeMunge(2)), frame.subarray(0, frame.length - 3)]),
    );
    expect(code).toBe(1);
    expect(stdout.match(/^[A-Z_]+, 22\.05/gm)).toHaveLength(3);
    expect(stdout).toMatch(/stopped: body\/signal: .*left.*; the length word says/);
    expect(stdout).toMatch(/\(not decoded\)/);
  });

  it('--release forces a version that the header does not have, and says what stands there', async () => {
    const future = Buffer.from(killFrame('26.11', munge(fakeMunge(1))));
    future.writeUInt16BE(0x3000, 4);
    const unknown = await decode(future);
    expect(unknown.code).toBe(1);
    expect(unknown.stdout).toMatch(/stopped: header\/version: header version 0x3000 is none/);
    expect(unknown.stdout).not.toContain('AwQDAA');
    const forced = await decode(future, '--release', '26.11');
    expect(forced.code).toBe(0);
    expect(forced.stdout).toMatch(/30 00 +header\/version +12288 0x3000/);
    expect(forced.stdout).toMatch(/body\/signal +15 0xf/);
    expect(forced.stdout).not.toContain('AwQDAA');
  });

  it('--message: a bare body', async () => {
    const body = killBody('24.11');
    const { code, stdout } = await decode(
      body,
      '--message',
      'REQUEST_KILL_JOB',
      '--release',
      '24.11',
      '--no-hex',
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {2}0000 {2}body\/stepId\/sluid /m);
    expect(stdout).toMatch(/body\/signal +15 0xf$/m);
    expect(
      (await decode(body.subarray(0, 10), '--message', 'REQUEST_KILL_JOB', '--release', '24.11')).code,
    ).toBe(1);
    expect(await decode(body, '--message', 'REQUEST_KILL_JOB')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--release'),
    });
    expect(await decode(body, '--message', 'REQUEST_NOTHING', '--release', '24.11')).toMatchObject({
      code: 2,
    });
  });

  it('--max-bytes, --no-hex', async () => {
    const short = await decode(frame, '--max-bytes', '20');
    expect(short.stdout).toMatch(/… \d+ bytes more in \d+ fields/);
    expect(short.stdout).not.toContain('body/');
    const noHex = await decode(frame, '--no-hex');
    expect(noHex.stdout).toMatch(/^ {2}0008 {2}header\/msgType/m);
    expect(await decode(frame, '--max-bytes', 'x')).toMatchObject({ code: 2 });
  });

  it('what is no frame at all is shown as it is, with its characters', async () => {
    const { code, stdout } = await decode(Buffer.from('HTTP/1.1 405 Method Not Allowed\r\n\r\n\0'));
    expect(code).toBe(1);
    expect(stdout).toContain('no frame begins here');
    expect(stdout).toContain('|/1.1 405 Method |');
  });

  it('nothing, no such file, a directory, a FIFO', async () => {
    expect(await decode('')).toMatchObject({ code: 1 });
    const missing = await runCli(['decode', join(directory, 'missing')]);
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('ENOENT') });
    expect(await runCli(['decode', directory])).toMatchObject({ code: 2 });
  });
});

describe('large inputs and impatient users', () => {
  const many = Buffer.concat(Array.from({ length: 3000 }, () => frame));

  it('stops when it is told to: before, and in the middle', async () => {
    for (const after of [0, 1]) {
      const stop = new AbortController();
      if (after === 0) stop.abort(new Stopped('SIGTERM'));
      const running = runCli(['decode', file('many', many)], { signal: stop.signal });
      setImmediate(() => stop.abort(new Stopped('SIGTERM')));
      const { code, stdout } = await running;
      expect(code).toBe(143);
      expect(stdout.match(/REQUEST_KILL_JOB,/g)?.length ?? 0).toBeLessThan(3000);
    }
  });

  it('does not block the event loop for long', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await runCli(['decode', '--no-hex', file('many', many)]);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(10);
  });

  it('--json: no more fields than one document can hold', async () => {
    const reply = readFileSync(join(fixtures, '22.05/kill-job.msgpack'));
    const [config] = [...readInput(reply).frames].filter(({ bytes }) => bytes.length > 1000);
    const copies = Buffer.concat(Array.from({ length: 1500 }, () => config?.bytes ?? frame));
    const { code, stderr } = await runCli(['decode', '--json', '--no-hex', file('copies', copies)]);
    expect(code).toBe(2);
    expect(stderr).toContain('--filter');
  });
});

describe('secrets', () => {
  it('tokens and net credentials are not shown, nor the rest of one without its beginning', async () => {
    const token = fakeJwt(4);
    const jwt = killFrame('24.11', { plugin: 'auth/jwt', token, username: 'alice' });
    const slurm = killFrame('24.11', { plugin: 'auth/slurm', token });
    const forward = forwardFrame(munge(fakeMunge(5)), fakeMunge(6));
    const tail = frame.subarray(60);
    for (const bytes of [jwt, slurm, forward, tail, Buffer.from(tail).fill(0, 0, 1)]) {
      for (const argv of [[], ['--json'], ['--release', '20.11'], ['--no-hex']]) {
        const { stdout, stderr } = await decode(bytes, ...argv);
        const shown = stdout + stderr + latin1(Buffer.from(stdout.replaceAll(/[^0-9a-f]/g, ''), 'hex'));
        for (const secret of [token, fakeMunge(5), fakeMunge(6), fakeMunge(1)]) {
          for (let i = 8; i + 24 < secret.length; i += 8)
            expect(shown).not.toContain(secret.slice(i, i + 24));
        }
      }
    }
    expect((await decode(jwt)).stdout).toContain('auth/username');
  });

  it('random and mutated bytes: every kind of input, never more than typed errors', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 300 }),
          fc
            .tuple(
              fc.constantFrom(frame, encodeFixture(killFixture('24.11'))),
              fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { maxLength: 8 }),
            )
            .map(([bytes, changes]) => {
              const copy = Uint8Array.from(bytes);
              for (const [at, value] of changes) copy[at % copy.length] = value;
              return copy;
            }),
          fc.string({ maxLength: 200 }).map((text) => Buffer.from(text)),
        ),
        fc.constantFrom([], ['--json'], ['--release', '22.05']),
        async (bytes, argv) => {
          const { code, stderr } = await decode(bytes, ...argv);
          expect([0, 1, 2, 3]).toContain(code);
          expect(stderr).not.toContain('internal error');
        },
      ),
      { numRuns: 200 },
    );
  });

  it('what a terminal would act on is not passed on', async () => {
    const body = encodeBody('REQUEST_KILL_JOB', '24.11', {
      stepId: { jobId: 1, stepId: 1, stepHetComp: 1 },
      sjobId: '\u001b[2J\u009b31m',
      signal: 9,
    });
    const { stdout } = await decode(body, '--message', 'REQUEST_KILL_JOB', '--release', '24.11');
    for (const character of stdout)
      expect(/^[\n -~…]$/.test(character), JSON.stringify(character)).toBe(true);
  });
});

describe('a capture', () => {
  const items = [
    { direction: '>', payload: frame },
    { direction: '<', payload: okFrame('22.05', fakeMunge(2), 2017) },
  ] as const;
  const capture = captureOf(conversation(items));

  it('connections, directions, times', async () => {
    const { code, stdout } = await runCli(['decode', '--no-hex', file('kill.pcap', capture)]);
    expect(code).toBe(0);
    expect(stdout).toContain('connection 1: 10.0.0.1:40000 > 10.0.0.2:6817');
    expect(stdout).toMatch(/^> REQUEST_KILL_JOB, 22\.05, \d+ bytes, 2023-11-14T22:13:20\.125456Z$/m);
    expect(stdout).toMatch(/^< RESPONSE_SLURM_RC, 22\.05, /m);
    expect(stdout).toMatch(/body\/returnCode +2017 0x7e1/);
    expect(stdout).not.toContain('AwQDAA');
  });

  it('--filter: message names, ports; several of a kind add up', async () => {
    const path = file('filter.pcap', capture);
    const titles = async (...argv: string[]) => {
      const { stdout } = await runCli(['decode', '--no-hex', path, ...argv]);
      return stdout.match(/^[<>] [A-Z_]+/gm) ?? [];
    };
    expect(await titles('--filter', 'kill_job')).toEqual(['> REQUEST_KILL_JOB']);
    expect(await titles('--filter', 'kill_job', '--filter', 'RC')).toHaveLength(2);
    expect(await titles('--filter', '6817')).toHaveLength(2);
    expect(await titles('--filter', '6818')).toEqual([]);
    expect(await titles('--filter', '6817', '--filter', 'RC')).toEqual(['< RESPONSE_SLURM_RC']);
    expect(await runCli(['decode', path, '--filter', 'PING'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no frame left'),
    });
  });

  it('bytes that are missing are said, and decoding stops there', async () => {
    const parts = conversation([
      { direction: '>', payload: frame.subarray(0, 226) },
      { direction: '>', payload: frame.subarray(226, 260) },
      { direction: '>', payload: frame.subarray(260) },
    ]);
    const { code, stdout } = await decode(captureOf(parts.filter((_, i) => i !== 3)));
    expect(code).toBe(1);
    expect(stdout).toContain('> 34 bytes that 10.0.0.1:40000 sent are missing in the capture');
    expect(stdout).toMatch(/^> REQUEST_KILL_JOB, .* 34 of them missing/m);
    expect(stdout).toMatch(/^ {2}00e2 {2}… 34 bytes are missing in the capture$/m);
    expect(stdout).toMatch(/behind the gap/);
  });

  it('other traffic is left out and counted', async () => {
    const http = conversation([{ direction: '>', payload: Buffer.from('GET / HTTP/1.0\r\n\r\n') }], {
      '>': 1,
      '<': 1,
    });
    const tls = conversation([{ direction: '>', payload: Buffer.from('1603010200010001fc', 'hex') }], {
      '>': 77,
      '<': 77,
    });
    const { code, stdout } = await decode(captureOf([...http, ...tls, ...conversation(items)]));
    expect(code).toBe(0);
    expect(stdout).toContain('1 connection in TLS left out');
    expect(stdout).toContain("1 connection without a frame of Slurm's at the beginning left out");
  });

  it('--json: one object per frame', async () => {
    const { stdout } = await decode(capture, '--json');
    const { input, frames } = JSON.parse(stdout);
    expect(input).toMatchObject({
      kind: 'pcap',
      notes: [],
      connections: [{ index: 1, client: '10.0.0.1:40000' }],
    });
    expect(frames).toHaveLength(2);
    expect(frames[0]).toMatchObject({
      connection: 1,
      direction: '>',
      message: 'REQUEST_KILL_JOB',
      release: '22.05',
      auth: { plugin: 'auth/munge', credentialLength: 212 },
      body: { sjobId: '4242', signal: 15 },
      stopped: null,
    });
    const secret = frames[0].fields.find(({ path }: { path: string }) => path === 'auth/credential');
    expect(secret).toEqual({
      path: 'auth/credential',
      start: expect.any(Number),
      end: expect.any(Number),
      redacted: true,
    });
  });
});

describe('a recording', () => {
  it('who, when, what; refusals too', async () => {
    const { code, stdout } = await runCli([
      'decode',
      '--no-hex',
      join(fixtures, '22.05/scancel-unknown.msgpack'),
    ]);
    expect(code).toBe(0);
    expect(stdout).toContain('recording of scancel 4242 and slurmctld 22.05 (Debian');
    expect(stdout).toMatch(/connection 1: client > slurmctld/);
    expect(stdout).toMatch(/body\/returnCode +2017/);
  });

  it('--filter slurmd-1', async () => {
    const { stdout } = await runCli([
      'decode',
      '--no-hex',
      '--filter',
      'slurmd-1',
      join(fixtures, '22.05/scancel-step-signal.msgpack'),
    ]);
    expect(stdout).toContain('client > slurmd-1');
    expect(stdout).not.toContain('client > slurmctld');
  });

  it.each(RECORDED_RELEASES)('all frames of %s decode to their last byte', (release) => {
    for (const name of recordedNames(release)) {
      for (const found of readInput(readFileSync(join(fixtures, release, `${name}.msgpack`))).frames) {
        expect(dissect(found.bytes).stopped, name).toBeNull();
      }
    }
  });

  it('one that is none', async () => {
    const bytes = Buffer.from(encodeFixture(killFixture('24.11')));
    expect(await decode(bytes.subarray(0, 200))).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('SLURMWIRE_BAD_FIXTURE'),
    });
  });
});

it('all releases are taken by --release', async () => {
  for (const release of RELEASE_NAMES)
    expect((await decode(killFrame(release, munge(fakeMunge(1))), '--release', release)).code).toBe(0);
});
