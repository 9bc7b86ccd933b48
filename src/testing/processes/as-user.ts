import { execFile } from 'node:child_process';

const known = new Map<number, Promise<boolean>>();

/**
 * Whether this process can start one of this user that can run `srun`: root can, unless it may not change uids (a container without the capability, or
 * with one uid) or its Node.js lies where others may not go (in root's home). It is tried, for nothing else tells. Else jobs run as who runs the cluster.
 */
export function canStartAs(uid: number, gid: number): Promise<boolean> {
  if (process.getuid?.() !== 0) return Promise.resolve(false);
  let answer = known.get(uid);
  if (answer === undefined) {
    answer = new Promise((resolve) => {
      try {
        execFile(process.execPath, ['--version'], { uid, gid, cwd: '/', timeout: 10_000 }, (error) =>
          resolve(error === null),
        );
      } catch {
        resolve(false);
      }
    });
    known.set(uid, answer);
  }
  return answer;
}
