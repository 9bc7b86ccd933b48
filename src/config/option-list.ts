/** Options in one value, such as `TLSParameters=ca_cert_file=/etc/slurm/ca.pem,load_system_certificates`. */

/** Option → its value; `''` for a word without `=`. Has no prototype, so only what was written is in it. */
export type OptionList = Readonly<Record<string, string>>;

/**
 * Reads a comma list as `conf_get_opt_str()` upstream does: case counts, and of an option given twice the first one holds. White space
 * around an option is dropped.
 */
export function readOptionList(text: string): OptionList {
  const options: Record<string, string> = Object.create(null);
  for (const piece of text.split(',')) {
    const option = piece.trim();
    const equals = option.indexOf('=');
    const name = equals === -1 ? option : option.slice(0, equals);
    if (name !== '') options[name] ??= equals === -1 ? '' : option.slice(equals + 1);
  }
  return options;
}
