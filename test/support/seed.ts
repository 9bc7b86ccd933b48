/**
 * Property tests run from a new seed each time and print it when they fail. In CI the seed is fixed: whether a change lands must not
 * hang on luck, and what a seed finds elsewhere becomes a test of its own. SLURMWIRE_SEED gives one.
 */
import fc from 'fast-check';

const { SLURMWIRE_SEED, CI } = process.env;
if (SLURMWIRE_SEED !== undefined) fc.configureGlobal({ seed: Number(SLURMWIRE_SEED) });
else if (CI) fc.configureGlobal({ seed: 20261122 });
