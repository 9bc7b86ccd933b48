/**
 * The authentication section between header and body: a plugin id, then that plugin's data. The same in 20.11 to 26.11.
 *
 * Source: `auth_g_pack`, `auth_p_pack` of each plugin; auth/none and auth/munge observed on 22.05.
 */
import type { ByteReader } from './byte-reader.js';
import type { ByteWriter } from './byte-writer.js';
import { CodecFault, within } from './codec-fault.js';
import { codecOf } from './compile.js';
import { RELEASE_NAMES } from './release.js';
import { showValue } from './slurm-error.js';
import { type Source, textAt } from './source.js';
import { struct, text, u32, type WireType } from './wire-type.js';

/** What stands between header and body of a message: how its sender proves who it is. Holds a credential or a token: do not log it. */
export type AuthSection =
  | {
      readonly plugin: 'auth/none';
      readonly uid: number;
      readonly gid: number;
      readonly hostname: string | null;
    }
  | { readonly plugin: 'auth/munge'; readonly credential: string | null }
  | { readonly plugin: 'auth/jwt'; readonly token: string | null; readonly username: string | null }
  | { readonly plugin: 'auth/slurm'; readonly token: string | null };

interface Plugin {
  readonly id: number;
  readonly data: WireType<unknown, unknown>;
}

const PLUGINS: Readonly<Record<AuthSection['plugin'], Plugin>> = {
  'auth/none': {
    id: 100,
    data: struct({ uid: u32, gid: u32, hostname: text }) as WireType<unknown, unknown>,
  },
  'auth/munge': { id: 101, data: struct({ credential: text }) as WireType<unknown, unknown> },
  'auth/jwt': { id: 102, data: struct({ token: text, username: text }) as WireType<unknown, unknown> },
  'auth/slurm': { id: 103, data: struct({ token: text }) as WireType<unknown, unknown> },
};

/** The section does not depend on the version; any will do for the compiler. */
const ANY_RELEASE = RELEASE_NAMES[0] as (typeof RELEASE_NAMES)[number];

export function readAuthSection(reader: ByteReader): AuthSection {
  const at = reader.offset;
  const id = reader.u32();
  reader.trace?.spans.push({
    path: [...reader.trace.path, 'pluginId'].join('/'),
    start: at,
    end: at + 4,
    value: id,
  });
  for (const [plugin, { id: known, data }] of Object.entries(PLUGINS)) {
    if (id !== known) continue;
    return { plugin, ...(codecOf(data, ANY_RELEASE).decode(reader, {}) as object) } as AuthSection;
  }
  throw within(
    new CodecFault('SLURMWIRE_UNKNOWN_TYPE', `authentication plugin ${id} is not known`, at),
    'pluginId',
  );
}

/** {@link readAuthSection} of the plugins whose data is one text; `undefined` for the others, and where anything is wrong. */
export function readCommonSection(source: Source): AuthSection | undefined {
  const { view, at, end } = source;
  if (end - at < 8) return undefined;
  const id = view.getUint32(at);
  const text = textAt(source, at + 4);
  if (text === undefined) return undefined;
  if (id === PLUGINS['auth/munge'].id) return { plugin: 'auth/munge', credential: text };
  if (id === PLUGINS['auth/slurm'].id) return { plugin: 'auth/slurm', token: text };
  return undefined;
}

/** The text of those, if it is one that can be packed as it is. */
export function credentialIn(
  section: AuthSection,
): { readonly plugin: number; readonly text: string } | null {
  if (typeof section !== 'object') return null;
  const { plugin } = section;
  const text = plugin === 'auth/munge' ? section.credential : plugin === 'auth/slurm' ? section.token : null;
  if (typeof text !== 'string' || text.includes('\0')) return null;
  // Whatever else is there is refused elsewhere.
  for (const key in section)
    if (key !== 'plugin' && key !== (plugin === 'auth/munge' ? 'credential' : 'token')) return null;
  return { plugin: PLUGINS[plugin].id, text };
}

export function writeAuthSection(writer: ByteWriter, section: AuthSection): void {
  if (typeof section !== 'object') {
    throw new CodecFault('SLURMWIRE_BAD_VALUE', `${showValue(section)} is no authentication section`);
  }
  const { plugin, ...data } = section;
  const known = Object.hasOwn(PLUGINS, plugin) ? PLUGINS[plugin] : undefined;
  if (known === undefined)
    throw new CodecFault('SLURMWIRE_BAD_VALUE', `${showValue(plugin)} is no authentication plugin`);
  writer.u32(known.id);
  codecOf(known.data, ANY_RELEASE).encode(writer, data, {});
}
