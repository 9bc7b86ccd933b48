import { expect, it } from 'vitest';
import { interpretSlurmConf } from '../../src/config/index.js';
import { readOptionList } from '../../src/config/option-list.js';
import { parseSlurmConf } from '../../src/config/slurm-conf.js';

it.each([
  ['', {}],
  [' , ,', {}],
  ['a=1,b', { a: '1', b: '' }],
  [
    'ca_cert_file=/etc/ca=b.pem, load_system_certificates',
    { ca_cert_file: '/etc/ca=b.pem', load_system_certificates: '' },
  ],
  ['a=1,A=2,a=3', { a: '1', A: '2' }],
  ['=x', {}],
])('%j: %j', (text, options) => {
  expect({ ...readOptionList(text) }).toEqual(options);
});

it('has nothing that was not written, and everything that was', () => {
  const options = readOptionList('__proto__=x,constructor');
  expect(Object.keys(options)).toEqual(['__proto__', 'constructor']);
  expect(readOptionList('a').toString).toBeUndefined();
});

it('is what TLSParameters, AuthAltParameters and the like are read as', async () => {
  const text = [
    'SlurmctldHost=ctl',
    'AuthAltTypes=auth/jwt,auth/x',
    'AuthAltParameters=jwt_key=/k,jwks=/j',
    'TLSType=tls/s2n',
    'TLSParameters=ca_cert_file=/ca,load_system_certificates',
    'PrivateData=Jobs,nodes',
    'SlurmctldParameters=cloud_dns,rl_enable,rl_bucket_size=3',
    'RoutePlugin=route/topology',
    'CryptoType=crypto/munge',
    'HashPlugin=hash/sha3',
    'KillWait=0 MaxArraySize=0x10 SlurmctldTimeout=INFINITE',
  ].join('\n');
  const config = await interpretSlurmConf(await parseSlurmConf(text));
  expect(config).toMatchObject({
    authAltTypes: ['auth/jwt', 'auth/x'],
    authAltParameters: { jwt_key: '/k', jwks: '/j' },
    tlsType: 'tls/s2n',
    tlsParameters: { ca_cert_file: '/ca', load_system_certificates: '' },
    privateData: ['jobs', 'nodes'],
    cloudDns: true,
    rateLimited: true,
    configless: false,
    routeTree: true,
    credType: 'cred/munge',
    hashPlugin: 'hash/sha3',
    killWaitMs: 0,
    maxArraySize: 16,
    slurmctldTimeoutMs: 65_535_000,
  });
});
