/** From a host name to a connection: which addresses, in which order, and for how long each. */
import type { LookupAddress } from 'node:dns';
import { createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { addressesOf } from '../../src/rpc/addresses.js';
import { Deadline } from '../../src/rpc/deadline.js';
import { type DialOptions, dial } from '../../src/rpc/dial.js';
import { tcpTransport } from '../../src/rpc/index.js';

const V4 = { address: '192.0.2.1', family: 4 };
const V4_B = { address: '192.0.2.2', family: 4 };
const V6 = { address: '2001:db8::1', family: 6 };
const { signal } = new AbortController();

/** A resolver that knows these addresses of every name, in this order. */
const knowing =
  (...known: readonly LookupAddress[]) =>
  async (host: string, { family }: { readonly family: number }) => {
    const found = known.filter((entry) => family === 0 || entry.family === family);
    if (found.length > 0) return found;
    throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' });
  };

describe('addresses', () => {
  it.each([
    ['ipv4', [V6, V4, V4_B], [V4, V4_B]],
    ['ipv6', [V4, V6], [V6]],
    ['any', [V6, V4], [V6, V4]],
    ['any', [V4, V6], [V4, V6]],
    ['ipv4-first', [V6, V4, V4_B], [V4, V4_B, V6]],
    ['ipv4-first', [V6], [V6]],
    ['any', [V4, V4], [V4]],
  ] as const)('%s', async (families, known, expected) => {
    const found = await addressesOf('ctl', families, signal, knowing(...known));
    expect(found).toEqual(expected.map(({ address }) => address));
  });

  it.each(['127.0.0.1', '::1', 'fe80::1%lo'])(
    '%s is used as it is, whatever the families',
    async (address) => {
      for (const families of ['ipv4', 'ipv6', 'any'] as const) {
        expect(await addressesOf(address, families, signal, knowing())).toEqual([address]);
      }
    },
  );

  it.each([
    ['ipv4', V6, 'EnableIPv6'],
    ['ipv6', V4, 'DisableIPv4'],
  ] as const)('a name that has only the other kind is told so: %s', async (families, known, word) => {
    const error = await addressesOf('ctl', families, signal, knowing(known)).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'ENOTFOUND', cause: { code: 'ENOTFOUND' } });
    expect(error.message).toContain(word);
  });
});

describe('dial', () => {
  /** What was tried; addresses listed as open take the connection, the others fail with the code given. */
  async function attempt(options: DialOptions & { readonly fails?: Readonly<Record<string, string>> }) {
    const { fails = {}, ...dialled } = options;
    const tried: string[] = [];
    const open = async ({ host }: { readonly host: string }) => {
      tried.push(host);
      const code = fails[host];
      if (code === undefined) return 'a connection';
      throw Object.assign(new Error(`connect ${code}`), { code });
    };
    const deadline = new Deadline(5_000);
    const result = await dial({ host: 'ctl', port: 1 }, deadline, dialled, open).then(
      () => 'connected',
      (error: unknown) => error,
    );
    deadline.dispose();
    return { tried, result };
  }

  it('goes on to the next address, and stops at the first that answers', async () => {
    const lookup = knowing(V4, V4_B, V6);
    const fails = { [V4.address]: 'ECONNREFUSED' };
    expect(await attempt({ families: 'any', lookup, fails })).toEqual({
      tried: [V4.address, V4_B.address],
      result: 'connected',
    });
  });

  it('tells of all of them where none answers', async () => {
    const fails = { [V4.address]: 'ECONNREFUSED', [V6.address]: 'ENETUNREACH' };
    const { result } = await attempt({ families: 'any', lookup: knowing(V4, V6), fails });
    expect(result).toBeInstanceOf(AggregateError);
    expect(result).toMatchObject({ errors: [{ code: 'ECONNREFUSED' }, { code: 'ENETUNREACH' }] });
  });

  it('tells of the one where there is one', async () => {
    const { result } = await attempt({ lookup: knowing(V4), fails: { [V4.address]: 'ECONNREFUSED' } });
    expect(result).toMatchObject({ code: 'ECONNREFUSED' });
    expect(result).not.toBeInstanceOf(AggregateError);
  });

  it.each([
    ['EHOSTUNREACH', 1, 2],
    ['EHOSTUNREACH', 0, 1],
    ['ECONNREFUSED', 3, 1],
  ])('%s with host_unreach_retry_count=%d: %d attempts', async (code, hostUnreachRetries, attempts) => {
    const { tried } = await attempt({
      lookup: knowing(V4),
      fails: { [V4.address]: code },
      hostUnreachRetries,
    });
    expect(tried).toHaveLength(attempts);
  });

  it('waits for no silent name service longer than for a connection', async () => {
    const { result } = await attempt({ lookup: () => new Promise(() => {}), connectTimeoutMs: 20 });
    expect(result).toMatchObject({ code: 'ETIMEDOUT' });
  });

  it('ends with the deadline, whatever is still to be tried', async () => {
    const control = new AbortController();
    const deadline = new Deadline(5_000, control.signal);
    const open = async () => {
      control.abort();
      throw Object.assign(new Error('x'), { code: 'EHOSTUNREACH' });
    };
    const options = { lookup: knowing(V4, V6), hostUnreachRetries: 1_000 };
    await expect(dial({ host: 'ctl', port: 1 }, deadline, options, open)).rejects.toMatchObject({
      code: 'SLURMWIRE_ABORTED',
    });
    deadline.dispose();
  });
});

const hasIpv6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === '::1'),
);

describe.skipIf(!hasIpv6)('a server on ::1 alone', () => {
  let server: Server | undefined;
  afterEach(() => new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve())));

  it.each(['::1', 'ctl'])('is reached as %s', async (host) => {
    server = createServer((socket) => socket.end('hello'));
    await new Promise<void>((resolve) => server?.listen(0, '::1', resolve));
    const { port } = server.address() as { port: number };
    const deadline = new Deadline(5_000);
    const lookup = knowing({ address: '127.0.0.1', family: 4 }, { address: '::1', family: 6 });
    const connection = await tcpTransport({ lookup }).connect({ host, port }, deadline);
    expect(Buffer.from((await connection.read()) ?? []).toString()).toBe('hello');
    connection.close();
    await expect(
      tcpTransport({ lookup, families: 'ipv4' }).connect({ host: 'ctl', port }, deadline),
    ).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    deadline.dispose();
  });
});
