/** What can be fuzzed: a function of bytes, what it may throw, and what it may cost. */

/** Reports that the execution under way reached something that lines of code alone do not show. */
export type ReportFeature = (feature: number) => void;

export interface Target {
  readonly name: string;
  /** Inputs to begin with: bytes of real daemons, recorded conversations, captures. */
  seeds(): Iterable<Uint8Array>;
  /**
   * One execution. What it throws is judged: nothing but the errors the code documents may come out. What is wrong otherwise (bytes that do
   * not encode back …) it says with a {@link Broken}.
   */
  run(input: Uint8Array, report: ReportFeature): unknown;
  /** Errors beside those of the library's own family that the code documents. */
  isDocumented?(thrown: unknown): boolean;
  /** Where fields begin in an input. */
  fields?(input: Uint8Array): readonly number[];
  /** Puts right in a changed input what almost no change would hit, such as the length of the whole. */
  repair?(input: Uint8Array, random: { oneIn(n: number): boolean }): void;
  /** Bytes at the front that say how the rest is read. Default 0. */
  readonly prefix?: number;
  /** Longest input, in bytes. Default 64 KiB. */
  readonly maxLength?: number;
  /** Words of the format. Those that stand in the code are added. */
  readonly dictionary?: readonly string[];
  readonly isText?: boolean;
  /** What an execution may cost at most. */
  readonly limits?: Partial<Limits>;
  /** Its share of the executions of a whole run, by what one of them costs; default 1. Of a run by time all have the same. */
  readonly weight?: number;
}

/** The most that an execution may cost, `base + perByte × input`. */
export interface Limits {
  /** Milliseconds. */
  readonly ms: number;
  /** Microseconds for each byte of input. */
  readonly usPerByte: number;
  /** Bytes of heap and buffers, garbage included. */
  readonly bytes: number;
  /** Bytes for each byte of input. */
  readonly bytesPerByte: number;
  /** Characters of an error's message. */
  readonly message: number;
}

/** The stated cap, where a target does not state its own. */
export const LIMITS: Limits = { ms: 50, usPerByte: 1, bytes: 1 << 20, bytesPerByte: 1024, message: 1200 };

/** A broken promise other than a wrong error. */
export class Broken extends Error {}
