/** Hostlists, in full and back; and the forward block that is made and checked with them. */

import { expandHostlist, MAX_HOSTS } from '../../../src/config/hostlist.js';
import { compressHostlist } from '../../../src/config/hostlist-compress.js';
import { uniqueSorted } from '../../../src/config/hostlist-order.js';
import { checkForward } from '../../../src/rpc/forward-tree.js';
import { hashOf } from '../coverage.js';
import { reportFault } from '../shape.js';
import { Broken, type Target } from '../target.js';
import { textOf } from '../text.js';

export const hostlist: Target = {
  name: 'hostlist',
  weight: 0.3,
  isText: true,
  maxLength: 8192,
  // 65,536 names of up to 255 characters, and the pieces they are made of: what a hostlist may grow to is a constant.
  limits: { ms: 400, usPerByte: 20, bytes: 128 << 20 },
  dictionary: [
    'n[0-9]',
    '[',
    ']',
    '-',
    ',',
    'n[0-999999999]',
    'n[0-65535]',
    '[1-2][1-2]',
    'n[001-100,7]',
    '18446744073709551614',
  ],

  *seeds() {
    for (const text of [
      '',
      'n1',
      'n[1-4]',
      'a[01-03,7]b[1-2]-ib',
      'n1,n2 n3\tn4\nn5',
      'n[0-999999999]',
      'a[1-2]b[1-2]c[1-2]',
      'x[9-11]',
      'n[0-300]',
    ])
      yield Buffer.from(text);
  },

  run(input, report) {
    const text = textOf(input);
    let names: string[];
    try {
      names = expandHostlist(text);
    } catch (error) {
      reportFault(error, hashOf((error as Error).message.replaceAll(/\d+|"[^"]*"/g, '#')), report);
      throw error;
    }
    report(hashOf('names', Math.ceil(Math.log2(names.length + 1))));
    if (names.length > MAX_HOSTS) throw new Broken(`${names.length} names`);
    // What is large once is as large the second time, and takes as long.
    if (names.length > 4096) return;
    const again = expandHostlist(compressHostlist(names));
    if (again.length !== names.length || again.some((name, i) => name !== names[i]))
      throw new Broken('compressed and expanded again it is another list');
    uniqueSorted(names);
    const forward = {
      cnt: names.length,
      nodelist: text,
      timeout: 1,
      treeWidth: 50,
      treeDepth: 1,
      netCred: null,
    };
    checkForward(forward, 'somebody-else', '26.05', 1);
  },
};
