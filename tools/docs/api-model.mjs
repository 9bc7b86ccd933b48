/**
 * Makes TypeDoc's model say what the sources say: the compiler spells out some types that have a name, and repeats what a class inherits.
 */

import { makeRecursiveVisitor, ReferenceType, ReflectionKind, UnknownType } from 'typedoc';
import { MESSAGES, RELEASE_NAMES } from '../../dist/protocol/index.js';

/** @typedef {import('typedoc').DeclarationReflection} Declaration */
/** @typedef {import('typedoc').ProjectReflection} Project */
/** @typedef {{ readonly alias: Declaration, readonly literals: ReadonlySet<unknown> }} NamedUnion */

/** Fewer literals than this are shorter than their name, or as clear. */
const WORTH_A_NAME = 4;

/** Unions that the sources derive from tables, so that TypeDoc does not see their literals in their declaration. */
/** @type {Readonly<Record<string, readonly string[]>>} */
const DERIVED = { Release: RELEASE_NAMES, MessageName: Object.keys(MESSAGES) };

/**
 * @param {Project} project
 * @param {readonly Declaration[]} modules
 */
export function tidy(project, modules) {
  const exported = modules.flatMap((module) => module.children ?? []);
  const named = exported.flatMap(namedUnion);
  for (const reflection of Object.values(project.reflections)) {
    const { type } = /** @type {{ type?: import('typedoc').SomeType }} */ (
      /** @type {unknown} */ (reflection)
    );
    if (named.some(({ alias }) => alias === reflection)) continue;
    type?.visit(makeRecursiveVisitor({ union: (union) => useNames(union, named, project) }));
  }
  for (const { signatures } of Object.values(project.reflections).flatMap(callable)) sayOnce(signatures);
  for (const one of exported) if (one.kindOf(ReflectionKind.Class)) dropInherited(one, project);
  spellAsDeclared(exported, project);
}

/**
 * @param {Declaration} alias
 * @returns {NamedUnion[]}
 */
function namedUnion(alias) {
  if (!alias.kindOf(ReflectionKind.TypeAlias)) return [];
  const derived = DERIVED[alias.name];
  if (derived !== undefined) return [{ alias, literals: new Set(derived) }];
  if (alias.type?.type !== 'union') return [];
  const literals = alias.type.types.flatMap((type) => (type.type === 'literal' ? [type.value] : []));
  const isOne = literals.length === alias.type.types.length && literals.length >= WORTH_A_NAME;
  return isOne ? [{ alias, literals: new Set(literals) }] : [];
}

/**
 * @param {import('typedoc').UnionType} union
 * @param {readonly NamedUnion[]} named
 * @param {Project} project
 */
function useNames(union, named, project) {
  for (const { alias, literals } of named) {
    const isOf = (/** @type {import('typedoc').SomeType} */ type) =>
      type.type === 'literal' && literals.has(type.value);
    if (union.types.filter(isOf).length !== literals.size) continue;
    const others = union.types.filter((type) => !isOf(type));
    union.types = [ReferenceType.createResolvedReference(alias.name, alias, project), ...others];
  }
}

/**
 * @param {import('typedoc').Reflection} reflection
 * @returns {{ signatures: readonly import('typedoc').SignatureReflection[] }[]}
 */
function callable(reflection) {
  const { signatures } = /** @type {Declaration} */ (reflection);
  return signatures === undefined ? [] : [{ signatures }];
}

/**
 * A comment that several overloads share stands at the first.
 *
 * @param {readonly import('typedoc').SignatureReflection[]} signatures
 */
function sayOnce([first, ...others]) {
  for (const other of others) {
    if (textOf(other) !== textOf(first)) continue;
    delete other.comment;
    for (const parameter of other.parameters ?? []) delete parameter.comment;
  }
}

/** @param {import('typedoc').SignatureReflection | undefined} signature */
function textOf(signature) {
  return signature?.comment?.summary.map(({ text }) => text).join('');
}

/**
 * @param {Declaration} one
 * @param {Project} project
 */
function dropInherited(one, project) {
  for (const child of [...(one.children ?? [])]) {
    if (
      child.inheritedFrom !== undefined ||
      child.signatures?.some((signature) => signature.inheritedFrom !== undefined)
    ) {
      project.removeReflection(child);
    }
  }
}

/**
 * What depends on the message tables would be all tables at once.
 *
 * @param {readonly Declaration[]} exported
 * @param {Project} project
 */
function spellAsDeclared(exported, project) {
  const find = (/** @type {string} */ name) =>
    exported.find((one) => one.name === name && !one.isReference());
  const messages = find('MESSAGES');
  if (messages === undefined) throw new Error('MESSAGES is not exported any more');
  dropType(messages, project);
  messages.type = new UnknownType('{ readonly [name in MessageName]: WireType }');
  const record = find('ReplyOf')?.children?.find(({ name }) => name === 'record');
  if (record === undefined) throw new Error('ReplyOf has no record any more');
  dropType(record, project);
  record.type = new UnknownType('MessageRecord<N>');
}

/**
 * @param {Declaration} one
 * @param {Project} project
 */
function dropType(one, project) {
  if (one.type?.type === 'reflection') project.removeReflection(one.type.declaration);
}
