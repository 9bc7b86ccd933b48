import { describe, expect, it } from 'vitest';
import {
  type FindSlurmConfOptions,
  findSlurmConf,
  SLURM_CONF_PLACES,
} from '../../src/config/find-slurm-conf.js';
import { SlurmUsageError } from '../../src/protocol/slurm-error.js';
import { caught, configError } from './caught.js';

/** Finds among the given files only; notes what was asked for. */
function findAmong(files: readonly string[], options: FindSlurmConfOptions = {}) {
  const asked: string[] = [];
  const exists = async (path: string) => {
    asked.push(path);
    return files.includes(path);
  };
  return { asked, found: findSlurmConf({ env: {}, exists, ...options }) };
}

describe('findSlurmConf', () => {
  it('looks at the places of Slurm in their order', () => {
    expect(SLURM_CONF_PLACES).toEqual([
      '/usr/local/etc/slurm.conf',
      '/etc/slurm/slurm.conf',
      '/etc/slurm-llnl/slurm.conf',
      '/run/slurm/conf/slurm.conf',
    ]);
  });

  it.each(SLURM_CONF_PLACES.map((place, index) => ({ place, index })))(
    'takes $place before the later ones',
    async ({ place, index }) => {
      const { asked, found } = findAmong(SLURM_CONF_PLACES.slice(index));
      expect(await found).toBe(place);
      expect(asked).toEqual(SLURM_CONF_PLACES.slice(0, index + 1));
    },
  );

  it('takes the option, then SLURM_CONF, and looks at nothing else', async () => {
    const all = [...SLURM_CONF_PLACES, '/a', '/b'];
    const both = findAmong(all, { conf: '/a', env: { SLURM_CONF: '/b' } });
    expect(await both.found).toBe('/a');
    expect(both.asked).toEqual(['/a']);
    const environment = findAmong(all, { env: { SLURM_CONF: '/b' } });
    expect(await environment.found).toBe('/b');
    expect(environment.asked).toEqual(['/b']);
  });

  it('takes an empty SLURM_CONF for none', async () => {
    const { found } = findAmong(['/etc/slurm/slurm.conf'], { env: { SLURM_CONF: '' } });
    expect(await found).toBe('/etc/slurm/slurm.conf');
  });

  it('makes a relative name absolute', async () => {
    const { found } = findAmong([`${process.cwd()}/x/slurm.conf`], { conf: './x/slurm.conf' });
    expect(await found).toBe(`${process.cwd()}/x/slurm.conf`);
  });

  it.each([
    [{ conf: '/gone' }, /the option conf/, /SLURM_CONF/],
    [{ env: { SLURM_CONF: '/gone' } }, /the environment variable SLURM_CONF/, /the option conf/],
  ])('uses a named file even if it does not exist: %j', async (options, names, not) => {
    const error = await configError(findAmong(SLURM_CONF_PLACES, options).found);
    expect(error).toMatchObject({
      code: 'SLURMWIRE_CONFIG_NOT_FOUND',
      errno: 'ENOENT',
      file: '/gone',
      line: undefined,
      phase: 'config',
    });
    expect(error.message).toMatch(names);
    expect(error.message).not.toMatch(not);
  });

  it('lists every place and both ways out when there is none', async () => {
    const error = await configError(findAmong([]).found);
    expect(error).toMatchObject({ code: 'SLURMWIRE_CONFIG_NOT_FOUND', errno: 'ENOENT', file: undefined });
    for (const words of [
      ...SLURM_CONF_PLACES,
      'SLURM_CONF is not set',
      "controllers: ['host:port']",
      'conf:',
    ]) {
      expect(error.message).toContain(words);
    }
    expect(error.message).toContain('SLURM_CONF_SERVER');
  });

  it.each(['', 'a\0b', 7, null])('refuses conf: %j', async (conf) => {
    const error = await caught(findAmong(SLURM_CONF_PLACES, { conf: conf as string }).found);
    expect(error).toBeInstanceOf(SlurmUsageError);
    expect(error).toMatchObject({ code: 'SLURMWIRE_BAD_CONF', field: 'conf' });
  });

  it('asks the file system by default', async () => {
    expect(await findSlurmConf({ conf: import.meta.filename })).toBe(import.meta.filename);
    expect(await configError(findSlurmConf({ conf: '/nonexistent/slurm.conf' }))).toMatchObject({
      errno: 'ENOENT',
    });
  });

  it('reads process.env by default', async () => {
    const before = process.env.SLURM_CONF;
    process.env.SLURM_CONF = import.meta.filename;
    try {
      expect(await findSlurmConf()).toBe(import.meta.filename);
    } finally {
      if (before === undefined) delete process.env.SLURM_CONF;
      else process.env.SLURM_CONF = before;
    }
  });

  it('rejects with the reason of the signal, also while a file server is silent', async () => {
    const reason = new Error('enough');
    const control = new AbortController();
    const silent = () => new Promise<boolean>(() => control.abort(reason));
    expect(await caught(findSlurmConf({ env: {}, exists: silent, signal: control.signal }))).toBe(reason);
    expect(await caught(findSlurmConf({ conf: '/a', signal: AbortSignal.abort(reason) }))).toBe(reason);
  });
});
