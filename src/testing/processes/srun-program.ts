/** The `srun` that jobs of an embedded cluster find in their PATH: a few lines of JavaScript, which leave the work to the cluster's step server. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
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
import { connect } from 'node:net';
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

/** Writes `srun` into a directory. */
export async function installSrun(binDirectory: string): Promise<void> {
  await mkdir(binDirectory, { recursive: true });
  await writeFile(join(binDirectory, 'srun.mjs'), PROGRAM);
  const srun = join(binDirectory, 'srun');
  const quoted = [process.execPath, join(binDirectory, 'srun.mjs')].map(
    (path) => `'${path.replaceAll("'", "'\\''")}'`,
  );
  await writeFile(srun, `#!/bin/sh\nexec ${quoted.join(' ')} "$@"\n`);
  await chmod(srun, 0o755);
}
