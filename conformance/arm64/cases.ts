/**
 * What is tried on an arm64 kernel: the parts of a container that the processor has a say in (system calls, structures,
 * the filter, the device program), and a container's life as a whole.
 *
 * @module
 */
import { deepEqual, equal, match } from 'node:assert/strict';
import type { TestSpec } from '../../test/harness/config.ts';

export interface Case {
  readonly name: string;
  readonly config?: (spec: TestSpec) => void;
  /** Of `sh -e`, in the bundle's folder. */
  readonly script: string;
  /** @throws AssertionError */
  readonly check: (output: string, status: number) => void;
}

/** The container's command is a script. */
const runs =
  (script: string, more: (spec: TestSpec) => void = () => {}) =>
  (spec: TestSpec): void => {
    spec.process.args = ['sh', '-c', script];
    more(spec);
  };

const waits = runs('sleep 1000');

/** A case whose script must end well and print these lines. */
const printing = (lines: readonly string[]) => (output: string, status: number) =>
  deepEqual([output.trimEnd().split('\n'), status], [lines, 0]);

/** Nothing of any container is left on the machine. */
const NOTHING_LEFT = `
ls /run/runts
ls -d /sys/fs/cgroup/*/ 2>/dev/null || true
`;

export const CASES: readonly Case[] = [
  {
    name: 'doctor finds a host for containers',
    script: 'runts doctor',
    check: (output, status) => {
      equal(status, 0, output);
      match(output, /^ok +kernel +Linux .*-arm64$/m);
      match(output, /^ok +seccomp /m);
    },
  },
  {
    name: 'run: output, exit code, ids, a pid namespace',
    config: runs('uname -m; hostname; echo $$; id -u; cat /proc/self/cgroup; exit 42'),
    script: 'runts run one || echo "status $?"',
    check: printing(['aarch64', 'test', '1', '0', '0::/', 'status 42']),
  },
  {
    name: 'create, state, start, kill, delete; nothing is left',
    config: waits,
    script: `runts create one
runts state one | grep '"status"'
runts start one
runts state one | grep '"status"'
runts list --quiet
runts kill one KILL
until runts state one | grep '"stopped"'; do sleep 0.1; done
runts delete one
${NOTHING_LEFT}`,
    check: (output, status) => {
      equal(status, 0, output);
      const words = output
        .trim()
        .split('\n')
        .map((line) => line.replaceAll(/[\s",]/g, ''));
      deepEqual(words, ['status:created', 'status:running', 'one', 'status:stopped']);
    },
  },
  {
    name: 'exec: environment, user, folder, exit code',
    config: waits,
    script: `runts run --detach one
runts exec --env A=b --user 7:8 --cwd /tmp one sh -c 'echo $A $(id -u) $(id -g) $PWD; exit 9' || echo "status $?"
runts delete --force one`,
    check: printing(['b 7 8 /tmp', 'status 9']),
  },
  {
    name: 'capabilities, noNewPrivileges, rlimits, oomScoreAdj',
    config: runs(
      'grep -E "^(CapEff|CapBnd|NoNewPrivs):" /proc/self/status; ulimit -n; cat /proc/self/oom_score_adj',
      (spec) => {
        const one = ['CAP_KILL'];
        spec.process.capabilities = { bounding: one, effective: one, permitted: one };
        spec.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 77, hard: 99 }];
        spec.process.oomScoreAdj = 123;
      },
    ),
    script: 'runts run one',
    check: printing([
      'CapEff:\t0000000000000020',
      'CapBnd:\t0000000000000020',
      'NoNewPrivs:\t1',
      '77',
      '123',
    ]),
  },
  {
    name: 'mounts: read-only binds, tmpfs, masked and read-only paths',
    config: runs(
      'cat /file; echo x 2>/dev/null > /file || echo read-only; grep " /small " /proc/mounts | grep -o "size=[0-9]*k"; ' +
        'wc -c < /proc/keys; echo 2>/dev/null > /proc/sys/kernel/domainname || echo sealed',
      (spec) => {
        spec.mounts.push(
          { destination: '/file', type: 'bind', source: 'script', options: ['bind', 'ro'] },
          { destination: '/small', type: 'tmpfs', source: 'tmpfs', options: ['size=64k', 'nosuid'] },
        );
      },
    ),
    script: 'runts run one',
    check: printing(['runts run one', 'read-only', 'size=64k', '0', 'sealed']),
  },
  {
    name: 'seccomp: an error, with a condition on an argument',
    config: runs(
      'mkdir /made; echo $?; rmdir /tmp; echo $?; : > /file; rm /file; echo $?; grep ^Seccomp: /proc/self/status',
      (spec) => {
        spec.linux.seccomp = {
          defaultAction: 'SCMP_ACT_ALLOW',
          architectures: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
          syscalls: [
            // arm64 has neither mkdir nor rmdir; the latter is unlinkat with AT_REMOVEDIR.
            { names: ['mkdirat', 'mkdir'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
            {
              names: ['unlinkat'],
              action: 'SCMP_ACT_ERRNO',
              errnoRet: 5,
              args: [{ index: 2, value: 0x200, op: 'SCMP_CMP_EQ' }],
            },
          ],
        };
      },
    ),
    script: 'runts run one 2>&1',
    check: (output, status) => {
      equal(status, 0, output);
      match(
        output,
        /mkdir: [^\n]*: Function not implemented\n1\nrmdir: [^\n]*: Input\/output error\n1\n0\nSeccomp:\t2\n$/,
      );
    },
  },
  {
    name: 'limits: memory, processes, processor time; update',
    config: (spec) => {
      waits(spec);
      spec.linux.resources = {
        memory: { limit: 32 << 20 },
        pids: { limit: 33 },
        cpu: { quota: 50_000, period: 100_000 },
      };
    },
    script: `runts run --detach one
cd /sys/fs/cgroup/one; cat memory.max pids.max cpu.max; cd - > /dev/null
runts update --memory 64m --pids-limit 44 one
cat /sys/fs/cgroup/one/memory.max /sys/fs/cgroup/one/pids.max
runts events --stats one | grep -o '"limit":44'
runts delete --force one`,
    check: printing(['33554432', '33', '50000 100000', '67108864', '44', '"limit":44']),
  },
  {
    name: 'out of memory: the container is killed',
    config: runs('tail /dev/zero', (spec) => {
      spec.linux.resources = { memory: { limit: 8 << 20, swap: 8 << 20 } };
    }),
    script: 'runts run one || echo "status $?"',
    check: (output, status) => {
      equal(status, 0, output);
      match(output, /^status 137$/m);
    },
  },
  {
    name: 'device rules: what is not allowed can’t be opened',
    config: runs(
      'echo > /dev/null && echo null; mknod /dev/kmsg c 1 11 && head -c 0 /dev/kmsg 2>/dev/null || echo refused',
      (spec) => {
        spec.linux.resources = { devices: [{ allow: false, access: 'rwm' }] };
      },
    ),
    script: 'runts run one',
    check: printing(['null', 'refused']),
  },
  {
    name: 'a user namespace: root is another user outside',
    config: runs('id -u; cat /proc/self/uid_map | tr -s " "; stat -c %u /', (spec) => {
      spec.linux.namespaces.push({ type: 'user' });
      spec.linux.uidMappings = [{ containerID: 0, hostID: 1000, size: 65536 }];
      spec.linux.gidMappings = [{ containerID: 0, hostID: 1000, size: 65536 }];
    }),
    script: 'chown -R 1000:1000 rootfs; runts run one',
    check: printing(['0', ' 0 1000 65536', '0']),
  },
  {
    name: 'joined namespaces, sysctls, a time namespace',
    config: runs(
      'hostname; cat /proc/sys/net/ipv4/ip_default_ttl; [ $(cut -d. -f1 /proc/uptime) -gt 100000 ] && echo later',
      (spec) => {
        delete spec.hostname;
        spec.linux.namespaces = spec.linux.namespaces
          .filter(({ type }) => type !== 'uts')
          .concat([{ type: 'uts', path: '/proc/1/ns/uts' }, { type: 'time' }]);
        spec.linux.sysctl = { 'net.ipv4.ip_default_ttl': '55' };
        spec.linux.timeOffsets = { boottime: { secs: 200_000 } };
      },
    ),
    script: 'hostname outside; runts run one',
    check: printing(['outside', '55', 'later']),
  },
  {
    name: 'hooks of all phases',
    config: (spec) => {
      spec.process.args = ['true'];
      const hook = (phase: string) => [
        { path: '/bin/sh', args: ['sh', '-c', `cat > /dev/null; echo ${phase} >> /tmp/hooks`] },
      ];
      spec.hooks = {
        prestart: hook('prestart'),
        createRuntime: hook('createRuntime'),
        createContainer: hook('createContainer'),
        startContainer: [{ path: '/bin/true' }],
        poststart: hook('poststart'),
        poststop: hook('poststop'),
      };
    },
    script: 'rm -f /tmp/hooks; runts run one; cat /tmp/hooks',
    check: printing(['prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop']),
  },
  {
    name: 'pause, resume, ps',
    config: waits,
    script: `runts run --detach one
runts pause one
runts state one | grep -o paused
runts resume one
runts ps --format json one | tr -d '0-9 '
runts delete --force one`,
    check: printing(['paused', '[]']),
  },
  {
    name: 'a terminal',
    config: waits,
    script: `runts run --detach one
runts exec --tty one sh -c 'test -t 0 && test -t 1 && tty'
runts delete --force one`,
    check: printing(['/dev/pts/0']),
  },
  {
    name: 'a command that is not there: the error, and nothing is left',
    config: (spec) => {
      spec.process.args = ['/no/such/command'];
    },
    script: `runts run one || echo "status $?"
${NOTHING_LEFT}`,
    check: (output, status) => {
      equal(status, 0, output);
      match(output, /^[^\n]*exec \/no\/such\/command: no such file or directory[^\n]*\nstatus 1\n$/);
    },
  },
  {
    name: 'eight containers at a time',
    config: runs('echo ran'),
    script: `for i in 1 2 3 4 5 6 7 8; do runts run box$i & done > /tmp/ran; wait
sort /tmp/ran | uniq -c | tr -s ' '
${NOTHING_LEFT}`,
    check: printing([' 8 ran']),
  },
];
