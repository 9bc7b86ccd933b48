/**
 * Configuration as names and values; part of the answer to REQUEST_BUILD_INFO.
 *
 * Source: `config_key_pair_t`, `config_plugin_params_t`; checked against replies of live slurmctld in every version from 20.11 to 26.11.
 */
import { list, struct, text } from '../wire-type.js';

export const keyPairs = list(struct({ name: text, value: text }));

export const pluginParams = list(struct({ name: text, keyPairs }));
