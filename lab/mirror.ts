import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { LabUnavailableError } from './lab-error.js';

/** Where Debian's packages come from, for a program that is not apt. */
export interface DebianMirror {
  readonly url: string;
  /** The environment in which a program takes apt's way to it. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * The mirror this machine's own packages come from, by apt's word: it reads all the formats of its sources.
 * `SLURMWIRE_LAB_MIRROR` names another.
 */
export async function debianMirror(): Promise<DebianMirror> {
  const url = process.env.SLURMWIRE_LAB_MIRROR || (await firstSource());
  return { url, env: await proxyEnvironment() };
}

async function firstSource(): Promise<string> {
  const format = '$(REPO_URI) $(RELEASE) $(COMPONENT)';
  const listing = ['indextargets', '--no-release-info', '--format', format, 'Identifier: Packages'];
  const { stdout } = await run('apt-get', listing);
  for (const line of stdout.split('\n')) {
    const [url = '', suite = '', component] = line.split(' ');
    // Not an archive of updates beside it (`bookworm-security`), nor one without suites (`./`).
    if (component === 'main' && /^[a-z]+$/.test(suite) && /^(https?|file):/.test(url)) return url;
  }
  throw new LabUnavailableError(
    "the machine's apt sources name no Debian mirror; set SLURMWIRE_LAB_MIRROR to the URL of one",
  );
}

/** What apt is told about proxies, in the words of the programs debootstrap loads files with. */
async function proxyEnvironment(): Promise<Record<string, string>> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (/^(https?|no)_proxy$/i.test(name) && value) env[name.toLowerCase()] = value;
  }
  const wanted = ['http_proxy', 'Acquire::http::Proxy', 'https_proxy', 'Acquire::https::Proxy'];
  const { stdout } = await run('apt-config', ['shell', ...wanted]);
  for (const [, name, value] of stdout.matchAll(/^(https?_proxy)='([^']+)'$/gm)) {
    if (name && value && value !== 'DIRECT') env[name] = value;
  }
  return env;
}

const run = promisify(execFile);
