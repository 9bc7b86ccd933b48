/**
 * What the select plugin says of a job, until 22.05: its plugin's id and, from the Cray plugins only, four fields more.
 *
 * Source: `select_g_select_jobinfo_pack` and the plugins' own; 109 (select/cons_tres) and 101 (select/cons_res) checked against bytes of
 * Slurm's own library and replies of live daemons. The Cray fields are from reading.
 */
import { bitString, struct, u8, u16, u32 } from '../wire-type.js';

/** The ids of select/cray_aries, by the plugin it sits on. */
const CRAY_PLUGINS: readonly unknown[] = [107, 108, 110];

const cray = struct({ bladeMap: bitString, cleaning: u16, npc: u8, usedBlades: bitString });

export const selectJobinfo = struct({
  pluginId: u32,
  cray: cray.when((own) => CRAY_PLUGINS.includes(own.pluginId)).elseNull(),
});
