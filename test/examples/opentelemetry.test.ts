/** The example that feeds OpenTelemetry: its spans in memory, and the program itself against a controller that is played. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  type Context,
  type ContextManager,
  context,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { traceSlurmwire } from '../../examples/opentelemetry.mjs';
import { type Answer, answering, buildInfoReply, rc, silence } from '../rpc/support/replies.js';
import { deadEndpoint, ScriptedPeer } from '../rpc/support/scripted-peer.js';
import { clientOf, failureOf } from '../rpc/support/setup.js';

/** What programs have from @opentelemetry/context-async-hooks. */
class Contexts implements ContextManager {
  readonly #store = new AsyncLocalStorage<Context>();
  active = () => this.#store.getStore() ?? ROOT_CONTEXT;
  with: ContextManager['with'] = (active, work, self, ...args) =>
    this.#store.run(active, () => work.call(self as ThisParameterType<typeof work>, ...args));
  bind: ContextManager['bind'] = (_, target) => target;
  enable = () => this;
  disable = () => this;
}

const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const tracer = provider.getTracer('test');
let stop = () => {};

beforeEach(() => {
  context.setGlobalContextManager(new Contexts());
  stop = traceSlurmwire(tracer);
});
afterEach(() => {
  stop();
  context.disable();
  exporter.reset();
});

const parentOf = (span: ReadableSpan | undefined) => span?.parentSpanContext?.spanId;
const idOf = (span: ReadableSpan | undefined) => span?.spanContext().spanId;
const millis = ([seconds, nanos]: [number, number]) => seconds * 1e3 + nanos / 1e6;

/** Spans by their names; each name once. */
function spansByName(): Record<string, ReadableSpan> {
  const spans = exporter.getFinishedSpans();
  const byName = Object.fromEntries(spans.map((span) => [span.name, span]));
  expect(Object.keys(byName)).toHaveLength(spans.length);
  return byName;
}

describe('spans', () => {
  it('of a call below the active one, and of its requests below that', async () => {
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(0) }));
    const client = clientOf([peer.endpoint]);
    const outer = tracer.startSpan('cancel button');
    await context.with(trace.setSpan(context.active(), outer), () => client.killJob('7', 'SIGTERM'));
    outer.end();
    const spans = spansByName();
    const call = spans['slurm killJob'];
    expect(Object.keys(spans).sort()).toEqual([
      'REQUEST_KILL_JOB',
      'REQUEST_PING',
      'cancel button',
      'slurm killJob',
    ]);
    expect(parentOf(call)).toBe(outer.spanContext().spanId);
    expect(call?.attributes).toEqual({
      'slurm.verb': 'killJob',
      'slurm.target': '7',
      'slurm.signal': 'SIGTERM',
      'slurm.outcome': 'accepted',
      'slurm.protocol': '22.05',
      'slurm.exchanges': 2,
    });
    expect(call?.status).toEqual({ code: SpanStatusCode.UNSET });
    for (const name of ['REQUEST_PING', 'REQUEST_KILL_JOB']) {
      const span = spans[name];
      expect([span?.kind, span?.status.code]).toEqual([SpanKind.CLIENT, SpanStatusCode.UNSET]);
      expect(parentOf(span)).toBe(idOf(call));
      expect(span?.spanContext().traceId).toBe(outer.spanContext().traceId);
      expect(span?.attributes).toMatchObject({
        'rpc.system.name': 'slurm',
        'rpc.method': name,
        'server.address': '127.0.0.1',
        'server.port': peer.endpoint.port,
        'slurm.outcome': 'answered',
        'rpc.response.status_code': '0',
        'slurm.phase.wait_ms': expect.any(Number),
      });
      if (span === undefined || call === undefined) throw new Error('no span');
      expect(millis(span.startTime)).toBeGreaterThanOrEqual(millis(call.startTime) - 0.01);
      expect(millis(span.endTime)).toBeLessThanOrEqual(millis(call.endTime) + 0.01);
    }
  });

  it('of calls side by side: each request below its own', async () => {
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(0) }));
    const client = clientOf([peer.endpoint]);
    await client.ping();
    await Promise.all([1, 2, 3].map((job) => client.killJob(job, 'SIGTERM')));
    const spans = exporter.getFinishedSpans();
    const calls = spans.filter(({ name }) => name === 'slurm killJob');
    const kills = spans.filter(({ name }) => name === 'REQUEST_KILL_JOB');
    expect(new Set(kills.map(parentOf))).toEqual(new Set(calls.map(idOf)));
    expect(kills).toHaveLength(3);
    expect(calls.every(({ parentSpanContext }) => parentSpanContext === undefined)).toBe(true);
  });

  it('of a refusal: an error with its code, in both', async () => {
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(2010) }));
    const error = await failureOf(clientOf([peer.endpoint]).killJob(7, 'SIGTERM'));
    const spans = spansByName();
    const status = { code: SpanStatusCode.ERROR, message: error.code };
    expect(spans['slurm killJob']).toMatchObject({
      status,
      attributes: { 'slurm.outcome': 'refused', 'error.type': error.code },
    });
    expect(spans['slurm killJob']?.events).toMatchObject([{ name: 'exception' }]);
    expect(spans.REQUEST_KILL_JOB).toMatchObject({
      status,
      attributes: { 'rpc.response.status_code': '2010' },
    });
  });

  it.each([
    ['nobody there', undefined, 'SLURM_COMMUNICATIONS_CONNECTION_ERROR', 'not-sent', 'REQUEST_PING'],
    ['silence', silence as Answer, 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT', 'unknown', 'REQUEST_KILL_JOB'],
  ])('of %s: errors with their outcome', async (_, answer, code, outcome, rpc) => {
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: answer ?? rc(0) }));
    const client = clientOf([answer === undefined ? await deadEndpoint() : peer.endpoint]);
    await failureOf(client.killJob(7, 'SIGTERM', { timeoutMs: 400 }));
    const spans = spansByName();
    for (const name of ['slurm killJob', rpc])
      expect(spans[name]).toMatchObject({
        status: { code: SpanStatusCode.ERROR, message: code },
        attributes: { 'slurm.outcome': outcome, 'error.type': code },
      });
  });

  it('none any more once it was stopped', async () => {
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(0) }));
    stop();
    await clientOf([peer.endpoint]).killJob(7, 'SIGTERM');
    expect(exporter.getFinishedSpans()).toEqual([]);
  });
});

describe('the program', () => {
  const program = fileURLToPath(new URL('../../examples/opentelemetry.mjs', import.meta.url));
  const token = `${['{"alg":"HS256"}', '{"exp":9999999999,"sun":"ann"}'].map((part) => Buffer.from(part).toString('base64url')).join('.')}.c2ln`;
  const release = '24.11';

  it('prints the spans of a kill', async () => {
    const script = answering({
      REQUEST_BUILD_INFO: async (connection, { frame }) => {
        if (frame.release > release) return connection.drop();
        await connection.send(buildInfoReply({ release }, frame.release));
        connection.finish();
      },
      REQUEST_KILL_JOB: rc(0, { release }),
    });
    await using peer = await ScriptedPeer.listen(script);
    const directory = await mkdtemp(join(tmpdir(), 'slurmwire-example-'));
    try {
      const conf = join(directory, 'slurm.conf');
      await writeFile(
        conf,
        `ClusterName=c\nSlurmctldHost=localhost(127.0.0.1)\nSlurmctldPort=${peer.endpoint.port}\n`,
      );
      const env = { PATH: process.env.PATH, SLURM_CONF: conf, SLURM_JWT: token };
      const { stdout } = await promisify(execFile)(process.execPath, [program, '7', 'SIGTERM'], { env });
      expect(stdout).toContain("name: 'slurm killJob'");
      expect(stdout).toContain("name: 'REQUEST_KILL_JOB'");
      expect(stdout).toContain("'slurm.outcome': 'accepted'");
      expect(stdout).not.toContain(token);
      expect(peer.requests.at(-1)).toBe('REQUEST_KILL_JOB');
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
