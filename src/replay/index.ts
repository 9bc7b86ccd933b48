/**
 * Records conversations with Slurm's daemons into fixture files, and plays them back, byte for byte.
 *
 * - {@link Recorder} records this library's own client, {@link startRecordingProxy} and {@link startRecordingProxies} any other.
 * - {@link writeFixture} and {@link readFixture} keep a recording in a file. Credentials and tokens never get that far.
 * - {@link play} stands in for the daemon: it fails at the first byte that is not the recorded one. {@link serveReplay} does so over TCP, for
 *   clients that are no part of this process.
 * - {@link annotate} shows a frame with field and value beside its bytes, {@link checkFixture} whether all of a recording is understood.
 *
 * @module
 */
export {
  type AnnotateOptions,
  annotate,
  type DissectedField,
  type Dissection,
  type DissectOptions,
  dissect,
} from './annotate.js';
export { checkFixture, type FixtureProblem } from './check-fixture.js';
export type {
  ConversationEvent,
  CredentialFacts,
  Direction,
  EventKind,
  RawConnection,
  RecordedCredential,
  RedactedConnection,
} from './conversation.js';
export {
  decodeFixture,
  encodeFixture,
  FIXTURE_FORMAT,
  FIXTURE_VERSION,
  type Fixture,
  type FixtureSecret,
  liveSecretsIn,
  MAX_FIXTURE_BYTES,
  type Provenance,
  readFixture,
  writeFixture,
} from './fixture.js';
export { framesOf } from './frames-of.js';
export type { SecretKind } from './placeholder.js';
export { type Player, type PlayOptions, play } from './player.js';
export { Recorder, type RecorderOptions } from './recorder.js';
export {
  type RecordedTarget,
  type RecordingOptions,
  type RecordingProxies,
  type RecordingProxiesOptions,
  type RecordingProxy,
  type RecordingProxyOptions,
  startRecordingProxies,
  startRecordingProxy,
} from './recording-proxy.js';
export { type RedactOptions, redactConnection } from './redact.js';
export { type ReplayMismatchDetails, ReplayMismatchError } from './replay-mismatch-error.js';
export { type ReplayServer, type ServeReplayOptions, serveReplay } from './replay-server.js';
export { findLiveSecrets, type LiveSecret } from './secrets.js';
