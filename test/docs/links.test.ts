/** Links between the pages of this repository lead somewhere: to a file that is there, and a heading in it. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const root = new URL('../../', import.meta.url);
const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(new URL('docs/', root), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

test('there are pages', () => {
  expect(pages).toContain('README.md');
  expect(pages).toContain('docs/protocol.md');
  expect(pages).toContain('docs/api/slurmwire.md');
});

describe.each(pages)('%s', (page) => {
  const url = new URL(page, root);
  const prose = withoutCode(readFileSync(url, 'utf8'));
  const links = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);

  test('has no dead links', () => {
    const dead = links.filter((link) => !/^[a-z]+:/.test(link) && !leadsSomewhere(link, url));
    expect(dead).toEqual([]);
  });
});

test('anchors are as GitHub makes them', () => {
  expect(anchorsOf('# A b: `c_d`, e\n## A b: c_d, e\n<a id="x"></a>')).toEqual(
    new Set(['a-b-c_d-e', 'a-b-c_d-e-1', 'x']),
  );
});

function leadsSomewhere(link: string, from: URL): boolean {
  const target = new URL(link, from);
  const file = new URL(target.pathname, 'file:');
  if (!existsSync(file)) return false;
  if (target.hash === '') return true;
  return (
    statSync(file).isFile() &&
    anchorsOf(readFileSync(file, 'utf8')).has(decodeURIComponent(target.hash.slice(1)))
  );
}

const known = new Map<string, Set<string>>();

function anchorsOf(text: string): Set<string> {
  const anchors = known.get(text) ?? findAnchors(text);
  known.set(text, anchors);
  return anchors;
}

function findAnchors(text: string): Set<string> {
  const anchors = new Set([...text.matchAll(/<a id="([^"]+)"/g)].map(([, id = '']) => id));
  for (const [, heading = ''] of text.replace(/^```[\s\S]*?^```/gm, '').matchAll(/^#{1,6} (.*)$/gm)) {
    const slug = heading
      .toLowerCase()
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-');
    let anchor = slug;
    for (let again = 1; anchors.has(anchor); again++) anchor = `${slug}-${again}`;
    anchors.add(anchor);
  }
  return anchors;
}

function withoutCode(text: string): string {
  return text.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, '');
}
