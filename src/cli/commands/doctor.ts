import { Command } from 'commander';
import { type ConnectionOptions, connectionOptions } from '../connection.js';
import { examine } from '../doctor/doctor.js';
import type { Finding, Verdict } from '../doctor/finding.js';
import { EXIT } from '../failure.js';
import type { CommandIo } from '../io.js';
import { type Output, outputOf, type Style } from '../output.js';

/** For each check, where `--timeout` does not say otherwise. */
const LIMIT_MS = 5_000;

/** `slurmwire doctor`: is everything there that a kill needs? */
export function doctorCommand(io: CommandIo): Command {
  const command = new Command('doctor')
    .summary('find out what is wrong')
    .description(
      'look at everything that a signal needs: configuration, credentials, controllers, clocks, nodes. Sends lookups and PINGs, nothing else. Every check has its own time limit (--timeout, 5 s). Exit code 0: all is well; 1: problems were found.',
    )
    .action(async (options: ConnectionOptions) => {
      const startedAt = performance.now();
      const output = outputOf(io, options);
      const { env, signal } = io;
      const found: Finding[] = [];
      const setup = { options, env, signal, limitMs: options.timeout ?? LIMIT_MS };
      for await (const part of examine(setup)) {
        signal.throwIfAborted();
        for (const finding of part) {
          found.push(finding);
          for (const line of linesOf(finding, output)) output.line(line);
        }
      }
      const problems = count(found, 'problem');
      const warnings = count(found, 'warning');
      const elapsedMs = Math.round(performance.now() - startedAt);
      output.result({ healthy: problems === 0, problems, warnings, elapsedMs, findings: found }, () => [
        '',
        verdictOf(problems, warnings, output),
      ]);
      if (problems > 0) io.setExitCode(EXIT.refused);
    });
  return connectionOptions(command);
}

const WORDS: Readonly<Record<Verdict, readonly [string, Style]>> = {
  ok: ['ok', 'green'],
  note: ['note', 'cyan'],
  warning: ['warning', 'yellow'],
  problem: ['PROBLEM', 'red'],
  skipped: ['skipped', 'dim'],
};
const WORD_WIDTH = 8;

function linesOf({ check, subject, verdict, summary, advice }: Finding, output: Output): string[] {
  const [word, style] = WORDS[verdict];
  const name = subject === null ? check : `${check} ${subject}`;
  const first = `${output.paint(style, word.padEnd(WORD_WIDTH))} ${output.paint('bold', name)}: ${summary}`;
  return advice === null ? [first] : [first, `${' '.repeat(WORD_WIDTH)} → ${advice}`];
}

function verdictOf(problems: number, warnings: number, output: Output): string {
  const also = warnings === 0 ? '' : `, ${warnings} warning${warnings === 1 ? '' : 's'}`;
  if (problems === 0) return output.paint('green', `No problems found${also}.`);
  return output.paint('red', `${problems} problem${problems === 1 ? '' : 's'}${also}.`);
}

function count(found: readonly Finding[], verdict: Verdict): number {
  return found.filter((one) => one.verdict === verdict).length;
}
