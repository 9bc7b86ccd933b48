/**
 * Makes docs/messages.md, docs/errors.md, the examples in docs/protocol.md, docs/api and test/package/api anew. Reads dist: build first. With --check it
 * writes nothing and fails when something differs.
 */
import { settle } from '../../scripts/outputs.mjs';
import { apiPages } from './api.mjs';
import { errorsPage } from './errors-page.mjs';
import { withGeneratedBlocks } from './generated-blocks.mjs';
import { messagesPage } from './messages-page.mjs';

await settle(
  [
    { target: 'docs/messages.md', source: 'src/protocol', text: messagesPage() },
    { target: 'docs/errors.md', source: 'the tables of codes', text: errorsPage() },
    { target: 'docs/protocol.md', source: 'fixtures', text: await withGeneratedBlocks('docs/protocol.md') },
    ...(await apiPages()),
  ],
  'npm run docs',
);
