/** The conversations of fixtures/22.05, recorded from a live slurmctld. */
import { fileURLToPath } from 'node:url';
import { RECORDED_CLUSTER } from '../../lab/recorded-cluster.js';
import { connect, type SlurmClient } from '../../src/index.js';
import { FrameAssembler } from '../../src/protocol/frame-assembler.js';
import { decodeFrame, type Frame } from '../../src/protocol/index.js';
import { type Fixture, type Player, type PlayOptions, play, readFixture } from '../../src/replay/index.js';

export function recorded(name: string): Promise<Fixture> {
  return readFixture(fileURLToPath(new URL(`../../fixtures/22.05/${name}.msgpack`, import.meta.url)));
}

/** All frames the client sent, in order. */
export function sentFrames(fixture: Fixture): Frame[] {
  return fixture.connections.flatMap(({ events }) => {
    const assembler = new FrameAssembler();
    for (const { direction, bytes } of events)
      if (direction === '>' && bytes !== undefined) assembler.push(bytes);
    const frames: Frame[] = [];
    for (let frame = assembler.take(); frame !== null; frame = assembler.take())
      frames.push(decodeFrame(frame));
    return frames;
  });
}

/** A client whose daemon is the recording. */
export async function playing(
  fixture: Fixture,
  options: PlayOptions = {},
): Promise<{ slurm: SlurmClient; player: Player }> {
  const player = play(fixture, options);
  const { transport, auth } = player;
  const slurm = await connect({ conf: RECORDED_CLUSTER, transport, auth });
  return { slurm, player };
}
