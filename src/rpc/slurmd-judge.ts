/**
 * Whether a slurmd that did not answer a message cannot have looked at it, since it is of a version that it does not take.
 *
 * - 25.05 and newer say so: 1007 in the header version of their own, or HTTP. The same 1007 is their answer to a credential they refuse, so the
 *   version they name must be one that does not take the message's.
 * - 24.11 and older close without a word, as they do for a credential they refuse. Such a one is asked with a PING right afterwards: if it closes on the
 *   message's version again, before and after it answers in another one, it takes the credential and not the version. A user who is not root is
 *   answered with a refusal, which is an answer.
 *
 * Source: `slurm_receive_msg_and_forward` and `_service_connection` of 20.11 to 26.05, observed on 22.05, 24.11 and 26.05.
 */
import type { CallContext } from '../protocol/authenticator.js';
import { type Release, releaseNamed } from '../protocol/release.js';
import { isSlurmError, type SlurmError, SlurmProtocolVersionError } from '../protocol/slurm-error.js';
import type { Endpoint } from '../protocol/transport.js';
import { Deadline } from './deadline.js';
import type { ExchangeSetup } from './exchange.js';
import type { Limiter } from './limiter.js';
import { pingSlurmd } from './ping-slurmd.js';
import { mayBeVersions } from './silent-close.js';
import { mayTake } from './version-choice.js';

/** What a judge asks with. */
export interface JudgeSetup extends ExchangeSetup {
  readonly messageTimeoutMs: number;
  readonly restrictUid: number | null;
}

/** Slurmds that are asked for one message: where more are silent, it is no matter of a few that are older than the others. */
const MAX_ASKED = 32;

export class SlurmdJudge {
  readonly #setup: JudgeSetup;
  readonly #limiter: Limiter;
  readonly #release: Release;
  readonly #other: Release;
  readonly #context: CallContext;
  #asked = 0;

  /**
   * @param release the message's version.
   * @param other a version that the slurmd should take.
   */
  constructor(setup: JudgeSetup, limiter: Limiter, release: Release, other: Release, context: CallContext) {
    this.#setup = setup;
    this.#limiter = limiter;
    this.#release = release;
    this.#other = other;
    this.#context = context;
  }

  /** @param trouble what became of the message. */
  async isUnread(trouble: { readonly outcome: string }, endpoint: Endpoint, node: string): Promise<boolean> {
    if (!isSlurmError(trouble) || !mayBeVersions(trouble)) return false;
    if (trouble.outcome === 'refused') return this.#isGap(trouble);
    if (this.#asked === MAX_ASKED) return false;
    this.#asked += 1;
    // Answered after all, or not to be reached: it is not about versions.
    if (!(await this.#isClosedUpon(endpoint, node))) return false;
    if ((await this.#ping(this.#other, endpoint, node)) !== null) return false;
    // Up to 22.05 one whose munged is down cannot sign its answers, and closes too, after it has done what it was told: it may be back only now.
    return this.#isClosedUpon(endpoint, node);
  }

  async #isClosedUpon(endpoint: Endpoint, node: string): Promise<boolean> {
    const again = await this.#ping(this.#release, endpoint, node);
    return again !== null && mayBeVersions(again);
  }

  #isGap(said: SlurmError): boolean {
    if (!(said instanceof SlurmProtocolVersionError)) return false;
    if (said.answerKind === 'http') return true;
    const release = releaseNamed(said.peerProtocol);
    return release !== null && !mayTake({ release, isNewest: true }, this.#release);
  }

  /** `null` where it was answered. */
  async #ping(release: Release, endpoint: Endpoint, node: string): Promise<SlurmError | null> {
    const { restrictUid, messageTimeoutMs } = this.#setup;
    const deadline = new Deadline(messageTimeoutMs, this.#context.signal);
    try {
      await this.#limiter.run(() =>
        pingSlurmd(this.#setup, { endpoint, node }, release, restrictUid, deadline),
      );
      return null;
    } catch (error) {
      if (isSlurmError(error)) return error;
      throw error;
    } finally {
      deadline.dispose();
    }
  }
}
