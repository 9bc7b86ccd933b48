/** What a program of a release finds around it in a mount namespace: its own root, a directory of the machine, and users of the lab. */
import { LabError } from './lab-error.js';
import type { LabAccount } from './slurm-conf.js';

/**
 * Shell commands that make a new mount namespace a release's. They read `$release` (the directory of its root), `$etc` (where its `passwd`,
 * `group` and `hosts` are) and `$cluster` (what is seen under the path it has outside).
 */
export function rootFor(root: string): readonly string[] {
  return root === '/' ? useMachine : useRelease;
}

/**
 * The machine's own root, with three files covered. One limit: a mount over a single file is dropped by the
 * kernel when somebody outside replaces that file, so `useradd` on the machine takes the ordinary users away
 * until the next `up`.
 */
const useMachine = ['for name in passwd group hosts; do mount --bind "$etc/$name" "/etc/$name"; done'];

/**
 * A root in memory that goes with the namespace: the release's programs read-only, a copy of its `/etc`, and of
 * the machine the kernel's file systems (`/sys` without what is mounted in it: no daemon gets at the machine's
 * cgroups) and the cluster's directory under the path it has outside. It becomes the root of the namespace, so
 * whoever enters that is in the release's world; no other program knows of it. It is mounted where the release's
 * own root has an empty directory, so nothing is made outside, and any number can be made at a time.
 */
const useRelease = [
  'new=$release/mnt',
  'mount -t tmpfs -o mode=755 slurmwire-lab-root "$new"',
  'cd "$new"',
  'cp -a "$release/etc" .',
  'cp "$etc/passwd" "$etc/group" "$etc/hosts" etc',
  'for link in "$release"/*; do if [ -L "$link" ]; then cp -a "$link" .; fi; done',
  'mkdir var',
  'mkdir -m 1777 tmp var/tmp',
  'mkdir -p usr proc sys dev root run/lock .machine var/lib var/log var/spool ".$cluster"',
  'ln -s /run var/run',
  'mount --bind "$release/usr" usr',
  'mount -o remount,bind,ro,nosuid usr',
  'for tree in proc dev; do mount --rbind "/$tree" "$tree"; done',
  'mount --bind /sys sys',
  'mount --bind "$cluster" ".$cluster"',
  'pivot_root . .machine',
  'umount -l /.machine',
  'rmdir /.machine',
];

/** The cluster's directory cannot be where the release's programs are to be. */
export function refuseUnderUsr(root: string, directory: string): void {
  if (root === '/' || !directory.startsWith('/usr/')) return;
  throw new LabError(`inside the cluster /usr is the release's own; put it elsewhere than ${directory}`);
}

/** The words before a command that make it somebody's; none for root. */
export function becoming(account: LabAccount | undefined): readonly string[] {
  if (!account || account.uid === 0) return [];
  return ['setpriv', `--reuid=${account.uid}`, `--regid=${account.gid}`, '--init-groups', '--'];
}

/** The environment of a command: nothing of the caller's. */
export function environmentOf(
  account: LabAccount | undefined,
  home: string,
  slurmConf: string,
): Readonly<Record<string, string>> {
  const name = account?.name ?? 'root';
  return {
    PATH: searchPath,
    LANG: 'C.UTF-8',
    HOME: !account || account.uid === 0 ? '/root' : home,
    USER: name,
    LOGNAME: name,
    SHELL: '/bin/sh',
    SLURM_CONF: slurmConf,
  };
}

/**
 * Where a cluster's mark is mounted: a directory that nothing here needs and that nobody can remove. One below the
 * cluster's own directory would not do: when that directory is removed by hand, the kernel drops the mount,
 * and with it the way to the processes.
 */
export const markPoint = '/proc/driver';

export const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
