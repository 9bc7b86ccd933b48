/**
 * What the sources say about declared records beyond what the declarations know of themselves at run time: the name of the constant that
 * holds one, and the comments of its fields.
 */
import { readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';

/**
 * @typedef {object} Declaration
 * @property {string} file name without extension
 * @property {string | null} name of the constant that is declared as this record
 * @property {readonly string[]} fields
 * @property {ReadonlyMap<string, string>} comments of fields that have one
 */

/**
 * @typedef {object} DeclaringFile
 * @property {string} file name without extension
 * @property {string} comment at its top
 */

const root = new URL('../../src/protocol/', import.meta.url);

/** @returns {{ files: DeclaringFile[], records: Declaration[] }} */
export function readDeclarations() {
  const messages = readdirSync(new URL('messages/', root)).filter((name) => name.endsWith('.ts'));
  const paths = [...messages.map((name) => `messages/${name}`), 'step-id.ts', 'header.ts', 'auth-section.ts'];
  /** @type {DeclaringFile[]} */
  const files = [];
  /** @type {Declaration[]} */
  const records = [];
  for (const path of paths) {
    const file = path.replace(/^.*\/|\.ts$/g, '');
    const source = ts.createSourceFile(
      path,
      readFileSync(new URL(path, root), 'utf8'),
      ts.ScriptTarget.Latest,
      true,
    );
    files.push({ file, comment: leadingComment(source) });
    /** @param {ts.Node} node */
    const visit = (node) => {
      const fields = fieldsOf(node, source);
      if (fields !== null) records.push({ file, name: constantOf(node), ...fields });
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  return { files, records };
}

/** @param {ts.SourceFile} source */
function leadingComment(source) {
  const range = ts.getLeadingCommentRanges(source.text, 0)?.[0];
  return range === undefined ? '' : plain(source.text.slice(range.pos, range.end));
}

/**
 * The fields of `struct({ … })` or `struct(constant)`, or null for any other node.
 *
 * @param {ts.Node} node
 * @param {ts.SourceFile} source
 */
function fieldsOf(node, source) {
  if (!ts.isCallExpression(node) || node.expression.getText() !== 'struct') return null;
  const [given] = node.arguments;
  const literal = given !== undefined && ts.isIdentifier(given) ? initializerOf(given.text, source) : given;
  if (literal === undefined || !ts.isObjectLiteralExpression(literal)) return null;
  /** @type {Map<string, string>} */
  const comments = new Map();
  const names = literal.properties.map((property) => {
    const name = property.name?.getText() ?? '';
    const text = ts
      .getJSDocCommentsAndTags(property)
      .map((comment) => plain(comment.getText()))
      .join(' ');
    if (text !== '') comments.set(name, text);
    return name;
  });
  return { fields: names, comments };
}

/**
 * @param {string} name
 * @param {ts.SourceFile} source
 */
function initializerOf(name, source) {
  for (const statement of source.statements) {
    if (!ts.isVariableStatement(statement)) continue;
    for (const { name: declared, initializer } of statement.declarationList.declarations) {
      if (declared.getText() === name) return initializer;
    }
  }
  return undefined;
}

/** @param {ts.Node} node */
function constantOf(node) {
  let at = node.parent;
  while (at !== undefined && (ts.isAsExpression(at) || ts.isPropertyAccessExpression(at) || isMethodCall(at)))
    at = at.parent;
  return at !== undefined && ts.isVariableDeclaration(at) ? at.name.getText() : null;
}

/** @param {ts.Node} node */
function isMethodCall(node) {
  return ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression);
}

/**
 * A doc comment's text without its stars, one line per paragraph, links as code.
 *
 * @param {string} comment
 */
export function plain(comment) {
  return comment
    .replace(/^\/\*\*?|\*\/$/g, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
    .join('\n')
    .trim()
    .replace(/\{@link\s+([^}|]+?)\s*\}/g, '`$1`')
    .replace(/([^\n])\n(?!\n|- |\s*```)/g, '$1 ');
}
