/**
 * docs/api, one page per entry point, and the reports of what each exports (test/package/api): from the sources' types and doc comments,
 * by TypeDoc. Everything exported has to have a comment, whose first sentence stands alone.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Application, ReflectionKind } from 'typedoc';
import { tidy } from './api-model.mjs';
import { apiReport } from './api-report.mjs';
import { badSummaries } from './doc-comments.mjs';
import { entryPoints } from './entry-points.mjs';

/** @typedef {import('../../scripts/outputs.mjs').Output} Output */

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Types of the package that are told where they are used, and not by themselves. */
const NOT_EXPORTED = ['OutOf', 'InOf', 'SomeType', 'Derivation', 'Bare'];

/** @returns {Promise<Output[]>} */
export async function apiPages() {
  const entries = entryPoints();
  const app = await Application.bootstrapWithPlugins({
    entryPoints: entries.map(({ source }) => join(root, source)),
    tsconfig: join(root, 'tsconfig.json'),
    basePath: root,
    name: 'slurmwire',
    plugin: [fileURLToPath(import.meta.resolve('typedoc-plugin-markdown'))],
    readme: 'none',
    // Types are judged by the TypeScript that builds.
    skipErrorChecking: true,
    router: 'module',
    disableSources: true,
    excludeInternal: true,
    excludeExternals: true,
    excludePrivate: true,
    // What a declared message is, field by field, is in docs/messages.md.
    maxTypeConversionDepth: 6,
    sort: ['source-order'],
    groupOrder: ['Functions', 'Classes', 'Interfaces', 'Type Aliases', 'Variables', '*', 'References'],
    validation: { notExported: false, notDocumented: false, invalidLink: true, rewrittenLink: true },
    intentionallyNotExported: NOT_EXPORTED,
    logLevel: 'Warn',
    ...LOOKS,
  });
  const project = await app.convert();
  if (project === undefined) throw new Error('TypeDoc could not read the sources');
  const modules = entries.map((entry, i) => {
    const module = project.children?.filter((child) => child.kindOf(ReflectionKind.Module))[i];
    if (module === undefined) throw new Error(`${entry.name}: TypeDoc has no module for it`);
    module.name = entry.page;
    return { entry, module };
  });
  tidy(
    project,
    modules.map(({ module }) => module),
  );
  app.validate(project);
  const bad = modules.flatMap(({ module }) => badSummaries(module));
  for (const line of bad) console.error(line);
  if (bad.length > 0 || app.logger.hasWarnings()) process.exitCode = 1;

  return [
    ...(await renderedPages(app, project, entries)),
    ...modules.map(({ entry, module }) => ({
      target: `test/package/api/${entry.page}.txt`,
      source: entry.source,
      text: apiReport(entry, module),
    })),
  ];
}

const LOOKS = {
  hideBreadcrumbs: true,
  hidePageHeader: true,
  hideGenerator: true,
  githubPages: false,
  entryFileName: 'README',
  useCodeBlocks: true,
  expandObjects: false,
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  classPropertiesFormat: 'table',
  typeDeclarationFormat: 'table',
  propertyMembersFormat: 'table',
  typeAliasPropertiesFormat: 'table',
  enumMembersFormat: 'table',
  tableColumnSettings: { hideInherited: true, hideOverrides: true, hideSources: true, hideModifiers: true },
};

/**
 * @param {Application} app
 * @param {import('typedoc').ProjectReflection} project
 * @param {readonly import('./entry-points.mjs').EntryPoint[]} entries
 * @returns {Promise<Output[]>}
 */
async function renderedPages(app, project, entries) {
  const titled = (/** @type {string} */ text) =>
    text.replace(/^# (.*)/, (title, page) => {
      const entry = entries.find((one) => one.page === page);
      return entry === undefined ? title : `# ${entry.name}`;
    });
  const directory = await mkdtemp(join(tmpdir(), 'slurmwire-api-'));
  try {
    await app.outputs.writeOutput({ name: 'markdown', path: directory }, project);
    const names = (await readdir(directory, { recursive: true }))
      .filter((name) => name.endsWith('.md'))
      .sort();
    return await Promise.all(
      names.map(async (name) => ({
        target: `docs/api/${name}`,
        source: 'the sources',
        text: `${titled(await readFile(join(directory, name), 'utf8')).trimEnd()}\n`,
      })),
    );
  } finally {
    await rm(directory, { recursive: true });
  }
}
