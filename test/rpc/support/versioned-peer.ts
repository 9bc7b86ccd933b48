/** A slurmctld of a release that a test may change in mid-life: which versions it takes, how it refuses the others, and what it has executed. */
import {
  decodeBody,
  type Endpoint,
  RELEASES,
  type Release,
  unixSignalName,
} from '../../../src/protocol/index.js';
import { NO_VAL } from '../../../src/protocol/sentinels.js';
import { NO_STEP_ID } from '../../../src/protocol/step-id.js';
import { jobInfoReply, stepInfoReply } from './fan-out-controller.js';
import { buildInfoReply, rc, reply } from './replies.js';
import { type PeerConnection, type PeerRequest, ScriptedPeer } from './scripted-peer.js';

/** As a daemon is at a moment. */
export interface Daemon {
  readonly release: Release;
  /** How it refuses a version. Default: as slurmctld of its release does. */
  readonly refuses?: 'closed' | 'own-version' | 'http';
  /** Seconds since it was started, as it tells them. Default a day. */
  readonly upSeconds?: number;
  /** It is not in charge, and says so with this number. */
  readonly standby?: 2027 | 2131;
  /** It refuses every credential, as its release does. */
  readonly distrusts?: boolean;
}

/** What was done to a job. */
export interface Executed {
  /** `SIGTERM 7` */
  readonly what: string;
  readonly by: Release;
}

export class VersionedPeer implements AsyncDisposable {
  readonly #peer: ScriptedPeer;
  #daemon: Daemon;
  readonly executed: Executed[] = [];
  /** What was asked, and in which version. */
  readonly asked: { readonly name: string | null; readonly release: Release }[] = [];
  /** Jobs it knows that have ended. */
  readonly ended = new Set<number>();
  /** Looks at a request before the daemon does; true: that was all there is to it. */
  before: (request: PeerRequest, connection: PeerConnection) => boolean | Promise<boolean> = () => false;
  /** Comes between what was executed and the answer; true: there is no answer any more. */
  beforeAnswer: (connection: PeerConnection) => boolean | Promise<boolean> = () => false;

  private constructor(peer: ScriptedPeer, daemon: Daemon) {
    this.#peer = peer;
    this.#daemon = daemon;
    peer.play((connection) => this.#serve(connection));
  }

  static async start(daemon: Release | Daemon): Promise<VersionedPeer> {
    const peer = await ScriptedPeer.listen(() => {});
    return new VersionedPeer(peer, typeof daemon === 'string' ? { release: daemon } : daemon);
  }

  get endpoint(): Endpoint {
    return this.#peer.endpoint;
  }

  get peer(): string {
    return this.#peer.peer;
  }

  /** Another daemon on the same port. */
  become(daemon: Release | Daemon): void {
    this.#daemon = typeof daemon === 'string' ? { release: daemon } : daemon;
  }

  /** Nobody listens any more. */
  async die(): Promise<void> {
    await this.#peer.close();
  }

  /** How often it was asked this, in which versions. */
  versionsOf(name: string): Release[] {
    return this.asked.filter((one) => one.name === name).map(({ release }) => release);
  }

  get signals(): string[] {
    return this.executed.map(({ what }) => what);
  }

  async #serve(connection: PeerConnection): Promise<void> {
    const request = await connection.readRequest();
    const { release } = request.frame;
    this.asked.push({ name: request.name, release });
    if (await this.before(request, connection)) return;
    const daemon = this.#daemon;
    const own = rowOf(daemon.release);
    const asked = rowOf(release).protocol;
    if (asked < own.oldestAccepted || asked > own.protocol) return this.#refuse(connection, daemon);
    if (daemon.distrusts === true) {
      if (own.protocol < 42) return connection.drop();
      return say(connection, rc(1007, { release, signer: null }));
    }
    if (daemon.standby !== undefined) return say(connection, rc(daemon.standby, { release }));
    const bytes = this.#answer(request, daemon);
    if (await this.beforeAnswer(connection)) return;
    return say(connection, bytes);
  }

  #refuse(connection: PeerConnection, { release, refuses }: Daemon): Promise<void> | void {
    const { protocol } = rowOf(release);
    const how = refuses ?? (protocol < 42 ? 'closed' : protocol < 44 ? 'own-version' : 'http');
    if (how === 'closed') return connection.drop();
    if (how === 'http')
      return say(connection, Buffer.from('HTTP/1.1 405 METHOD NOT ALLOWED\r\nContent-Length: 0\r\n\r\n'));
    return say(connection, rc(1007, { release, signer: null }));
  }

  #answer({ name, frame: { release, body } }: PeerRequest, daemon: Daemon): Uint8Array {
    const details = { release };
    switch (name) {
      case 'REQUEST_PING':
        return rc(0, details);
      case 'REQUEST_BUILD_INFO':
        return buildInfoReply(daemon, release);
      case 'REQUEST_KILL_JOB': {
        const { sjobId, signal } = decodeBody(name, release, body);
        return rc(this.#execute(signal, Number(sjobId)), details);
      }
      case 'REQUEST_KILL_JOBS': {
        const { jobsArray, signal } = decodeBody(name, release, body);
        const jobResponses = jobsArray.map((id) => {
          const jobId = Number(id);
          return {
            errorCode: this.#execute(signal, jobId),
            errorMsg: null,
            id: {
              stepId: { ...NO_STEP_ID, jobId },
              arrayTaskId: NO_VAL,
              hetJobOffset: NO_VAL,
              arrayBitmap: null,
            },
            realJobId: jobId,
            siblingName: null,
          };
        });
        return reply('RESPONSE_KILL_JOBS', { jobResponses }, details);
      }
      case 'REQUEST_JOB_INFO_SINGLE':
        return this.#jobs([decodeBody(name, release, body).jobId], release);
      case 'REQUEST_JOB_INFO':
        return this.#jobs(decodeBody(name, release, body).jobIds ?? [], release);
      case 'REQUEST_JOB_STEP_INFO':
        return stepInfoReply([], release);
      default:
        throw new Error(`the daemon has no answer to ${name}`);
    }
  }

  /** It knows every job. */
  #jobs(ids: readonly number[], release: Release): Uint8Array {
    const job = { userId: 1000, restartCnt: 0, nodes: 'n1' };
    const jobs = ids.map((jobId) => ({ ...job, jobId, jobState: this.ended.has(jobId) ? 4 : 1 }));
    return jobInfoReply(jobs, release);
  }

  /** SIGKILL ends a job. */
  #execute(signal: number, jobId: number): number {
    if (this.ended.has(jobId)) return 2021;
    this.executed.push({ what: `${unixSignalName(signal)} ${jobId}`, by: this.#daemon.release });
    if (signal === 9) this.ended.add(jobId);
    return 0;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#peer.close();
  }
}

async function say(connection: PeerConnection, bytes: Uint8Array): Promise<void> {
  await connection.send(bytes);
  connection.finish();
}

function rowOf(release: Release) {
  const row = RELEASES.find((one) => one.release === release);
  if (row === undefined) throw new Error(`no release ${release}`);
  return row;
}
