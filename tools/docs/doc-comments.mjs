/** Doc comments of what is exported: there is one, and its first sentence can be read without the rest. */
import { ReflectionKind } from 'typedoc';

/**
 * What is wrong with the comments of a module's exports and of the methods of its classes, one line each.
 *
 * @param {import('typedoc').DeclarationReflection} module
 * @returns {string[]}
 */
export function badSummaries(module) {
  return (module.children ?? [])
    .filter((one) => !one.isReference())
    .flatMap((one) => [one, ...methodsOf(one)])
    .flatMap((one) => {
      const wrong = wrongWith(summaryOf(one));
      return wrong === null ? [] : [`${one.getFullName()}: ${wrong}`];
    });
}

/** @param {import('typedoc').DeclarationReflection} one */
function methodsOf(one) {
  if (!one.kindOf(ReflectionKind.Class | ReflectionKind.Interface)) return [];
  return (one.children ?? []).filter(
    (child) =>
      child.kindOf(ReflectionKind.Method) && child.inheritedFrom === undefined && !child.name.startsWith('['),
  );
}

/** @param {import('typedoc').DeclarationReflection} one */
function summaryOf(one) {
  const commented = [one, ...(one.signatures ?? []), ...typeSignatures(one)].find(
    ({ comment }) => comment !== undefined,
  );
  return (commented?.comment?.summary ?? [])
    .map(({ text }) => text)
    .join('')
    .trim();
}

/** A constant that holds a function has its comment at the function's signature. */
/** @param {import('typedoc').DeclarationReflection} one */
function typeSignatures(one) {
  return one.type?.type === 'reflection' ? (one.type.declaration.signatures ?? []) : [];
}

/**
 * @param {string} summary
 * @returns {string | null}
 */
export function wrongWith(summary) {
  if (summary === '') return 'no doc comment';
  const [first = ''] = summary.split(/(?<=[.:!?])(?=\s|$)|\n\s*\n/);
  if (!/[.:!?]$/.test(first)) return `the first sentence of its comment has no end: ${first}`;
  if (!/^[\p{Lu}\d`"'(]/u.test(first)) return `the first sentence of its comment has no beginning: ${first}`;
  if (/^(See|As above|Also|And|Like that|The same)\b/.test(first))
    return `the first sentence of its comment needs another one: ${first}`;
  return null;
}
