/** Encoders as straight-line programs, of what clients send: see `program-text.ts`. */
import { NO_ADDRESS } from './address.js';
import { caseIn, isSameValue, placesOf } from './compile.js';
import { GIVE_UP, identifier, made, ProgramText } from './program-text.js';
import type { Release } from './release.js';
import { NO_VAL } from './sentinels.js';
import { type Target, writeText } from './target.js';
import type { Spec, WireType } from './wire-type.js';

type AnyType = WireType<unknown, unknown>;

/** Writes a value at `target.at` and moves on. Throws whatever it likes where the closures must have a look. */
export type StraightEncoder = (target: Target, value: unknown, outer: Record<string, unknown>) => void;

/** The encoder of `type` in `release`, or `null` where programs must not be made from text. */
export function straightEncoder(type: AnyType, release: Release): StraightEncoder | null {
  return made(() => new EncoderText(release).program(type)) as StraightEncoder | null;
}

class EncoderText extends ProgramText {
  program(type: AnyType): unknown {
    return this.make(this.#whole(type));
  }

  /** The function of a type, of which a struct has one anyway. */
  #whole({ spec }: AnyType): string {
    if (spec.kind === 'struct') return this.functionOf(spec);
    this.#write(spec, 'x', 'o');
    this.flush();
    const body = this.lines.join('\n');
    return `function (s, x, o) {\nconst v = s.view;\nlet p = s.at, n;\n${body}\ns.at = p;\n}`;
  }

  protected writeStruct(name: string, spec: Extract<Spec, { kind: 'struct' }>): string {
    const [lines, ahead] = [this.lines, this.ahead];
    this.lines = [];
    this.ahead = 0;
    const { slots, carried, absent, derived } = placesOf(spec, this.release);
    const giveUp = `throw ${this.value(GIVE_UP)};`;
    const push = (line: string) => this.lines.push(line);
    push(`if (typeof x !== 'object' || x === null || Array.isArray(x)) ${giveUp}`);
    const cases = slots.map(({ name: key }) => `case '${identifier(key)}':`).join(' ');
    push(`for (const key in x) switch (key) { ${cases === '' ? '' : `${cases} break;`} default: ${giveUp} }`);
    for (const [i, { name: key, field }] of slots.entries()) {
      push(`let g${i} = x.${identifier(key)};`);
      if (field.fallback?.value !== undefined)
        push(`if (g${i} === undefined) g${i} = ${this.value(field.fallback.value)};`);
    }
    push(`const r = { ${slots.map(({ name: key }, i) => `${key}: g${i}`).join(', ')} };`);
    for (const { name: key, field } of derived) {
      push(`if (r.${key} === undefined) r.${key} = ${this.value(field.fallback?.derive)}(r);`);
    }
    for (const { name: key, field } of absent) this.#refuseUnlessFallback(key, field);
    for (const { name: key, field, place } of carried) {
      if (place !== undefined) {
        this.flush();
        push(`if (${this.value(place)}(r, o) !== false) {`);
      }
      if (field.condition !== undefined) {
        this.flush();
        push(`if (${this.value(field.condition)}(r, o) === false) {`);
        this.#refuseUnlessFallback(key, field);
        push('} else {');
      }
      this.#write(field.spec, `r.${key}`, 'r');
      if (field.condition !== undefined) {
        this.flush();
        push('}');
      }
      if (place !== undefined) {
        this.flush();
        push('}');
      }
    }
    this.flush();
    const body = this.lines.join('\n');
    this.lines = lines;
    this.ahead = ahead;
    return `function ${name}(s, x, o) {\nconst v = s.view;\nlet p = s.at, n;\n${body}\ns.at = p;\n}`;
  }

  #refuseUnlessFallback(key: string, { fallback }: AnyType): void {
    const value =
      fallback?.derive === undefined ? this.value(fallback?.value) : `${this.value(fallback.derive)}(r)`;
    if (value === 'undefined') return;
    this.lines.push(
      `if (!Object.is(r.${key}, n = ${value}) && n !== undefined && !${this.value(isSameValue)}(r.${key}, n)) throw ${this.value(GIVE_UP)};`,
    );
  }

  #write(spec: Spec, from: string, own: string): void {
    const push = (line: string) => this.lines.push(line);
    const unless = (good: string) => push(`if (!(${good})) throw ${this.value(GIVE_UP)};`);
    switch (spec.kind) {
      case 'u8':
      case 'u16':
      case 'u32': {
        const bits = Number(spec.kind.slice(1));
        push(`n = ${from};`);
        unless(`typeof n === 'number' && n >>> 0 === n${bits === 32 ? '' : ` && n < ${2 ** bits}`}`);
        push(`v.setUint${bits}(${this.take(bits / 8)}, n);`);
        return;
      }
      case 'bool':
        push(`n = ${from};`);
        unless(`typeof n === 'boolean'`);
        push(`v.setUint8(${this.take(1)}, n ? 1 : 0);`);
        return;
      case 'u64':
        push(`n = ${from};`);
        unless(`typeof n === 'bigint' && BigInt.asUintN(64, n) === n`);
        push(`v.setBigUint64(${this.take(8)}, n);`);
        return;
      case 'i64':
        push(`n = ${from};`);
        unless(`typeof n === 'bigint' && BigInt.asIntN(64, n) === n`);
        push(`v.setBigInt64(${this.take(8)}, n);`);
        return;
      case 'bigU32':
        push(`n = ${from};`);
        unless(`typeof n === 'bigint' && BigInt.asUintN(32, n) === n`);
        push(`v.setUint32(${this.take(4)}, Number(n));`);
        return;
      case 'double':
        push(`n = ${from};`);
        unless(`typeof n === 'number'`);
        push(`v.setFloat64(${this.take(8)}, n);`);
        return;
      case 'text':
        this.flush();
        push(
          `if ((n = ${from}) === null) { v.setUint32(p, 0); p += 4; } else p = ${this.value(writeText)}(s, p, n);`,
        );
        return;
      case 'struct':
        this.flush();
        push(`s.at = p; ${this.functionOf(spec)}(s, ${from}, ${own}); p = s.at;`);
        return;
      case 'list': {
        if (typeof spec.count !== 'string') {
          this.#never();
          return;
        }
        const [items, i] = [this.variable(), this.variable()];
        this.flush();
        push(`const ${items} = ${from};`);
        if (spec.nullable) push(`if (${items} === null) { v.setUint32(p, ${NO_VAL}); p += 4; } else {`);
        else push('{');
        const bits = Number(spec.count.slice(1));
        unless(`Array.isArray(${items}) && ${items}.length < ${2 ** bits}`);
        push(`v.setUint${bits}(p, ${items}.length); p += ${bits / 8};`);
        push(`for (let ${i} = 0; ${i} < ${items}.length; ${i}++) {`);
        this.#write(spec.item.spec, `${items}[${i}]`, own);
        this.flush();
        push('} }');
        return;
      }
      case 'optional': {
        this.flush();
        const bits = Number(spec.width.slice(1));
        const value = this.variable();
        push(`const ${value} = ${from};`);
        push(`v.setUint${bits}(p, ${value} === null ? 0 : ${spec.present}); p += ${bits / 8};`);
        push(`if (${value} !== null) {`);
        this.#write(spec.item.spec, value, own);
        this.flush();
        push('}');
        return;
      }
      case 'versions': {
        this.#write(caseIn(spec, this.release).spec, from, own);
        return;
      }
      case 'bitString':
        this.flush();
        push(`if (${from} === null) { v.setUint32(p, ${NO_VAL}); p += 4; } else {`);
        this.#never();
        push('}');
        return;
      case 'address':
        this.flush();
        push(`if (${from} === ${this.value(NO_ADDRESS)}) { v.setUint16(p, 0); p += 2; } else {`);
        this.#never();
        push('}');
        return;
      case 'unlessNoVal':
        this.flush();
        push(`if (${from} === null) { v.setUint32(p, ${NO_VAL}); p += 4; } else {`);
        this.#never();
        push('}');
        return;
      case 'rest':
      case 'atMostOne':
      case 'dependent':
      case 'undescribed':
        this.#never();
    }
  }

  /** Too rare in what clients send. */
  #never(): void {
    this.lines.push(`throw ${this.value(GIVE_UP)};`);
  }
}
