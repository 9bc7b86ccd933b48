/**
 * Makes docs/messages.md, the examples in docs/protocol.md, docs/api and test/package/api anew. Reads dist: build first. With --check it
 * writes nothing and fails when something differs.
 */
import { settle } from '../../scripts/outputs.mjs';
import { apiPages } from './api.mjs';
import { messagesPage } from './messages-page.mjs';
import { withWireExamples } from './wire-examples.mjs';

await settle(
  [
    { target: 'docs/messages.md', source: 'src/protocol', text: messagesPage() },
    { target: 'docs/protocol.md', source: 'fixtures', text: await withWireExamples('docs/protocol.md') },
    ...(await apiPages()),
  ],
  'npm run docs',
);
