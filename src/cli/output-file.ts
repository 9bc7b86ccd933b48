/** Files that commands write whole: a new one beside takes the old one's place, so the place is looked at before anything is done. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Why no file can be put in this place; `null`: it can. A device or pipe is no such place: root would put a file where /dev/null was.
 */
export async function whyNoFile(path: string): Promise<string | null> {
  try {
    const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (found !== null && !found.isFile()) return 'is not a regular file';
    await access(dirname(path), constants.W_OK | constants.X_OK);
    return null;
  } catch (error) {
    return `cannot be written (${(error as NodeJS.ErrnoException).code})`;
  }
}
