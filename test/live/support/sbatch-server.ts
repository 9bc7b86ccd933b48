/** An `sbatch` for shell scripts that tests run: a few lines of Perl, which start faster than anything else that can talk to a socket. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';

/** Sends its words and its script, each in hexadecimal on a line, and then an empty line; gets the number of the job, or why not. */
const PROGRAM = (socket: string) => `#!/usr/bin/perl
use Socket;
my $script = (grep { /^--wrap/ } @ARGV) ? '' : do { local $/; <STDIN> };
if (@ARGV && $ARGV[-1] !~ /^-/ && -f $ARGV[-1]) { open(my $f, '<', pop @ARGV) or die; local $/; $script = <$f>; }
socket(my $server, PF_UNIX, SOCK_STREAM, 0) or die "sbatch: $!";
connect($server, pack_sockaddr_un('${socket}')) or die "sbatch: $!";
select($server); $| = 1; select(STDOUT);
print $server join("\\n", map { unpack('H*', $_) . '.' } ($<, $script, @ARGV)), "\\n\\n";
my $answer = <$server>;
if ($answer =~ /^\\d+$/) { print $answer; exit 0; }
print STDERR "sbatch: error: $answer";
exit 1;
`;

export class SbatchServer {
  readonly #directory: string;
  readonly #submit: (argv: readonly string[], script: string, uid: number) => number;
  readonly #server = createServer((socket) => this.#serve(socket));

  /** @param directory where `sbatch` will be; to be in the PATH. */
  constructor(directory: string, submit: (argv: readonly string[], script: string, uid: number) => number) {
    this.#directory = directory;
    this.#submit = submit;
  }

  async start(): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    const socket = join(this.#directory, 'socket');
    await new Promise<void>((resolve) => this.#server.listen(socket, resolve));
    await chmod(socket, 0o777);
    const program = join(this.#directory, 'sbatch');
    await writeFile(program, PROGRAM(socket));
    await chmod(program, 0o755);
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #serve(socket: Socket): void {
    let text = '';
    socket.on('error', () => {});
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
      if (!text.endsWith('\n\n')) return;
      const [uid = '', script = '', ...argv] = text
        .trimEnd()
        .split('\n')
        .map((word) => Buffer.from(word.slice(0, -1), 'hex').toString());
      try {
        socket.end(`${this.#submit(argv, script, Number(uid))}\n`);
      } catch (error) {
        socket.end(`${(error as Error).message.replaceAll('\n', ' ')}\n`);
      }
    });
  }
}
