/**
 * The entry points of the package, as package.json has them: what `slurmwire`, `slurmwire/protocol` … export. A new one there is documented
 * and reported by itself.
 */
import { readFileSync } from 'node:fs';

const root = new URL('../../', import.meta.url);

/**
 * @typedef {object} EntryPoint
 * @property {string} name as callers import it
 * @property {string} page name of its page and of its report
 * @property {string} source from the root of the repository
 */

/** @returns {EntryPoint[]} */
export function entryPoints() {
  const { name, exports } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
  return Object.entries(exports).flatMap(([path, target]) => {
    const types = /** @type {{ types?: string }} */ (target).types;
    if (types === undefined) return [];
    const source = types.replace('./dist/', 'src/').replace(/\.d\.ts$/, '.ts');
    return { name: path.replace(/^\./, name), page: path === '.' ? name : path.slice(2), source };
  });
}
