/** The answer of a live controller with many jobs, as it came from the wire. */
import type { LabCluster } from '../../lab/cluster.js';
import { munge } from '../../src/auth/index.js';
import { FrameAssembler } from '../../src/protocol/frame-assembler.js';
import {
  type CallContext,
  decodeBody,
  decodeFrame,
  encodeBody,
  encodeFrame,
  messageTypeNumber,
  payloadDigest,
  type Release,
} from '../../src/protocol/index.js';
import { SHOW_FLAGS } from '../../src/protocol/messages/show-flags.js';
import { tcpTransport } from '../../src/rpc/tcp-transport.js';

/** The body of RESPONSE_JOB_INFO with all jobs, packed by the cluster's slurmctld in its own version. */
export async function jobTableOf(cluster: LabCluster): Promise<Uint8Array> {
  const release = cluster.release as Release;
  const name = 'REQUEST_JOB_INFO';
  const context: CallContext = { remainingMs: () => 60_000, signal: AbortSignal.timeout(60_000) };
  const body = encodeBody(name, release, { showFlags: SHOW_FLAGS.SHOW_ALL });
  const payload = payloadDigest(release, messageTypeNumber(name, release) as number, body);
  const auth = await munge({ socket: cluster.mungeSocket }).create(payload, null, context);
  const connection = await tcpTransport().connect(cluster.controller, context);
  try {
    await connection.write(encodeFrame({ release, messageName: name, auth, body }));
    const assembler = new FrameAssembler();
    for (;;) {
      const bytes = assembler.take();
      if (bytes !== null) return answerIn(bytes);
      const chunk = await connection.read();
      if (chunk === null) throw new Error('slurmctld closed before its answer was whole');
      assembler.push(chunk);
    }
  } finally {
    connection.close();
  }
}

function answerIn(bytes: Uint8Array): Uint8Array {
  const { messageName, release, body } = decodeFrame(bytes);
  if (messageName === 'RESPONSE_JOB_INFO') return body;
  if (messageName !== 'RESPONSE_SLURM_RC') throw new Error(`slurmctld answered with ${messageName}`);
  const { returnCode } = decodeBody(messageName, release, body);
  throw new Error(`slurmctld answered with number ${returnCode}`);
}
