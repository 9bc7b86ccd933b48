/** munged's messages, both directions, whole and in pieces; and what its error numbers mean. */
import { emungeEntry } from '../../../src/auth/emunge.js';
import {
  decodeMungeMessage,
  encodeMungeMessage,
  HEADER_LENGTH,
  MUNGE_MESSAGE_NAMES,
  MungeAssembler,
  type MungeMessage,
  type MungeMessageName,
  MungeRequestAssembler,
} from '../../../src/auth/munge-wire.js';
import { reportFault, reportShape } from '../shape.js';
import { Broken, type Target } from '../target.js';
import { chosen } from '../text.js';
import { pieces } from './frame.js';

const data = Uint8Array.from(Buffer.from('MUNGE:AwQFAAB:\0'));
const ids = { credUid: 0, credGid: 0, authUid: 0xffffffff, authGid: 0xffffffff };
const kinds = { cipher: 4, mac: 5, zip: 0, realm: null, ttl: 300 };
const response = { errorNum: 0, errorStr: null };

export const munge: Target = {
  name: 'munge',
  weight: 8,
  prefix: 2,

  *seeds() {
    const messages = [
      encodeMungeMessage('encodeRequest', { ...kinds, authUid: 0, authGid: 0xffffffff, data }),
      encodeMungeMessage('encodeRequest', { ...kinds, realm: 'r', authUid: 0, authGid: 1, data }, 3),
      encodeMungeMessage('encodeResponse', { ...response, data }),
      encodeMungeMessage('encodeResponse', { errorNum: 7, errorStr: 'no', data: new Uint8Array(0) }),
      encodeMungeMessage('decodeRequest', { data }),
      encodeMungeMessage('decodeResponse', {
        ...{ ...response, ...kinds, ...ids, data },
        ...{ addr: Uint8Array.of(127, 0, 0, 1), time0: 1_700_000_000, time1: 1_700_000_001 },
      }),
      encodeMungeMessage('decodeResponse', {
        ...{ ...response, ...kinds, ...ids, data, errorNum: 17, errorStr: 'Replayed credential' },
        ...{ addr: null, time0: 0, time1: 0, realm: 'realm' },
      }),
    ];
    for (const [i, message] of messages.entries())
      for (const how of [0, 1, 40]) yield chosen(Math.min(3, i >> 1), chosen(how, message));
  },

  run(input, report) {
    const name = MUNGE_MESSAGE_NAMES[(input[0] as number) % MUNGE_MESSAGE_NAMES.length] as MungeMessageName;
    const bytes = input.subarray(2);
    const context = MUNGE_MESSAGE_NAMES.indexOf(name) * 7919;
    let message: MungeMessage<MungeMessageName> | null = null;
    try {
      const assembler = name.endsWith('Request') ? new MungeRequestAssembler() : new MungeAssembler(name);
      for (const piece of pieces(bytes, input[1] as number)) {
        message = assembler.push(piece);
        if (message !== null) break;
      }
    } catch (error) {
      reportFault(error, context, report);
      throw error;
    }
    if (message === null) return;
    reportShape(message, context, report);
    if ('errorNum' in message.body) emungeEntry(message.body.errorNum as number);
    const whole = 'name' in message ? (message.name as MungeMessageName) : name;
    const again = encodeMungeMessage(whole, message.body, message.retry);
    // A text may stand without its NUL, or with others behind it: then what was read has to be the same.
    const read = decodeMungeMessage(whole, again);
    if (read.retry !== message.retry || JSON.stringify(read.body) !== JSON.stringify(message.body))
      throw new Broken('a message encoded and read again is another one');
  },

  repair(input, random) {
    if (input.length < 2 + HEADER_LENGTH || random.oneIn(4)) return;
    new DataView(input.buffer).setUint32(2 + HEADER_LENGTH - 4, input.length - 2 - HEADER_LENGTH);
  },
};
