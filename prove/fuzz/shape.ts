/** What a decoded value looks like, as features: which fields are there, empty, long, or a sentinel. */
import { hashOf } from './coverage.js';
import type { ReportFeature } from './target.js';

/** Values looked at in one record: a long list says nothing new after its first items. */
const MOST = 400;

/** Reports the shape of `value`. `context` tells one kind of record from another. */
export function reportShape(value: unknown, context: number, report: ReportFeature): void {
  let left = MOST;
  const walk = (inner: unknown, path: number, depth: number): void => {
    if (left-- <= 0) return;
    report(Math.imul(path, 31) + kindOf(inner));
    if (typeof inner !== 'object' || inner === null || inner instanceof Uint8Array || depth > 12) return;
    if (Array.isArray(inner)) {
      for (let i = 0; i < Math.min(inner.length, 3); i++) walk(inner[i], Math.imul(path, 33) + 7, depth + 1);
      return;
    }
    let index = 0;
    for (const key in inner) {
      index++;
      walk((inner as Record<string, unknown>)[key], Math.imul(path ^ index, 0x01000193), depth + 1);
    }
  };
  walk(value, context, 0);
}

function kindOf(value: unknown): number {
  switch (typeof value) {
    case 'number':
      return value === 0 ? 1 : value >= 0xfffd && value <= 0xffff ? 2 : value >= 0xfffffff0 ? 3 : 4;
    case 'bigint':
      return value === 0n ? 5 : value < 0n ? 6 : value > 0xffffffffn ? 7 : 8;
    case 'boolean':
      return value ? 9 : 10;
    case 'string':
      return value === '' ? 11 : 12;
    case 'object':
      if (value === null) return 13;
      if (Array.isArray(value)) return 14 + Math.min(4, value.length);
      return value instanceof Uint8Array ? 20 + Math.min(2, value.length) : 23;
    default:
      return 24;
  }
}

/** Reports where and why an input was refused: one feature for each place of each kind of record. */
export function reportFault(error: unknown, context: number, report: ReportFeature): void {
  const { code = '', fieldPath = '' } = error as { code?: string; fieldPath?: string };
  report(hashOf(context, code, fieldPath.replaceAll(/\/\d+/g, '/#')));
}
