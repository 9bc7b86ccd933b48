/** Tells the events of the demonstration to people. */
import { KILL_FLAGS } from '../../protocol/kill-flags.js';
import { unixSignalName } from '../../protocol/unix-signal.js';
import type { ProcessView } from '../../testing/index.js';
import { failureLines } from '../failure.js';
import type { Output, Style } from '../output.js';
import { STEPS } from './job-script.js';
import { type DemoEvent, KILL_WAIT } from './play.js';

type EventOf<T extends DemoEvent['type']> = Extract<DemoEvent, { readonly type: T }>;

export class Narrator {
  readonly #output: Output;
  readonly #width: number;
  #chapters = 0;
  /** What was not told yet, since several of it make one line: questions by name, and signals. */
  #looks = new Map<string, number>();
  #signals: EventOf<'signal'>[] = [];

  constructor(output: Output, width: number) {
    this.#output = output;
    this.#width = Math.max(40, width);
  }

  tell(event: DemoEvent): void {
    if (event.type === 'signal') this.#signals.push(event);
    else if (event.type === 'request' && event.isLook) {
      this.#looks.set(event.rpc, (this.#looks.get(event.rpc) ?? 0) + 1);
    } else {
      this.#tellWhatWaits();
      this.#tellNow(event);
    }
  }

  #tellNow(event: DemoEvent): void {
    switch (event.type) {
      case 'cluster':
        this.#cluster(event);
        break;
      case 'job':
        this.#job(event);
        break;
      case 'call':
        this.#call(event);
        break;
      case 'refused':
        for (const [index, line] of failureLines(event.error).entries())
          this.#line(line.trim(), index === 0 ? 'red' : null, 1);
        break;
      case 'pong':
        this.#pong(event);
        break;
      case 'explained':
        this.#explained(event);
        break;
      case 'request':
        this.#request(event);
        break;
      case 'output':
        this.#line(`"${event.line}"`, 'green', 1);
        break;
      case 'escalating':
        this.#escalating(event);
        break;
      case 'terminated':
        this.#terminated(event);
        break;
      case 'confirmed':
        this.#confirmed(event);
        break;
    }
  }

  #cluster({ release, daemons, munged, pid }: EventOf<'cluster'>): void {
    this.#begin('A cluster', `all of it in this process (pid ${pid}): no Slurm, no MUNGE, no root.`);
    const rows = daemons.map(({ name, address }) => [titleOf(name, release), address]);
    this.#table([...rows, ['munged', munged]]);
  }

  #pong({ ping }: EventOf<'pong'>): void {
    this.#line(
      `slurmctld ${ping.version ?? ''} is ${ping.up ? 'up' : 'down'} and speaks protocol ${ping.protocol}.`,
    );
  }

  #job({ jobId, user, uid, processes }: EventOf<'job'>): void {
    const owner = uid === null ? '' : `, owned by uid ${uid}`;
    this.#begin('A job', `number ${jobId}, of ${user}. Real processes of this machine${owner}.`);
    this.#table(processes.map((process) => [...cellsOf(process), aboutProcess(process)]));
  }

  #call({ verb, user, code }: EventOf<'call'>): void {
    if (verb === 'explain') this.#begin('A look ahead', 'what would SIGTERM do? Only questions are sent.');
    if (verb === 'terminate')
      this.#begin('The kill', 'SIGTERM, half a second to comply, SIGKILL, and proof.');
    if (verb === 'killJob' && user === 'bob') this.#begin('Two mistakes', "somebody else's job, and a typo.");
    this.#line(`${user}: ${code}`, 'bold');
  }

  #explained({ requests, effects }: EventOf<'explained'>): void {
    this.#table(
      requests.map(({ rpc, to, peer }) => ['would send', rpc, `to ${to} ${peer}`]),
      1,
    );
    this.#table(
      effects.map(({ target, effect, nodes }) => ['would reach', target, `${effect} on ${nodes.join(' ')}`]),
      1,
    );
    this.#line('Steps only: to the batch shell terminate() sends one more request.', 'dim', 1);
  }

  #request({ rpc, to, peer, protocol, reply, code, ms, signal, flags }: EventOf<'request'>): void {
    const what = signal === null ? '' : ` ${[unixSignalName(signal), ...flagNames(flags)].join(' ')}`;
    this.#line(`-> ${to} ${peer}, protocol ${protocol}: ${rpc}${what}`, 'cyan', 1);
    this.#line(`<- ${reply ?? 'no answer'}: ${code ?? '0, accepted'} (${ms.toFixed(1)} ms)`, 'cyan', 1);
  }

  #escalating({ to, alive: [part], processes }: EventOf<'escalating'>): void {
    const said = part === undefined ? '' : `slurmctld says ${[part.state, ...part.flags].join(' ')}. `;
    this.#line(`The grace is over. ${said}Still there, so ${to} is next:`, 'yellow');
    this.#table(
      processes.map((process) => [...cellsOf(process), process.name]),
      1,
    );
    const how = `SIGKILL for a job: its slurmds send SIGCONT and SIGTERM to everything, sruns too, which kill their tasks; what is left after KillWait (${KILL_WAIT} s here) gets SIGKILL.`;
    this.#line(how, 'dim', 1);
  }

  #terminated({ outcome, sent, dead, elapsedMs, state }: EventOf<'terminated'>): void {
    this.#begin('Gone', `terminate() has resolved after ${(elapsedMs / 1000).toFixed(1)} s.`);
    this.#line(`outcome ${outcome}, dead ${dead}; slurmctld calls the job ${state}.`);
    this.#table(
      sent.map((one) => [one.signal, `to ${one.part} of ${one.target}`, one.outcome]),
      1,
    );
  }

  #confirmed({ gone, left }: EventOf<'confirmed'>): void {
    if (left.length > 0) this.#line(`Still there, which is a defect: ${left.join(' ')}`, 'red');
    else this.#line(`All ${gone.length} processes are gone: kill(pid, 0) says ESRCH of each.`, 'green');
    this.#output.line('');
    this.#output.line(this.#output.paint('bold', 'Next'));
    this.#table(NEXT);
  }

  #tellWhatWaits(): void {
    if (this.#looks.size > 0) {
      const looks = [...this.#looks].map(([rpc, count]) => (count === 1 ? rpc : `${rpc} (${count} times)`));
      this.#line(`asked: ${looks.join(', ')}`, 'dim', 1);
      this.#looks = new Map();
    }
    this.#tellSignals();
  }

  /** One line for each signal and step: which processes, on which nodes. */
  #tellSignals(): void {
    const groups = new Map<string, EventOf<'signal'>[]>();
    for (const seen of this.#signals) {
      const key = `${seen.signal} ${seen.target}`;
      groups.set(key, [...(groups.get(key) ?? []), seen]);
    }
    this.#signals = [];
    const rows = [...groups.values()].map((group) => {
      const [{ signal, target }] = group as [EventOf<'signal'>];
      return [signal, target, group.map(({ node, pids }) => `${node} pid ${pids.join(' ')}`).join(', ')];
    });
    this.#table(rows, 1, 'magenta');
  }

  #begin(title: string, about: string): void {
    this.#chapters += 1;
    if (this.#chapters > 1) this.#output.line('');
    const heading = `${this.#chapters}. ${title}:`;
    const [first = '', ...others] = folded(`${heading} ${about}`, this.#width);
    this.#output.line(first.replace(heading, this.#output.paint('bold', heading)));
    for (const part of others) this.#output.line(`   ${part}`);
  }

  #table(rows: readonly (readonly string[])[], depth = 0, style: Style | null = null): void {
    for (const line of columns(rows)) this.#line(line, style, depth);
  }

  /** A line below the headings, folded where it is too long for the screen. */
  #line(text: string, style: Style | null = null, depth = 0): void {
    const indent = ' '.repeat(3 + 2 * depth);
    for (const [index, part] of folded(text, this.#width - indent.length - 2).entries()) {
      const shown = index === 0 ? part : `  ${part}`;
      this.#output.line(`${indent}${style === null ? shown : this.#output.paint(style, shown)}`);
    }
  }
}

const NEXT = [
  ['slurmwire demo --release 20.11', 'the same in an older protocol (--json: as data)'],
  ['slurmwire cancel --help', 'for a real cluster: a drop-in scancel'],
  ['docs/testing.md', 'such a cluster in your own tests'],
  ['docs/embedding.md', 'a cancel hook, a button, a mass cancel to copy'],
];

function titleOf(daemon: string, release: string): string {
  return daemon.startsWith('slurmctld') ? `${daemon} ${release}` : `slurmd ${daemon}`;
}

function cellsOf({ pid, node, target }: ProcessView): string[] {
  return [`pid ${pid}`, node, target];
}

function aboutProcess({ name }: ProcessView): string {
  const about = (STEPS as Readonly<Record<string, string>>)[name];
  return about === undefined ? 'the batch shell: waits for its steps' : `step ${name}: ${about}`;
}

function flagNames(flags: number | null): string[] {
  const known = Object.entries(KILL_FLAGS).filter(([, { internal }]) => !internal);
  return known.flatMap(([name, { bit }]) => (((flags ?? 0) & bit) === 0 ? [] : [name]));
}

/** Rows with their cells below each other. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows)
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** At spaces; what has none stays as long as it is. */
function folded(text: string, width: number): string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const before = rest.lastIndexOf(' ', width);
    const at = before > 0 ? before : rest.indexOf(' ');
    if (at < 0) break;
    lines.push(rest.slice(0, at).trimEnd());
    rest = rest.slice(at + 1).trimStart();
  }
  return [...lines, rest];
}
