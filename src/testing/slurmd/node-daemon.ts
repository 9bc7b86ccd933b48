/** An embedded slurmd: one per node, on a port of its own. */

import type { Frame } from '../../protocol/frame.js';
import type { ReturnItem } from '../../protocol/header.js';
import type { MessageName, MessageRecord } from '../../protocol/messages/index.js';
import type { Release } from '../../protocol/release.js';
import type { Limiter } from '../../rpc/limiter.js';
import { treeWidthFor } from '../../rpc/tree-width.js';
import type { CredentialStore } from '../credentials.js';
import type { Life } from '../model/life.js';
import type { ClusterNode, World } from '../model/world.js';
import {
  type Harm,
  returnCode,
  type WireAnswer,
  type WireHost,
  type WireRequest,
  WireServer,
} from '../wire-server.js';
import { forward, harmOf } from './forward.js';
import { SLURMD_HANDLERS } from './handlers.js';

/** What all slurmds of a cluster share. */
export interface SlurmdSetup {
  readonly world: World;
  readonly life: Life;
  /** Where each listens, those of other processes included. */
  readonly nodes: ReadonlyMap<string, { readonly server: Pick<WireServer, 'endpoint'> }>;
  readonly credentials: CredentialStore;
  /** See `Forwarder` of `forward.ts`. */
  readonly leaves: Limiter;
}

/** What a handler has to work with. */
export interface SlurmdCall<N extends MessageName = MessageName> {
  readonly record: MessageRecord<N>;
  readonly release: Release;
  /** Release of the daemon. */
  readonly own: Release;
  readonly uid: number;
  readonly gid: number;
  /** The node it is on. */
  readonly node: ClusterNode;
  readonly world: World;
  readonly life: Life;
}

export type SlurmdHandler<N extends MessageName> = (call: SlurmdCall<N>) => WireAnswer | Promise<WireAnswer>;

/** SlurmdUser. */
const ROOT = { uid: 0, gid: 0 };

export class NodeDaemon {
  readonly node: ClusterNode;
  readonly server: WireServer;
  readonly #setup: SlurmdSetup;

  constructor(node: ClusterNode, host: WireHost, setup: SlurmdSetup) {
    this.node = node;
    this.#setup = setup;
    const handle = (request: WireRequest) => this.#handle(request);
    this.server = new WireServer(
      host,
      {
        name: node.name,
        kind: 'slurmd',
        user: ROOT,
        credentials: setup.credentials.host(),
        address: '127.0.0.1',
        handle,
        forward: (frame: Frame, signal: AbortSignal) => this.#forward(frame, signal),
      },
      setup.world.settings.nodeRelease,
    );
  }

  #forward(frame: Frame, signal: AbortSignal): Promise<ReturnItem[]> | Harm {
    const { world, nodes } = this.#setup;
    const own = this.server.release;
    const harm = harmOf(frame.header.forward, own, frame.release);
    if (harm !== null) return { harm };
    const { TreeWidth, MessageTimeout = 10, TCPTimeout = 2 } = world.settings.parameters;
    return forward(frame, {
      own,
      treeWidth: treeWidthFor(own, TreeWidth === undefined ? undefined : Number(TreeWidth), {}),
      messageTimeoutMs: Number(MessageTimeout) * 1000,
      tcpTimeoutMs: Number(TCPTimeout) * 1000,
      endpointOf: (node) => nodes.get(node)?.server.endpoint ?? null,
      signal,
      leaves: this.#setup.leaves,
    });
  }

  #handle(request: WireRequest): Promise<WireAnswer> | WireAnswer {
    const { name, record, release, uid, gid } = request;
    const handler = SLURMD_HANDLERS[name] as SlurmdHandler<MessageName> | undefined;
    if (handler === undefined) return returnCode(22);
    const { world, life } = this.#setup;
    const own = this.server.release;
    return handler({ record, release, own, uid, gid, node: this.node, world, life } as SlurmdCall);
  }
}
