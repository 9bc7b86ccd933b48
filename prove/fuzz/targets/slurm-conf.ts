/** slurm.conf, without includes: its syntax, and what every part of the library reads in it. */
import { interpretNodeLines, interpretNodeParameters } from '../../../src/config/node-lines.js';
import { interpretNodeSets } from '../../../src/config/node-sets.js';
import { parseSlurmConf } from '../../../src/config/slurm-conf.js';
import { interpretSlurmConf } from '../../../src/config/slurm-config.js';
import { hashOf } from '../coverage.js';
import { reportFault, reportShape } from '../shape.js';
import type { Target } from '../target.js';
import { textOf } from '../text.js';

const SMALL = `ClusterName=lab
SlurmctldHost=ctl(10.0.0.1)
SlurmctldHost=ctl2
SlurmUser=slurm
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=/run/munge.socket,ttl=60,cred_expire=120
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key=/etc/key
SlurmctldPort=6817-6819
SlurmdPort=6818
MessageTimeout=10 # seconds
TCPTimeout=2
SlurmctldTimeout=120
TreeWidth=16
TLSType=tls/s2n
TLSParameters=ca_cert_file=/etc/ca.pem
CommunicationParameters=EnableIPv6,DisableIPv4
SlurmctldParameters=cloud_dns,rl_enable
SchedulerParameters=bf_continue
ScronParameters=enable
PrologFlags=Alloc,Contain
NodeName=DEFAULT CPUs=4 State=UNKNOWN
NodeName=n[1-4] NodeAddr=10.0.0.[1-4] Port=[7001-7004] State=IDLE
NodeName=c[01-20] State=CLOUD Feature="a,b"
NodeSet=ns1 Feature=a
PartitionName=debug Nodes=ALL Default=YES \\
  MaxTime=INFINITE
`;

export const slurmConf: Target = {
  name: 'slurm-conf',
  weight: 5,
  isText: true,
  // A line of nodes may name 65,536 of them, see hostlist.
  limits: { ms: 800, usPerByte: 20, bytes: 256 << 20, message: 2000 },
  dictionary: [
    ...SMALL.split(/[\s=]+/),
    ...[
      'NodeName=',
      'Include ',
      '\\\n',
      '"',
      '#',
      '\\#',
      'n[0-65535]',
      'NodeHostname=',
      'BcastAddr=',
      'ControlMachine=',
      'BackupController=',
    ],
    ...[
      'ControlAddr=',
      'FrontendName=',
      'DownNodes=',
      '%c',
      '+=',
      'AccountingStorageHost=',
      'INFINITE',
      '0x10',
    ],
  ],

  *seeds() {
    yield Buffer.from(SMALL);
    for (const line of SMALL.split('\n')) yield Buffer.from(`SlurmctldHost=a\nSlurmUser=1\n${line}\n`);
    yield Buffer.from('ControlMachine=a\nControlAddr=b\nBackupController=c\nBackupAddr=d\n');
    yield Buffer.from('Include other.conf\n');
  },

  async run(input, report) {
    try {
      const conf = await parseSlurmConf(textOf(input));
      report(hashOf('entries', Math.min(16, conf.entries.length), Math.min(64, conf.values.size)));
      const nodes = interpretNodeLines(conf.entries);
      interpretNodeSets(conf.entries, new Set(nodes.map(({ name }) => name)));
      interpretNodeParameters(conf);
      const options = { resolveUser: async () => 1, hostname: 'here', pid: 1, now: () => 0 };
      reportShape(await interpretSlurmConf(conf, options), 1, report);
    } catch (error) {
      reportFault(error, hashOf((error as { hint?: string }).hint ?? ''), report);
      throw error;
    }
  },
};
