/**
 * Long tables, decoded bit by bit: a controller's list of ten thousand jobs would else keep the event loop for a third of a second. What makes the
 * pauses is not here: this layer knows no time.
 */
import { bodyCodec } from './body.js';
import { ByteReader } from './byte-reader.js';
import { within, withProtocolErrors } from './codec-fault.js';
import { caseIn, codecOf, fallbackOf, isFieldIn, type ListSpec, readLength } from './compile.js';
import { FastCodec } from './fast-codec.js';
import { type MessageName, type MessageRecord, messageType } from './messages/index.js';
import type { Release } from './release.js';
import type { Source } from './source.js';
import type { Spec, WireType } from './wire-type.js';

type StructSpec = Extract<Spec, { kind: 'struct' }>;
type Fields = Record<string, unknown>;

/**
 * As `decodeBody`, yielding after each `every` items of a list that is a field of the message itself.
 *
 * @throws the same as `decodeBody` for the same bytes.
 */
export function* decodeBodyInSlices<N extends MessageName>(
  name: N,
  release: Release,
  bytes: Uint8Array,
  every: number,
): Generator<void, MessageRecord<N>, void> {
  try {
    const codec = bodyCodec(name, release);
    const reader = new ByteReader(bytes);
    const spec = specIn(messageType(name) as WireType<unknown, unknown>, release);
    // Of those whose fields change places none has a long list.
    const isPlain = spec.kind === 'struct' && spec.layouts.length === 0;
    const record = isPlain ? yield* decodeStruct(spec, release, reader, every) : codec.decode(reader, {});
    reader.finish();
    return record as MessageRecord<N>;
  } catch (thrown) {
    return withProtocolErrors(String(name), String(release), () => {
      throw thrown;
    });
  }
}

/** As the decoder of a struct in `compile.ts`. */
function* decodeStruct(
  { fields }: StructSpec,
  release: Release,
  reader: ByteReader,
  every: number,
): Generator<void, Fields, void> {
  const record: Fields = {};
  for (const [name, field] of fields) record[name] = field.fallback?.value;
  for (const [name, field] of fields) {
    if (!isFieldIn(field, release) || field.condition?.(record, {}) === false) continue;
    try {
      const spec = specIn(field, release);
      record[name] =
        spec.kind === 'list'
          ? yield* decodeList(spec, release, reader, record, every)
          : codecOf(field, release).decode(reader, record);
    } catch (thrown) {
      throw within(thrown, name);
    }
  }
  for (const [name, field] of fields) {
    if (record[name] === undefined) record[name] = fallbackOf(field, record);
  }
  return record;
}

function* decodeList(
  spec: ListSpec,
  release: Release,
  reader: ByteReader,
  outer: Fields,
  every: number,
): Generator<void, unknown[] | null, void> {
  const codec = codecOf(spec.item, release);
  const length = readLength(reader, spec, codec, outer);
  if (length === null) return null;
  const fast = fastItem(spec.item, release);
  const source = fast?.sourceOfTable(reader.bytes) ?? null;
  const items: unknown[] = [];
  for (let i = 0; i < length; i++) {
    const item = source === null ? undefined : decodeFast(fast as FastCodec, source, reader, outer);
    try {
      items.push(item ?? codec.decode(reader, outer));
    } catch (thrown) {
      throw within(thrown, i);
    }
    if (items.length % every === 0) yield;
  }
  return items;
}

/** The item where the reader is, and the reader behind it; `undefined`, and the reader where it was, if the closures must have a look. */
function decodeFast(fast: FastCodec, source: Source, reader: ByteReader, outer: Fields): unknown {
  source.at = source.start + reader.offset;
  const item = fast.decodeFrom(source, outer);
  if (item !== undefined) reader.offset = source.at - source.start;
  return item;
}

/** Only a struct stands for itself: what another item is may follow from the fields around the list. */
function fastItem(item: WireType<unknown, unknown>, release: Release): FastCodec | null {
  if (specIn(item, release).kind !== 'struct') return null;
  const byRelease = fastItems.get(item) ?? new Map<Release, FastCodec>();
  const fast = byRelease.get(release) ?? new FastCodec(item, release);
  fastItems.set(item, byRelease.set(release, fast));
  return fast;
}

const fastItems = new WeakMap<WireType<unknown, unknown>, Map<Release, FastCodec>>();

/** What a type is in a release, behind those that changed. */
function specIn(type: WireType<unknown, unknown>, release: Release): Spec {
  return type.spec.kind === 'versions' ? specIn(caseIn(type.spec, release), release) : type.spec;
}
