/** The rule of the house: which part of `src` may import which. Checked by test/layers.test.ts. */

export interface SourceFile {
  /** Path below `src`, with forward slashes: `rpc/kill.ts`. */
  readonly path: string;
  readonly text: string;
}

/** What each folder may import of the others, beside itself. The root holds index.ts, which may import all. */
const BELOW: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  replay: ['protocol'],
  auth: ['protocol'],
  config: ['protocol'],
  rpc: ['protocol', 'replay', 'auth', 'config'],
  testing: ['protocol', 'replay', 'auth', 'config', 'rpc'],
  cli: ['protocol', 'replay', 'auth', 'config', 'rpc', 'testing'],
};

/** Packages the pure layer may use: pure themselves. */
const PURE_PACKAGES = /^@noble\/hashes(\/|$)/;

/** Names that exist only in Node, or that do something beside computing. */
const IMPURE_NAMES =
  /\b(Buffer|process|require|global|globalThis|window|fetch|console|performance|setTimeout|setInterval|setImmediate|clearTimeout|queueMicrotask|__dirname|__filename)\b|\bimport\.meta\b|\bDate\.now\b|\bnew Date\b|\bMath\.random\b/g;

/** Everything that breaks the rule, one line each; empty when all is well. */
export function layerViolations(files: readonly SourceFile[]): string[] {
  return files.flatMap(violationsOf);
}

function violationsOf({ path, text }: SourceFile): string[] {
  const folder = folderOf(path);
  const imports = importsOf(text).flatMap((specifier) => {
    const why = objection(path, folder, specifier);
    return why === null ? [] : [`${path} imports ${specifier}: ${why}`];
  });
  const impure = folder === 'protocol' ? [...new Set(withoutProse(text).match(IMPURE_NAMES))] : [];
  return [
    ...imports,
    ...impure.map((name) => `${path} uses ${name}: src/protocol computes and nothing else`),
  ];
}

function objection(path: string, folder: string, specifier: string): string | null {
  if (!specifier.startsWith('.')) {
    return folder !== 'protocol' || PURE_PACKAGES.test(specifier)
      ? null
      : 'src/protocol imports nothing from outside';
  }
  const target = resolved(path, specifier);
  if (target === null) return 'it lies outside src';
  if (target === 'index.js') return 'nothing imports src/index.ts';
  const other = folderOf(target);
  if (folder === '' || folder === other) return null;
  if (BELOW[folder] === undefined) return `src/${folder} has no place in the layers yet`;
  return BELOW[folder].includes(other) ? null : `src/${folder} may not look at src/${other}`;
}

/** The specifiers of all static imports, re-exports, dynamic imports and import types. */
export function importsOf(text: string): string[] {
  const code = withoutComments(text);
  const statements = /^\s*(?:import|export)\s(?:[\w\s{},*$]*?\sfrom\s*)?\s*(['"])([^'"\n]+)\1/gm;
  const calls = /\bimport\s*\(\s*(['"`])([^'"`\n]+)\1/g;
  return [statements, calls].flatMap((pattern) => [...code.matchAll(pattern)].map(([, , name = '']) => name));
}

function folderOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.indexOf('/')) : '';
}

function resolved(path: string, specifier: string): string | null {
  const parts = path.split('/').slice(0, -1);
  for (const step of specifier.split('/')) {
    if (step === '..') {
      if (parts.pop() === undefined) return null;
    } else if (step !== '.') parts.push(step);
  }
  return parts.join('/');
}

const STRING = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/;
const COMMENT = /\/\*[\s\S]*?\*\/|\/\/[^\n]*/;
const COMMENT_OR_STRING = new RegExp(`${STRING.source}|${COMMENT.source}`, 'g');

function withoutComments(text: string): string {
  return text.replace(COMMENT_OR_STRING, (found) => (found.startsWith('/') ? ' ' : found));
}

/** Code alone: no comments, no strings. Template literals stay, since code may stand in them. */
function withoutProse(text: string): string {
  return text.replace(COMMENT_OR_STRING, ' ');
}
