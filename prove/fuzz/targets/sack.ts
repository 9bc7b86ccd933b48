/** What stands on a SACK socket, both directions. */
import {
  decodeCreated,
  decodeSackRequest,
  decodeVerified,
  encodeCreated,
  encodeSackRequest,
  encodeVerified,
} from '../../../src/auth/sack-messages.js';
import { CodecFault } from '../../../src/protocol/codec-fault.js';
import { reportFault } from '../shape.js';
import { Broken, type Target } from '../target.js';
import { chosen } from '../text.js';

interface Way {
  read(bytes: Uint8Array): unknown;
  write(value: never): Uint8Array;
}

const WAYS: readonly Way[] = [
  { read: decodeSackRequest, write: encodeSackRequest as Way['write'] },
  { read: decodeCreated, write: encodeCreated as Way['write'] },
  { read: decodeVerified, write: encodeVerified as Way['write'] },
];

export const sack: Target = {
  name: 'sack',
  weight: 12,
  prefix: 1,
  // What asks over the socket puts it into the typed error.
  isDocumented: (thrown) => thrown instanceof CodecFault,

  *seeds() {
    const payload = Uint8Array.of(1, 2, 3);
    const token = 'eyJh.eyJp.c2ln';
    yield chosen(0, encodeSackRequest({ version: 0x2a00, rpc: 'create', restrictUid: null, payload }));
    yield chosen(0, encodeSackRequest({ version: 0x2a00, rpc: 'create', restrictUid: 0, payload }));
    yield chosen(0, encodeSackRequest({ version: 0x2d00, rpc: 'verify', token }));
    yield chosen(1, encodeCreated(token));
    yield chosen(2, encodeVerified(0));
  },

  run(input, report) {
    const way = WAYS[(input[0] as number) % WAYS.length] as Way;
    const bytes = input.subarray(1);
    let value: unknown;
    try {
      value = way.read(bytes);
    } catch (error) {
      reportFault(error, input[0] as number, report);
      throw error;
    }
    if (value === null) return;
    const again = way.write(value as never);
    // A text ends at its first NUL; everything else comes back.
    if (Buffer.compare(again, bytes) !== 0 && JSON.stringify(way.read(again)) !== JSON.stringify(value))
      throw new Broken('encoded and read again it is another message');
  },

  repair(input, random) {
    if (input.length < 7 || random.oneIn(4)) return;
    const view = new DataView(input.buffer);
    if ((input[0] as number) % WAYS.length === 0) view.setUint32(3, input.length - 3);
    else if ((input[0] as number) % WAYS.length === 1) view.setUint32(1, input.length - 5);
  },
};
