/** The controller of an embedded cluster without its sockets: a world, what changes it, and its answers as bytes and back. */

import {
  decodeBody,
  encodeBody,
  type MessageInput,
  type MessageName,
  type MessageRecord,
  type Release,
} from '../../../src/protocol/index.js';
import type { ControllerCall, ControllerHandler } from '../../../src/testing/controller/handler.js';
import { CONTROLLER_HANDLERS } from '../../../src/testing/controller/handlers.js';
import { CredentialStore } from '../../../src/testing/credentials.js';
import type { Job } from '../../../src/testing/model/job.js';
import { Life } from '../../../src/testing/model/life.js';
import { RecordExecutor } from '../../../src/testing/model/record-executor.js';
import { arrayOf, type SubmitOptions, specsOf } from '../../../src/testing/model/submit-options.js';
import { World } from '../../../src/testing/model/world.js';
import { type ClusterOptions, settingsOf } from '../../../src/testing/settings.js';

/** An answer, as who asked reads it. */
export interface Told<N extends MessageName = MessageName> {
  readonly name: N;
  readonly record: MessageRecord<N>;
}

export class EmbeddedController {
  readonly world: World;
  readonly life: Life;
  readonly #credentials = new CredentialStore();

  constructor(options: ClusterOptions = {}) {
    this.world = new World(settingsOf(options));
    this.world.place = {
      directory: '/nowhere',
      slurmConf: '/nowhere/slurm.conf',
      slurmConfText: 'ClusterName=embedded\n',
      controllers: [{ host: '127.0.0.1', port: 6817 }],
    };
    this.life = new Life(this.world, new RecordExecutor());
  }

  submit(options: SubmitOptions = {}): Job {
    const { users } = this.world;
    const user = users.named(String(options.user ?? 'alice')) ?? users.slurmUser;
    const specs = specsOf({ ...options, user: undefined }, this.world, '/nowhere/work');
    return this.life.submit(user, specs, arrayOf(options.array))[0] as Job;
  }

  /** Until the scheduler has had its turn. */
  scheduled(): Promise<void> {
    return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  }

  /** Asks in a protocol, default the controller's own; request and answer go through the codec of that. */
  async ask<N extends MessageName>(
    name: N,
    record: MessageInput<N>,
    { release = this.world.release, uid = 0 }: { readonly release?: Release; readonly uid?: number } = {},
  ): Promise<Told> {
    const handler = CONTROLLER_HANDLERS[name] as ControllerHandler<MessageName> | undefined;
    if (handler === undefined) throw new Error(`nobody handles ${name}`);
    const { world, life } = this;
    const said = await handler({
      record: decodeBody(name, release, encodeBody(name, release, record)),
      release,
      own: world.release,
      uid,
      gid: uid,
      world,
      life,
      nodes: new Map(),
      credentials: this.#credentials,
      controller: { index: 0, isInCharge: true },
      signal: new AbortController().signal,
    } as unknown as ControllerCall);
    if (said === null || typeof said === 'string') throw new Error(`there is no answer to ${name}`);
    const { name: answer, record: input } = said as { name: MessageName; record: MessageInput<MessageName> };
    return { name: answer, record: decodeBody(answer, release, encodeBody(answer, release, input)) };
  }

  /** As {@link ask}, where the answer is of that kind. */
  async told<N extends MessageName, A extends MessageName>(
    name: N,
    record: MessageInput<N>,
    answer: A,
    options: { readonly release?: Release; readonly uid?: number } = {},
  ): Promise<MessageRecord<A>> {
    const told = await this.ask(name, record, options);
    if (told.name !== answer)
      throw new Error(`${name} was answered with ${told.name}: ${JSON.stringify(told.record)}`);
    return told.record as MessageRecord<A>;
  }
}
