/** Records what slurmctld says about partitions and reservations, in every version it speaks, beside what scontrol printed of them. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { connect, loadSlurmConfig, munge, type Release, tcpTransport } from '../src/index.js';
import { ByteWriter } from '../src/protocol/byte-writer.js';
import { codecOf } from '../src/protocol/compile.js';
import { FrameAssembler } from '../src/protocol/frame-assembler.js';
import { type Header, header } from '../src/protocol/header.js';
import { decodeFrame, type Frame, type MessageInput, protocolOf } from '../src/protocol/index.js';
import { type Direction, streamOf } from '../src/replay/conversation.js';
import { Recorder } from '../src/replay/index.js';
import type { LabCluster } from './lab-cluster.js';
import { LabError } from './lab-error.js';
import { since } from './recorded-jobs.js';

/** The versions that slurmctld of each release takes from clients. */
const SPOKEN: Readonly<Record<string, readonly Release[]>> = {
  '20.11': ['20.11'],
  '22.05': ['20.11', '21.08', '22.05'],
  '24.11': ['23.02', '23.11', '24.05', '24.11'],
  '26.05': ['24.11', '25.05', '25.11', '26.05'],
};

const ASKED = [
  ['partitions', 'REQUEST_PARTITION_INFO', { showFlags: 1 }],
  ['reservations', 'REQUEST_RESERVATION_INFO', {}],
] as const;

/** @param slurm version of the daemons: `24.11.5`. @param target directory of the golden files. */
export async function recordPartitions(cluster: LabCluster, slurm: string, target: string): Promise<void> {
  await furnish(cluster);
  const lines: unknown[] = [{ moment: 'a', release: slurm, show: await shown(cluster) }];
  for (const version of SPOKEN[cluster.release] ?? []) {
    for (const [name, message, record] of ASKED) {
      const { request, reply } = await ask(cluster, version, message, record);
      lines.push({
        v: protocolOf(version),
        release: slurm,
        source: 'slurmctld',
        moment: 'a',
        type: reply.header.msgType,
        name: reply.messageName,
        case: name,
        request: { type: request.header.msgType, name: request.messageName, hex: hex(request.body) },
        header: hex(headerBytes(version, reply.header)),
        hex: hex(reply.body),
      });
    }
  }
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  await writeFile(join(target, `replies-${slurm}-partitions.jsonl.gz`), gzipSync(text, { level: 9 }));
}

/** Partitions and reservations with a value in every field that scontrol can set without accounting. */
async function furnish(cluster: LabCluster): Promise<void> {
  const starts = (year: number) => [`starttime=${year}-01-01T00:00:00`, 'duration=60'];
  await scontrol(cluster, 'create', [
    ...['partitionname=busy', 'nodes=n[1-2]', 'maxtime=120', 'defaulttime=60', 'maxnodes=2', 'minnodes=1'],
    ...['gracetime=30', 'maxcpuspernode=8', 'defmempercpu=100', 'maxmempernode=2000', 'overtimelimit=5'],
    ...['priorityjobfactor=7', 'prioritytier=3', 'oversubscribe=force:3', 'preemptmode=off', 'state=drain'],
    ...['allowgroups=alice,bob', 'allocnodes=n1', 'allowaccounts=a,b', 'alternate=main'],
    ...[
      'hidden=yes',
      'rootonly=no',
      'exclusiveuser=yes',
      'lln=yes',
      'reqresv=yes',
      'tresbillingweights=cpu=1.5',
    ],
    'jobdefaults=DefCpuPerGPU=2,DefMemPerGPU=100',
    // Later ones look whether there is such a QOS.
    ...(since(cluster, '26.05') ? [] : ['denyqos=c']),
  ]);
  await scontrol(cluster, 'create', ['partitionname=none', 'state=inactive']);
  await scontrol(cluster, 'create', [
    ...[
      'reservationname=whole',
      ...starts(2030),
      'users=alice,bob',
      'nodes=n[1-2]',
      'flags=maint,ignore_jobs',
    ],
    ...['partition=main', 'maxstartdelay=60'],
  ]);
  await scontrol(cluster, 'create', ['reservationname=cores', ...starts(2031), 'users=alice', 'corecnt=3']);
}

async function shown(cluster: LabCluster): Promise<Record<string, string>> {
  const show = (what: string) => scontrol(cluster, 'show', [what, '-o', '-a'], { TZ: 'UTC' });
  return { partition: await show('partition'), reservation: await show('reservation') };
}

async function scontrol(
  cluster: LabCluster,
  verb: string,
  words: readonly string[],
  env: Record<string, string> = {},
): Promise<string> {
  const { code, stdout, stderr } = await cluster.exec(['scontrol', verb, ...words], { user: 'root', env });
  if (code !== 0)
    throw new LabError(`scontrol ${verb} ${words[0]} failed: ${stderr.trim() || stdout.trim()}`);
  return stdout;
}

/** Asks as root, in one version. */
async function ask(
  cluster: LabCluster,
  protocol: Release,
  message: (typeof ASKED)[number][1],
  record: object,
): Promise<{ request: Frame; reply: Frame }> {
  const conf = await loadSlurmConfig({ conf: cluster.slurmConf });
  const recorder = new Recorder({
    slurm: '',
    daemon: 'slurmctld',
    client: '',
    recordedAt: new Date().toISOString(),
    note: '',
  });
  const auth = munge({ socket: cluster.mungeSocket });
  const slurm = await connect({
    conf,
    protocol,
    auth: recorder.auth(auth),
    transport: recorder.transport(tcpTransport()),
  });
  try {
    await slurm.request(message, record as MessageInput<typeof message>);
  } finally {
    await slurm.close();
  }
  const frames = (direction: Direction) =>
    recorder.fixture().connections.flatMap((connection) => {
      const assembler = new FrameAssembler();
      assembler.push(streamOf(connection, direction));
      const bytes = assembler.take();
      return bytes === null ? [] : [decodeFrame(bytes)];
    });
  const at = frames('>').findIndex(({ messageName }) => messageName === message);
  const [request, reply] = [frames('>')[at], frames('<')[at]];
  if (request === undefined || reply === undefined) throw new LabError(`${message} ${protocol}: no answer`);
  return { request, reply };
}

function headerBytes(release: Release, value: Header): Uint8Array {
  const writer = new ByteWriter();
  codecOf(header, release).encode(writer, value, {});
  return writer.finish();
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
