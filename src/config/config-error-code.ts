/** The `code` of every {@link SlurmConfigError} that comes from reading a configuration. Stable, never reused. */
export const ConfigErrorCode = {
  /** There is no slurm.conf, or an included file does not exist. */
  NOT_FOUND: 'SLURMWIRE_CONFIG_NOT_FOUND',
  /** The file exists and cannot be read: permission, a directory, no text. */
  UNREADABLE: 'SLURMWIRE_CONFIG_UNREADABLE',
  /** A file, or all files together, are larger than this library reads. */
  TOO_LARGE: 'SLURMWIRE_CONFIG_TOO_LARGE',
  /** A line that is not a list of `key=value` pairs. */
  SYNTAX: 'SLURMWIRE_CONFIG_SYNTAX',
  /** An Include that cannot be followed: a cycle, too deep, too many, `%c` without a ClusterName. */
  INCLUDE: 'SLURMWIRE_CONFIG_INCLUDE',
  /** A parameter whose value is out of its range or not of its form. */
  VALUE: 'SLURMWIRE_CONFIG_VALUE',
  /** SlurmUser or SlurmdUser is a name without a uid on this host. */
  UNKNOWN_USER: 'SLURMWIRE_CONFIG_UNKNOWN_USER',
  /** The configuration names no controller. */
  NO_CONTROLLER: 'SLURMWIRE_CONFIG_NO_CONTROLLER',
  /** SLURM_CLUSTERS names another cluster than the configuration is of. */
  OTHER_CLUSTER: 'SLURMWIRE_CONFIG_OTHER_CLUSTER',
  /** Configless: none of the servers gave a configuration. */
  NOT_FETCHED: 'SLURMWIRE_CONFIG_NOT_FETCHED',
} as const;

export type ConfigErrorCode = (typeof ConfigErrorCode)[keyof typeof ConfigErrorCode];
