/** What daemons of a release say that they are. */
import type { Release } from '../../../protocol/release.js';

/** The very versions whose bytes this library is tested with: those of `fixtures/golden`. */
const VERSION_TEXTS: Readonly<Record<Release, string>> = {
  '20.11': '20.11.4',
  '21.08': '21.08.8-2',
  '22.05': '22.05.8',
  '23.02': '23.02.8',
  '23.11': '23.11.11',
  '24.05': '24.05.8',
  '24.11': '24.11.5',
  '25.05': '25.05.8',
  '25.11': '25.11.7',
  '26.05': '26.05.5',
  '26.11': '26.11.0-0rc1',
};

export function versionText(release: Release): string {
  return VERSION_TEXTS[release];
}
