/**
 * Puts counters into compiled JavaScript: one at the head of each function, and one for each way that a branch can go (the way
 * past an `if` without `else` too), so that a counter stands for an edge of the flow.
 *
 * With acorn and insertions into the text: a whole instrumenter (istanbul's brings Babel) would be sixty packages for this page.
 */
import { type Node, parse } from 'acorn';
import { COUNTERS } from './coverage.js';

/** An instrumented file. */
export interface Instrumented {
  readonly code: string;
  /** The line of each counter. */
  readonly lines: readonly number[];
  /** Numbers and short strings that stand in the code: what it compares its input with is among them. */
  readonly literals: ReadonlySet<string | number>;
}

/** Instruments the text of an ES module. @param file its name, told to the registry of counters when it is loaded. */
export function instrument(source: string, file: string): Instrumented {
  const inserts: { at: number; text: string; order: number }[] = [];
  const literals = new Set<string | number>();
  const lines: number[] = [];
  const insert = (at: number, text: string) => inserts.push({ at, text, order: inserts.length });
  const count = ({ loc }: AnyNode) => `$c[${lines.push(loc?.start.line ?? 0) - 1}]++`;
  const hit = (node: AnyNode) => `${count(node)};`;

  const block = (node: AnyNode) => {
    if (node.type === 'BlockStatement') insert(node.start + 1, hit(node));
    else {
      insert(node.start, `{${hit(node)}`);
      insert(node.end, '}');
    }
  };
  const expression = (node: AnyNode) => {
    insert(node.start, `(${count(node)},`);
    insert(node.end, ')');
  };

  const visit = (node: AnyNode): void => {
    switch (node.type) {
      case 'Literal': {
        const literal = node.value;
        // Sentences and paths of imports are nothing that input is compared with.
        const isWord =
          typeof literal === 'string' && literal.length <= 32 && !/\s\S+\s|^\.{0,2}\/|^node:/.test(literal);
        if (typeof literal === 'number' || isWord) literals.add(literal as string | number);
        break;
      }
      case 'FunctionDeclaration':
      case 'FunctionExpression':
        insert((node.body as AnyNode).start + 1, hit(node));
        break;
      case 'ArrowFunctionExpression': {
        const body = node.body as AnyNode;
        if (body.type === 'BlockStatement') insert(body.start + 1, hit(node));
        else expression(body);
        break;
      }
      case 'IfStatement': {
        const other = node.alternate as AnyNode | null;
        // Before its block: at one place what was inserted last closes first.
        if (other === null) insert(node.end, ` else {${hit(node)}}`);
        block(node.consequent as AnyNode);
        if (other !== null) block(other);
        break;
      }
      case 'ForStatement':
      case 'ForInStatement':
      case 'ForOfStatement':
      case 'WhileStatement':
      case 'DoWhileStatement':
        block(node.body as AnyNode);
        break;
      case 'SwitchCase': {
        const first = (node.consequent as AnyNode[])[0];
        if (first !== undefined) insert(first.start, hit(node));
        break;
      }
      case 'CatchClause':
        insert((node.body as AnyNode).start + 1, hit(node));
        break;
      case 'ConditionalExpression':
        expression(node.consequent as AnyNode);
        expression(node.alternate as AnyNode);
        break;
      case 'LogicalExpression':
        expression(node.right as AnyNode);
        break;
    }
    for (const child of childrenOf(node)) visit(child);
  };
  visit(
    parse(source, { ecmaVersion: 'latest', sourceType: 'module', locations: true }) as unknown as AnyNode,
  );

  const preamble = `const $c = globalThis.${COUNTERS}.allot(${lines.length}, ${JSON.stringify(file)});`;
  return { code: preamble + applied(source, inserts), lines, literals };
}

type AnyNode = Node & Record<string, unknown>;

function* childrenOf(node: AnyNode): Generator<AnyNode> {
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (typeof child === 'object' && child !== null && typeof child.type === 'string') yield child;
    }
  }
}

/** Insertions at one place: an inner node's closing comes before an outer one's, an outer one's opening before an inner one's. */
function applied(source: string, inserts: { at: number; text: string; order: number }[]): string {
  const isClosing = (text: string) => text === '}' || text === ')' || text.startsWith(' else');
  const sorted = inserts.toSorted((a, b) => {
    if (a.at !== b.at) return a.at - b.at;
    const [closesA, closesB] = [isClosing(a.text), isClosing(b.text)];
    if (closesA !== closesB) return closesA ? -1 : 1;
    return closesA ? b.order - a.order : a.order - b.order;
  });
  let out = '';
  let at = 0;
  for (const { at: place, text } of sorted) {
    out += source.slice(at, place) + text;
    at = place;
  }
  return out + source.slice(at);
}
