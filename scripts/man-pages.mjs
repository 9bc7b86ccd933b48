/** All manual pages of the program. */
import { readFile } from 'node:fs/promises';
import { manPage, pageName } from './man-page.mjs';

const root = new URL('../', import.meta.url);

/**
 * @param {import('commander').Command} program
 * @returns {Promise<Map<string, string>>} file name → text
 */
export async function allPages(program) {
  const { version } = JSON.parse(await readFile(new URL('package.json', root), 'utf8'));
  const commands = [program, ...program.commands];
  const seeAlso = commands.map(pageName);
  /** @type {Map<string, string>} */
  const pages = new Map();
  for (const command of commands) {
    const prose = await proseOf(pageName(command));
    pages.set(`${pageName(command)}.1`, manPage(command, { prose, version, seeAlso }));
  }
  return pages;
}

/** @param {string} name */
async function proseOf(name) {
  try {
    return await readFile(new URL(`man/prose/${name}.txt`, root), 'utf8');
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT') return '';
    throw error;
  }
}
