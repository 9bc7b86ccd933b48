/**
 * The fast way of the codec: a declaration written out as straight-line JavaScript for one release, the whole record as one object
 * literal, every offset a sum. Several times faster than the closures of `compile.ts`, which say what is right.
 *
 * It reads and writes what is good and common. At anything else, whatever is wrong with it or only rare, it gives up, and the closures
 * do the work from the beginning: so there is one place that judges, and the errors are its own, path and offset included.
 *
 * What is put into the text of a program: names of declared fields, which must be plain identifiers, and numbers of the declaration. Nothing
 * that came from the network or from a caller. Where programs must not be made from text, there is no fast way.
 */
import type { Release } from './release.js';
import type { Spec } from './wire-type.js';

/** Not for us. Made once, without a stack: it never gets out of the codec. */
export const GIVE_UP: unknown = Object.freeze({ giveUp: true });

/** A program, or `null` where none can be made. A content security policy, or Node's `--disallow-code-generation-from-strings`, refuses with an EvalError. */
export function made(make: () => unknown): unknown {
  try {
    return make();
  } catch {
    // CodecFault: a type without a form in this release, of which the closures say so.
    return null;
  }
}

/** What both texts have in common: functions, one a struct, and the values that they refer to. */
export abstract class ProgramText {
  protected readonly release: Release;
  readonly #functions: string[] = [];
  readonly #names = new Map<Spec, string>();
  readonly #values: unknown[] = [];
  #variables = 0;
  /** Of the function that is being written. */
  protected lines: string[] = [];
  /** How far the next field is from `p`. */
  protected ahead = 0;

  constructor(release: Release) {
    this.release = release;
  }

  /** A value as text: plain ones as themselves, all others as the name of a constant. */
  protected value(value: unknown): string {
    if (value === undefined || value === null || typeof value === 'boolean') return String(value);
    if (typeof value === 'number' && Number.isSafeInteger(value) && !Object.is(value, -0))
      return String(value);
    if (typeof value === 'bigint') return `${value}n`;
    let at = this.#values.indexOf(value);
    if (at < 0) at = this.#values.push(value) - 1;
    return `k${at}`;
  }

  /** Where the next `size` bytes are. */
  protected take(size: number): string {
    const at = this.ahead === 0 ? 'p' : `p + ${this.ahead}`;
    this.ahead += size;
    return at;
  }

  protected flush(): void {
    if (this.ahead > 0) this.lines.push(`p += ${this.ahead};`);
    this.ahead = 0;
  }

  protected variable(): string {
    return `x${this.#variables++}`;
  }

  /** The name of the function of a struct, which is written if need be. */
  protected functionOf(spec: Extract<Spec, { kind: 'struct' }>): string {
    const known = this.#names.get(spec);
    if (known !== undefined) return known;
    const name = `f${this.#names.size}`;
    this.#names.set(spec, name);
    this.#functions.push(this.writeStruct(name, spec));
    return name;
  }

  protected abstract writeStruct(name: string, spec: Extract<Spec, { kind: 'struct' }>): string;

  protected make(last: string): unknown {
    const constants = this.#values.map((_, i) => `const k${i} = k[${i}];`).join('\n');
    return new Function('k', `'use strict';\n${constants}\n${this.#functions.join('\n')}\nreturn ${last};`)(
      this.#values,
    );
  }
}

/** What is put into a text as a name. */
export function identifier(name: string): string {
  if (!/^[a-z][A-Za-z0-9]*$/.test(name)) throw new TypeError(`field ${name} is no plain identifier`);
  return name;
}
