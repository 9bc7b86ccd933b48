/** Answers of real slurmctld and slurmd of five releases, in every version they speak, and the requests that drew them. */
import { describe, expect, test } from 'vitest';
import { header } from '../../src/protocol/header.js';
import {
  decodeBody,
  decodeFrame,
  encodeBody,
  encodeFrame,
  HEADER_FLAGS,
  isMessageName,
  type MessageInput,
  type MessageName,
  type MessageRecord,
  messageTypeName,
} from '../../src/protocol/index.js';
import { decodeWith, encodeWith } from '../support/codec.js';
import { fromHex, type GoldenReply, goldenReplies, releaseOfProtocol, toHex } from '../support/golden.js';

const replies = goldenReplies();
const title = (reply: GoldenReply, i: number) =>
  `${reply.release} ${reply.source} ${reply.case} v${reply.v} #${i}`;

describe('headers of replies', () => {
  test('every daemon and version was recorded', () => {
    const seen = new Set(replies.map((reply) => `${reply.release}/${reply.v}/${reply.source}`));
    const spoken = { '20.11.4': [36], '22.05.8': [36, 37, 38], '24.11.5': [39, 40, 41, 42] };
    const newer = { '26.05.5': [42, 43, 44, 45], '26.11.0-0rc1': [43, 44, 45, 46] };
    const wanted = Object.entries({ ...spoken, ...newer }).flatMap(([release, versions]) =>
      versions.flatMap((v) => [`${release}/${v}/slurmctld`, `${release}/${v}/slurmd`]),
    );
    expect([...seen].sort()).toEqual(wanted.sort());
  });

  test.each(replies.map((reply, i) => [title(reply, i), reply] as const))('%s', (_, reply) => {
    const release = releaseOfProtocol(reply.v);
    const head = decodeWith(header, release, fromHex(reply.header));
    expect(head.version).toBe(reply.v * 256);
    expect(head.msgType).toBe(reply.type);
    expect(head.bodyLength).toBe(reply.hex.length / 2);
    expect(messageTypeName(reply.type, release)).toBe(reply.name);
    expect(toHex(encodeWith(header, release, head))).toBe(reply.header);
  });

  test('a forwarded ping comes back with the pings of the other nodes', () => {
    const forwarded = replies.filter((reply) => reply.case === 'ping-slurmd-forwarded');
    expect(forwarded).toHaveLength(16);
    for (const reply of forwarded) {
      const { returnList } = decodeWith(header, releaseOfProtocol(reply.v), fromHex(reply.header));
      expect(returnList.length).toBeGreaterThan(0);
      for (const { err, type, nodeName, body } of returnList) {
        expect([err, type]).toEqual([0, 1016]);
        const ping = body as MessageRecord<'RESPONSE_PING_SLURMD'>;
        // MiB of a machine that runs a lab; nodes say their own name since 26.05.
        expect(ping.freeMem > 100n && ping.freeMem < 10_000_000n).toBe(true);
        expect(ping.nodeName).toBe(reply.v >= 45 ? nodeName : null);
      }
    }
  });

  test('the answers of other nodes are read: two nodes below the one asked do not know the step', () => {
    const forwarded = replies.filter((reply) => reply.case === 'signal-tasks-unknown-forwarded');
    expect(forwarded.length).toBeGreaterThanOrEqual(16);
    for (const reply of forwarded) {
      const { returnList } = decodeWith(header, releaseOfProtocol(reply.v), fromHex(reply.header));
      const byNode = [...returnList].sort((a, b) => String(a.nodeName).localeCompare(String(b.nodeName)));
      expect(byNode).toEqual([
        { err: 0, type: 8001, nodeName: 'node2', body: { returnCode: 2017 } },
        { err: 0, type: 8001, nodeName: 'node3', body: { returnCode: 2017 } },
      ]);
    }
  });
});

describe('whole frames', () => {
  test.each(replies.map((reply, i) => [title(reply, i), reply] as const))('%s', (_, reply) => {
    const bare = (Number.parseInt(reply.header.slice(4, 8), 16) & HEADER_FLAGS.SLURM_NO_AUTH_CRED) !== 0;
    // The recordings leave the authentication section out; any will do in its place.
    const auth = bare ? '' : '00000064000003e8000003e800000000';
    const rest = reply.header + auth + reply.hex;
    const bytes = fromHex((rest.length / 2).toString(16).padStart(8, '0') + rest);

    const frame = decodeFrame(bytes);
    expect(frame.messageName).toBe(reply.name);
    expect(toHex(frame.body)).toBe(reply.hex);
    expect(frame.auth).toEqual(bare ? null : { plugin: 'auth/none', uid: 1000, gid: 1000, hostname: null });
    const { flags, forward, returnList, origAddr } = frame.header;
    const { release, body } = frame;
    const again = {
      release,
      messageName: reply.name,
      auth: frame.auth,
      body,
      flags,
      forward,
      returnList,
      origAddr,
    };
    expect(toHex(encodeFrame(again))).toBe(toHex(bytes));
  });
});

describe('bodies', () => {
  const bodies = replies.flatMap((reply) => [
    { v: reply.v, name: reply.name, hex: reply.hex, what: `reply to ${reply.case}` },
    { v: reply.v, name: reply.request.name, hex: reply.request.hex, what: `request of ${reply.case}` },
  ]);
  const described = bodies.filter((body): body is typeof body & { name: MessageName } =>
    isMessageName(body.name),
  );

  test('every message that was recorded has a description', () => {
    const names = new Set(described.map(({ name }) => name));
    expect(described).toHaveLength(bodies.length);
    for (const name of ['REQUEST_PING', 'REQUEST_KILL_JOB', 'RESPONSE_SLURM_RC'])
      expect(names).toContain(name);
  });

  const distinct = [
    ...new Map(described.map((body) => [`${body.v} ${body.name} ${body.hex}`, body])).values(),
  ];
  test.each(distinct.map((body, i) => [`${body.name} v${body.v} ${body.what} #${i}`, body] as const))(
    '%s',
    (_, { name, v, hex }) => {
      const release = releaseOfProtocol(v);
      const record = decodeBody(name, release, fromHex(hex));
      expect(toHex(encodeBody(name, release, record as MessageInput<MessageName>))).toBe(hex);
    },
  );

  test('the head of a job list is read: how many records, how old, and nothing behind where there are none', () => {
    const counts: Record<string, number> = {
      'job-info-none': 0,
      'job-single-array': 3,
      'job-single-het-detail': 2,
    };
    const lists = replies.filter((reply) => reply.case in counts);
    expect(lists).toHaveLength(16 * 3);
    for (const reply of lists) {
      const head = decodeBody('RESPONSE_JOB_INFO', releaseOfProtocol(reply.v), fromHex(reply.hex));
      expect(head.recordCount).toBe(counts[reply.case]);
      expect(head.jobs).toHaveLength(head.recordCount);
      // Recorded on one day; up to 20.11 no backfill time is told.
      const [dayBegins, dayEnds] = [1795305600n, 1795392000n];
      expect(head.lastUpdate > dayBegins && head.lastUpdate < dayEnds).toBe(true);
      const { lastBackfill } = head;
      expect(
        reply.v === 36 ? lastBackfill === 0n : lastBackfill > dayBegins && lastBackfill <= head.lastUpdate,
      ).toBe(true);
    }
  });

  test('the return code of "no such job" is read', () => {
    const unknown = replies.filter((reply) => reply.case === 'kill-unknown');
    expect(unknown.length).toBeGreaterThanOrEqual(16);
    for (const reply of unknown) {
      const release = releaseOfProtocol(reply.v);
      expect(decodeBody('RESPONSE_SLURM_RC', release, fromHex(reply.hex))).toEqual({ returnCode: 2017 });
      const asked = decodeBody('REQUEST_KILL_JOB', release, fromHex(reply.request.hex));
      expect(asked.sjobId).toMatch(/^\d+$/);
    }
  });
});
