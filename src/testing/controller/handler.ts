/** What one kind of request to slurmctld is answered with: one file per request, listed in `handlers.ts`. */
import type { MessageInput, MessageName, MessageRecord } from '../../protocol/messages/index.js';
import { isAtLeast, type Release } from '../../protocol/release.js';
import type { CredentialStore } from '../credentials.js';
import type { Life } from '../model/life.js';
import type { World } from '../model/world.js';
import type { NodeDaemon } from '../slurmd/node-daemon.js';
import { returnCode, type Said, type WireAnswer, type WireRequest } from '../wire-server.js';

/** What a handler has to work with. */
export interface ControllerCall<N extends MessageName = MessageName> {
  readonly record: MessageRecord<N>;
  /** Protocol of the request. */
  readonly release: Release;
  /** Release of the daemon, by which rules differ. */
  readonly own: Release;
  /** Of the caller. */
  readonly uid: number;
  readonly gid: number;
  readonly world: World;
  /** What changes jobs. */
  readonly life: Life;
  readonly nodes: ReadonlyMap<string, NodeDaemon>;
  readonly credentials: CredentialStore;
  /** The controller that was asked. */
  readonly controller: { readonly index: number; readonly isInCharge: boolean };
  readonly request: WireRequest;
  /** Fires when the daemon stops. */
  readonly signal: AbortSignal;
}

export type ControllerHandler<N extends MessageName> = (
  call: ControllerCall<N>,
) => WireAnswer | Promise<WireAnswer>;

export type ControllerHandlers = { readonly [N in MessageName]?: ControllerHandler<N> };

/** An answer of a kind of its own. */
export function answer<N extends MessageName>(name: N, record: MessageInput<N>): Said {
  return { name, record };
}

/** RESPONSE_SLURM_RC. */
export const rc = returnCode;

/** True where a rule that came with a release holds for the daemon. */
export function since(call: { readonly own: Release }, release: Release): boolean {
  return isAtLeast(call.own, release);
}
