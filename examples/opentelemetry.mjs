// Kills or signals a Slurm job and prints an OpenTelemetry span of the call and of each request:
//   node examples/opentelemetry.mjs JOB [SIGNAL]
// In a program of your own, call traceSlurmwire(trace.getTracer('slurmwire')) once; your tracing is set up already.
import { tracingChannel } from 'node:diagnostics_channel';
import { fileURLToPath } from 'node:url';
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { BasicTracerProvider, ConsoleSpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { connect, SLURMWIRE_CHANNELS } from 'slurmwire';

/**
 * Makes a span of each call, below the span that is active where it is made, and one of each request on the wire below that of its call.
 *
 * @param {import('@opentelemetry/api').Tracer} tracer
 * @returns {() => void} ends it.
 */
export function traceSlurmwire(tracer) {
  // An event is one object from its start to its end, so it is the key of its span.
  /** @type {WeakMap<object, import('@opentelemetry/api').Span>} */
  const spans = new WeakMap();

  /** @param {unknown} message */
  function callStarts(message) {
    const event = /** @type {import('slurmwire').SlurmwireCallEvent} */ (message);
    const attributes = present({
      'slurm.verb': event.verb,
      'slurm.target': event.target,
      'slurm.signal': event.unixSignal,
      'slurm.filter': event.filter?.join(),
    });
    const options = { startTime: event.startedAt, attributes };
    spans.set(event, tracer.startSpan(`slurm ${event.verb}`, options));
  }

  /** @param {unknown} message */
  function callEnds(message) {
    const event = /** @type {import('slurmwire').SlurmwireCallEvent} */ (message);
    const attributes = {
      'slurm.outcome': event.outcome,
      'slurm.protocol': event.protocol,
      'slurm.exchanges': event.exchanges,
      'error.type': event.error === undefined ? null : (event.code ?? 'unknown'),
    };
    // The promise resolved: what was refused to one of many jobs is in the outcome.
    end(event, attributes, event.error === undefined ? null : event.code);
  }

  /** @param {unknown} message */
  function exchangeStarts(message) {
    const event = /** @type {import('slurmwire').SlurmwireExchangeEvent} */ (message);
    const attributes = present({
      'rpc.system.name': 'slurm',
      'rpc.method': event.rpc,
      'server.address': event.endpoint.host,
      'server.port': event.endpoint.port,
      'slurm.role': event.role,
      'slurm.node': event.node,
      'slurm.protocol': event.protocol,
      'slurm.attempt': event.attempt,
      'slurm.queued_ms': event.queuedMs,
    });
    const parent = event.call === null ? undefined : spans.get(event.call);
    const active = parent === undefined ? context.active() : trace.setSpan(context.active(), parent);
    const options = { kind: SpanKind.CLIENT, startTime: event.startedAt, attributes };
    spans.set(event, tracer.startSpan(event.rpc, options, active));
  }

  /** @param {unknown} message */
  function exchangeEnds(message) {
    const event = /** @type {import('slurmwire').SlurmwireExchangeEvent} */ (message);
    const phases = Object.entries(event.phases).map(([name, ms]) => [`slurm.phase.${name}_ms`, ms]);
    const attributes = {
      ...Object.fromEntries(phases),
      'slurm.outcome': event.outcome,
      'slurm.bytes_sent': event.bytesSent,
      'slurm.bytes_received': event.bytesReceived,
      'rpc.response.status_code': event.number === null ? null : String(event.number),
      'error.type': event.code,
    };
    end(event, attributes, event.code);
  }

  /**
   * @param {import('slurmwire').SlurmwireCallEvent | import('slurmwire').SlurmwireExchangeEvent} event
   * @param {Record<string, unknown>} attributes
   * @param {string | null} trouble
   */
  function end(event, attributes, trouble) {
    const span = spans.get(event);
    if (span === undefined) return; // it began before anybody listened
    span.setAttributes(present(attributes));
    if (event.error instanceof Error) span.recordException(event.error);
    if (trouble !== null) span.setStatus({ code: SpanStatusCode.ERROR, message: trouble });
    span.end(event.startedAt + (event.durationMs ?? 0));
  }

  const calls = tracingChannel(SLURMWIRE_CHANNELS.call);
  const exchanges = tracingChannel(SLURMWIRE_CHANNELS.exchange);
  calls.start.subscribe(callStarts);
  calls.asyncEnd.subscribe(callEnds);
  exchanges.start.subscribe(exchangeStarts);
  exchanges.asyncEnd.subscribe(exchangeEnds);
  return () => {
    calls.start.unsubscribe(callStarts);
    calls.asyncEnd.unsubscribe(callEnds);
    exchanges.start.unsubscribe(exchangeStarts);
    exchanges.asyncEnd.unsubscribe(exchangeEnds);
  };
}

/**
 * An attribute cannot be `null`.
 *
 * @param {Record<string, unknown>} attributes
 * @returns {import('@opentelemetry/api').Attributes}
 */
function present(attributes) {
  const known = Object.entries(attributes).filter(([, value]) => value !== null && value !== undefined);
  return /** @type {import('@opentelemetry/api').Attributes} */ (Object.fromEntries(known));
}

async function main() {
  const [job, unixSignal = 'SIGKILL'] = process.argv.slice(2);
  if (job === undefined) {
    console.error('usage: opentelemetry.mjs JOB [SIGNAL]');
    process.exitCode = 2;
    return;
  }
  const spanProcessors = [new SimpleSpanProcessor(new ConsoleSpanExporter())];
  const provider = new BasicTracerProvider({ spanProcessors });
  const stop = traceSlurmwire(provider.getTracer('slurmwire'));
  const slurm = await connect();
  try {
    await slurm.killJob(job, unixSignal, { timeoutMs: 5_000 });
  } catch {
    process.exitCode = 1; // the spans say why
  } finally {
    await slurm.close();
    stop();
    await provider.shutdown();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
