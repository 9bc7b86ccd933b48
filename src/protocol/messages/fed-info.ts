/**
 * RESPONSE_FED_INFO (2050): the federation that the cluster belongs to.
 *
 * Source: `slurmdb_federation_rec_t`; its absence checked against replies of live slurmctld in every version from 20.11 to 26.11. A
 * federation itself is from reading; the records of its clusters are those of {@link clusterRec}.
 */
import { list, optional, struct, text, u32 } from '../wire-type.js';
import { clusterRec } from './cluster-rec.js';

export const fedInfo = struct({
  federation: optional(struct({ name: text, flags: u32, clusterList: list(clusterRec) })),
});
