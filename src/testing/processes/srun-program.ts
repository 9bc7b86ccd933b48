/** The `srun` that jobs of an embedded cluster find in their PATH: a few lines of JavaScript, which leave the work to the cluster's step server. */
import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Signals that srun passes on to its tasks; of those it does not get, it dies. */
const PASSED_ON = [
  'SIGINT',
  'SIGTERM',
  'SIGQUIT',
  'SIGHUP',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGCONT',
  'SIGPIPE',
];

const PROGRAM = `
const { connect } = require('node:net');
const { SLURMWIRE_STEPS: path, ...environment } = process.env;
if (path === undefined) throw new Error('srun: not inside a job of the cluster');
const server = connect(path);
const tell = (message) => server.write(JSON.stringify(message) + '\\n');
tell({ argv: process.argv.slice(2), workDirectory: process.cwd(), environment });
for (const name of ${JSON.stringify(PASSED_ON)}) process.on(name, () => tell({ signal: name }));
let text = '';
server.setEncoding('utf8');
server.on('data', (chunk) => {
  text += chunk;
  const lines = text.split('\\n');
  text = lines.pop();
  for (const line of lines) {
    const { stream, bytes, exitCode } = JSON.parse(line);
    if (stream !== undefined) process[stream].write(Buffer.from(bytes, 'base64'));
    if (exitCode !== undefined) {
      process.exitCode = exitCode;
      server.end();
    }
  }
});
server.on('error', (error) => {
  process.stderr.write('srun: error: ' + error.message + '\\n');
  process.exitCode = 1;
});
server.on('close', () => process.exit());
`;

/** What {@link installSrun} may make. */
export const SRUN_FILES = ['srun', 'package.json', 'node'] as const;

/** Writes `srun` into a directory. */
export async function installSrun(binDirectory: string): Promise<void> {
  await mkdir(binDirectory, { recursive: true });
  // Whatever the cluster's directory is part of.
  await writeFile(join(binDirectory, 'package.json'), '{ "type": "commonjs" }\n');
  const srun = join(binDirectory, 'srun');
  await writeFile(srun, `${await firstLines(binDirectory)}${PROGRAM}`);
  await chmod(srun, 0o755);
}

/** What the kernel takes for the name of an interpreter. */
const INTERPRETER = /^\/[\x21-\x7e]{1,120}$/;

async function firstLines(binDirectory: string): Promise<string> {
  if (INTERPRETER.test(process.execPath)) return `#!${process.execPath}\n`;
  const node = join(binDirectory, 'node');
  await rm(node, { force: true });
  await symlink(process.execPath, node);
  // Not by a shell: it would drop what has no name of a variable, such as bash's exported functions.
  return INTERPRETER.test(node) ? `#!${node}\n` : '#!/usr/bin/env node\n';
}
