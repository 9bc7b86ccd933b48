/** Decoders as straight-line programs: see `program-text.ts`. */
import { type Codec, caseIn, codecOf, placesOf, type Slot } from './compile.js';
import { GIVE_UP, identifier, made, ProgramText } from './program-text.js';
import type { Release } from './release.js';
import { NO_VAL } from './sentinels.js';
import { asTable, makeShortTexts, readText, type Source } from './source.js';
import type { CountField, Spec, WireType } from './wire-type.js';

type AnyType = WireType<unknown, unknown>;

/** Reads a value at `source.at` and moves on. Throws whatever it likes where the closures must have a look. */
export interface StraightDecoder {
  (source: Source, outer: Record<string, unknown>): unknown;
  /** How many places of the program read a text. */
  readonly places: number;
}

/** The decoder of `type` in `release`, or `null` where programs must not be made from text. */
export function straightDecoder(type: AnyType, release: Release): StraightDecoder | null {
  return made(() => new DecoderText(release).program(type)) as StraightDecoder | null;
}

/** From so many items on, a list is a table. */
const TABLE = 8;

class DecoderText extends ProgramText {
  #places = 0;
  readonly #placesHolder = { count: 0 };

  program(type: AnyType): unknown {
    makeShortTexts();
    const name = this.#whole(type);
    this.#placesHolder.count = this.#places;
    return Object.assign(this.make(name) as () => unknown, { places: this.#places });
  }

  /** The function of a type, of which a struct has one anyway. */
  #whole(type: AnyType): string {
    const { spec } = type;
    if (spec.kind === 'struct') return this.functionOf(spec);
    this.#read(spec, 'r', 'o', codecOf(type, this.release));
    this.flush();
    const body = this.lines.join('\n');
    return `function (s, o) {\nconst v = s.view;\nlet p = s.at, n = 0, r;\n${body}\ns.at = p;\nreturn r;\n}`;
  }

  protected writeStruct(name: string, spec: Extract<Spec, { kind: 'struct' }>): string {
    const [lines, ahead] = [this.lines, this.ahead];
    this.lines = [];
    this.ahead = 0;
    const { slots, carried, derived } = placesOf(spec, this.release);
    // All keys first, with what stands for "not there": what the closures do too.
    const literal = slots.map(
      ({ name: key, field }) => `${identifier(key)}: ${this.value(field.fallback?.value)}`,
    );
    this.lines.push(`const r = { ${literal.join(', ')} };`);
    for (const slot of carried) this.#field(slot);
    this.flush();
    for (const { name: key, field } of derived) {
      this.lines.push(
        `if (r.${identifier(key)} === undefined) r.${key} = ${this.value(field.fallback?.derive)}(r);`,
      );
    }
    const body = this.lines.join('\n');
    this.lines = lines;
    this.ahead = ahead;
    return `function ${name}(s, o) {\nconst v = s.view;\nlet p = s.at, n = 0;\n${body}\ns.at = p;\nreturn r;\n}`;
  }

  #field({ name, field, codec, place }: Slot & { codec: Codec }): void {
    const conditions = [field.condition, place]
      .filter((condition) => condition !== undefined)
      .map((condition) => `${this.value(condition)}(r, o) !== false`);
    if (conditions.length > 0) {
      this.flush();
      this.lines.push(`if (${conditions.join(' && ')}) {`);
    }
    this.#read(field.spec, `r.${identifier(name)}`, 'r', codec);
    if (conditions.length > 0) {
      this.flush();
      this.lines.push('}');
    }
  }

  #read(spec: Spec, to: string, own: string, codec: Codec): void {
    const push = (line: string) => this.lines.push(line);
    switch (spec.kind) {
      case 'u8':
        push(`${to} = v.getUint8(${this.take(1)});`);
        return;
      case 'bool':
        push(`${to} = v.getUint8(${this.take(1)}) !== 0;`);
        return;
      case 'u16':
        push(`${to} = v.getUint16(${this.take(2)});`);
        return;
      case 'u32':
        push(`${to} = v.getUint32(${this.take(4)});`);
        return;
      case 'bigU32':
        push(`${to} = (n = v.getUint32(${this.take(4)})) === 0 ? 0n : BigInt(n);`);
        return;
      case 'u64':
      case 'i64': {
        // Mostly zeros, for which no bigint need be made.
        const [high, low] = [this.take(4), this.take(4)];
        const get = spec.kind === 'u64' ? 'getBigUint64' : 'getBigInt64';
        push(`${to} = (v.getUint32(${high}) | v.getUint32(${low})) === 0 ? 0n : v.${get}(${high});`);
        return;
      }
      case 'double':
        push(`${to} = v.getFloat64(${this.take(8)});`);
        return;
      case 'text':
        this.flush();
        push(`if ((n = v.getUint32(p)) === 0) { ${to} = null; p += 4; }`);
        push(`else { ${to} = ${this.value(readText)}(s, p + 4, n, ${this.#places++}); p += 4 + n; }`);
        return;
      case 'struct': {
        this.flush();
        push(`s.at = p; ${to} = ${this.functionOf(spec)}(s, ${own}); p = s.at;`);
        return;
      }
      case 'list':
        this.#list(spec, to, own);
        return;
      case 'optional': {
        this.flush();
        push(spec.width === 'u8' ? 'n = v.getUint8(p++);' : 'n = v.getUint16(p); p += 2;');
        push(`if (n === 0) ${to} = null; else {`);
        this.#read(spec.item.spec, to, own, codecOf(spec.item, this.release));
        this.flush();
        push('}');
        return;
      }
      case 'unlessNoVal':
        this.flush();
        push(`if (v.getUint32(p) === ${NO_VAL}) { ${to} = null; p += 4; } else {`);
        this.#read(spec.item.spec, to, own, codecOf(spec.item, this.release));
        this.flush();
        push('}');
        return;
      case 'atMostOne': {
        const item = this.variable();
        push(`let ${item};`);
        this.#read(spec.item.spec, item, own, codecOf(spec.item, this.release));
        push(`${to} = ${item} === null ? [] : [${item}];`);
        return;
      }
      case 'versions': {
        const held = caseIn(spec, this.release);
        this.#read(held.spec, to, own, codecOf(held, this.release));
        return;
      }
      case 'bitString':
        this.flush();
        push(`if (v.getUint32(p) === ${NO_VAL}) { ${to} = null; p += 4; } else {`);
        this.#slowly(to, own, codec);
        push('}');
        return;
      case 'address':
        this.flush();
        push(`if ((n = v.getUint16(p)) !== 2 && n !== 10) { ${to} = { family: n }; p += 2; } else {`);
        this.#slowly(to, own, codec);
        push('}');
        return;
      case 'rest':
      case 'dependent':
      case 'undescribed':
        this.flush();
        this.#slowly(to, own, codec);
    }
  }

  #slowly(to: string, own: string, codec: Codec): void {
    this.lines.push(`s.at = p; ${to} = s.readSlowly(${this.value(codec)}, ${own}); p = s.at;`);
  }

  #list(spec: Extract<Spec, { kind: 'list' }>, to: string, own: string): void {
    this.flush();
    const push = (line: string) => this.lines.push(line);
    const [items, item, i, length] = [this.variable(), this.variable(), this.variable(), this.variable()];
    const itemCodec = codecOf(spec.item, this.release);
    const minItem = Math.max(1, itemCodec.minSize);
    push(`const ${length} = ${this.#count(spec.count, own)};`);
    if (spec.nullable) push(`if (${length} === ${NO_VAL}) ${to} = null; else {`);
    else push('{');
    push(`if (!(${length} >= 0 && ${length} * ${minItem} <= s.end - p)) throw ${this.value(GIVE_UP)};`);
    push(`if (${length} >= ${TABLE}) ${this.value(asTable)}(s, ${this.value(this.#placesHolder)}.count);`);
    push(`const ${items} = [];`);
    push(`for (let ${i} = 0; ${i} < ${length}; ${i}++) {`);
    push(`let ${item};`);
    this.#read(spec.item.spec, item, own, itemCodec);
    this.flush();
    push(`${items}.push(${item});`);
    push('}');
    push(`${to} = ${items};`);
    push('}');
  }

  #count(count: 'u16' | 'u32' | CountField, own: string): string {
    if (count === 'u16') return 'v.getUint16((p += 2) - 2)';
    if (count === 'u32') return 'v.getUint32((p += 4) - 4)';
    return `${own}.${identifier(count.field)} - ${this.value(count.unlisted)}(${own})`;
  }
}
