/**
 * Limits on a kernel whose cgroups are ours: every value read back, and what the kernel then does.
 *
 *     npm test -- test/vm/cgroups.test.ts
 *
 * TMPDIR: the page cache of the VM's root is charged to whoever reads it first, which 512 KB can't bear.
 */

import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Bundle,
  privateWorld,
  runtimes,
  SLOWNESS,
  session,
  type TestSpec,
  TOKEN,
  tempBundle,
} from '../harness/index.ts';
import { blockDevice, limitsSkip } from './requirements.ts';

// On a host without limits no world is made for tests that are skipped.
const lacks = limitsSkip();
const skip = lacks || privateWorld({ cgroups: 'v2' }).skip;
const MB = 1 << 20;

type Resources = NonNullable<TestSpec['linux']['resources']>;

const bundle = (
  t: TestContext,
  resources: Resources,
  args: string[],
  more?: (spec: TestSpec) => void,
): Bundle =>
  tempBundle(t, {
    args,
    config: (spec) => {
      spec.linux.resources = resources;
      more?.(spec);
    },
  });

const directoryOf = ({ config }: Bundle): string => `/sys/fs/cgroup${config.linux.cgroupsPath}`;
const shell = (script: string): string[] => ['sh', '-c', script];

for (const runtime of skip ? [{ name: 'runts', command: [] }] : runtimes()) {
  const each = (name: string, run: (t: TestContext) => void | Promise<void>): void => {
    test(`${runtime.name}: ${name}`, { skip }, run);
  };

  each('every limit is in its file, and gone with the container', (t) => {
    const device = blockDevice();
    const number = `${device.major}:${device.minor}`;
    const limited = bundle(
      t,
      {
        memory: { limit: 64 * MB, reservation: 32 * MB, swap: 96 * MB },
        cpu: { shares: 512, quota: 20000, period: 50000, burst: 5000, idle: 0, cpus: '0', mems: '0' },
        pids: { limit: 33 },
        blockIO: {
          weight: 500,
          throttleReadBpsDevice: [{ ...device, rate: MB }],
          throttleWriteBpsDevice: [{ ...device, rate: 2 * MB }],
          throttleReadIOPSDevice: [{ ...device, rate: 1000 }],
          throttleWriteIOPSDevice: [{ ...device, rate: 2000 }],
        },
        hugepageLimits: [{ pageSize: '2MB', limit: 4 * MB }],
        unified: { 'memory.high': '60000000', 'cgroup.max.depth': '5' },
        devices: [{ allow: false }],
      },
      ['sleep', '100'],
    );
    const runts = session(t, runtime);
    const { code, id, stderr } = runts.create(limited);
    assert.equal(code, 0, stderr);
    const directory = directoryOf(limited);
    const read = (file: string): string => readFileSync(`${directory}/${file}`, 'utf8').trim();
    const expected: Record<string, string> = {
      'memory.max': String(64 * MB),
      'memory.low': String(32 * MB),
      'memory.swap.max': String(32 * MB),
      // in whole pages
      'memory.high': '59998208',
      'cpu.weight': '59',
      'cpu.max': '20000 50000',
      'cpu.max.burst': '5000',
      'cpu.idle': '0',
      'cpuset.cpus': '0',
      'cpuset.mems': '0',
      'pids.max': '33',
      'io.max': `${number} rbps=${MB} wbps=${2 * MB} riops=1000 wiops=2000`,
      'hugetlb.2MB.max': String(4 * MB),
      'hugetlb.2MB.rsvd.max': String(4 * MB),
      'cgroup.max.depth': '5',
      'cgroup.procs': String(runts.state(id).pid),
    };
    for (const [file, value] of Object.entries(expected)) assert.equal(read(file), value, file);
    if (existsSync(`${directory}/io.bfq.weight`)) assert.match(read('io.bfq.weight'), /\b500\b/);
    else assert.equal(read('io.weight'), 'default 4950');
    runts.ok(['delete', '--force', id]);
    assert.equal(existsSync(directory), false);
  });

  each('every controller is there for statistics, without any limit', (t) => {
    const plain = bundle(t, {}, ['sleep', '100']);
    assert.equal(session(t, runtime).create(plain).code, 0);
    const words = (path: string): string[] => readFileSync(path, 'utf8').trim().split(' ').sort();
    assert.deepEqual(
      words(`${directoryOf(plain)}/cgroup.controllers`),
      words('/sys/fs/cgroup/cgroup.controllers'),
    );
  });

  each('too much memory kills', (t) => {
    const greedy = bundle(t, { memory: { limit: 20 * MB, swap: 20 * MB } }, [
      'tail',
      '-c',
      String(90 * MB),
      '/dev/zero',
    ]);
    assert.equal(session(t, runtime).run(greedy).code, 137);
  });

  each('512 KB are enough to start', (t) => {
    const tiny = bundle(t, { memory: { limit: 512 * 1024 } }, ['echo', 'started']);
    const { code, stdout, stderr } = session(t, runtime).run(tiny);
    assert.deepEqual([code, stdout], [0, 'started\n'], stderr);
  });

  each('a limit that init itself does not fit into is told as that', (t) => {
    const runts = session(t, runtime);
    const { code, stderr } = runts.create(bundle(t, { memory: { limit: 4096, swap: 4096 } }, ['true']));
    assert.equal(code, 1);
    assert.match(stderr, /container init was OOM-killed \(memory limit too low\?\)/);
    assert.match(stderr, /unable to set memory limit to 4096 \(current usage: \d+, peak usage: /);
  });

  each('a processor quota throttles', async (t) => {
    const script = 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 100';
    const busy = bundle(t, { cpu: { quota: 5000, period: 50000 } }, shell(script));
    const { code, stderr } = session(t, runtime).detach(busy);
    assert.equal(code, 0, stderr);
    const throttled = (): number => {
      const stat = readFileSync(`${directoryOf(busy)}/cpu.stat`, 'utf8');
      return Number(/^nr_throttled (\d+)$/m.exec(stat)?.[1]);
    };
    for (let looks = 0; throttled() < 3; looks++) {
      assert.ok(looks < 300 * SLOWNESS, 'not throttled');
      await delay(50);
    }
  });

  each('too many processes can’t be forked', (t) => {
    const script = 'sleep 9 & sleep 9 & sleep 9 & sleep 9 & sleep 9 & echo all';
    const { code, stdout, stderr } = session(t, runtime).run(
      bundle(t, { pids: { limit: 4 } }, shell(script)),
    );
    assert.notEqual(code, 0);
    assert.equal(stdout, '');
    assert.match(stderr, /fork: Resource temporarily unavailable/);
  });

  each('devices: allowed, denied, and made', (t) => {
    // kmsg, 1:11, can be opened by whoever may; as may /dev/zero, always.
    const script =
      'mknod /dev/k c 1 11 && echo made; : </dev/zero && echo zero; (: </dev/k) && echo kmsg; exit 0';
    const privileged = (spec: TestSpec): void => {
      const sets = spec.process.capabilities ?? {};
      for (const set of [sets.bounding, sets.effective, sets.permitted]) set?.push('CAP_SYSLOG');
    };
    const tries = (devices: Resources['devices']): string =>
      session(t, runtime).run(bundle(t, { devices }, shell(script), privileged)).stdout;
    assert.equal(tries([{ allow: false, access: 'rwm' }]), 'made\nzero\n');
    const kmsg = { type: 'c', major: 1, minor: 11 } as const;
    assert.equal(tries([{ allow: false }, { ...kmsg, allow: true, access: 'r' }]), 'made\nzero\nkmsg\n');
    assert.equal(tries([{ allow: false }, { ...kmsg, allow: true, access: 'w' }]), 'made\nzero\n');
    assert.equal(tries([{ allow: true }, { ...kmsg, allow: false, access: 'r' }]), 'made\nzero\n');
    assert.equal(tries([{ allow: true, access: 'rwm' }]), 'made\nzero\nkmsg\n');
  });

  each('what the kernel refuses is told with its field, and nothing is left', (t) => {
    const runts = session(t, runtime);
    const refused = (resources: Resources, field: string, message: RegExp): void => {
      const wrong = bundle(t, resources, ['true']);
      const { code, stderr: logged } = runts.create(wrong);
      // Quotes are escaped in a line of the log.
      const stderr = logged.replaceAll('\\"', '"');
      assert.equal(code, 1, field);
      assert.ok(stderr.includes(field), stderr);
      assert.match(stderr, message);
      assert.equal(existsSync(directoryOf(wrong)), false, field);
    };
    refused({ cpu: { cpus: '4000' } }, 'linux.resources.cpu.cpus', /out of the range|invalid argument/i);
    refused({ cpu: { mems: '900' } }, 'linux.resources.cpu.mems', /out of the range|invalid argument/i);
    refused({ cpu: { quota: 1 } }, 'linux.resources.cpu.quota', /invalid argument.*at least 1000/i);
    const throttleReadBpsDevice = [{ major: 999, minor: 7, rate: 5 }];
    refused(
      { blockIO: { throttleReadBpsDevice } },
      'throttleReadBpsDevice[0]',
      /no block device has this number/,
    );
    const hugepageLimits = [{ pageSize: '3MB', limit: 5 }];
    refused({ hugepageLimits }, 'linux.resources.hugepageLimits[0]', /huge pages of this size/);
    refused({ rdma: { none: { hcaHandles: 1 } } }, 'linux.resources.rdma["none"]', /no RDMA device/);
    refused(
      { unified: { 'nope.max': '1' } },
      'linux.resources.unified["nope.max"]',
      /controller nope is not available/,
    );
    refused(
      { unified: { 'pids.nope': '1' } },
      'linux.resources.unified["pids.nope"]',
      /does not have the file/,
    );
    refused({ memory: { swappiness: 5 } }, 'linux.resources.memory.swappiness', /only cgroup v1 has this/);
  });

  each('a cgroup with processes can’t have limited ones below', (t) => {
    const parent = `/sys/fs/cgroup/${TOKEN}-parent`;
    mkdirSync(parent);
    t.after(() => {
      writeFileSync('/sys/fs/cgroup/cgroup.procs', String(process.pid));
      rmdirSync(parent);
    });
    writeFileSync(`${parent}/cgroup.procs`, String(process.pid));
    const below = bundle(t, { memory: { limit: MB } }, ['true'], (spec) => {
      spec.linux.cgroupsPath = `/${TOKEN}-parent/box`;
    });
    const { code, stderr } = session(t, runtime).create(below);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /cannot enable controller memory in .*cgroup\.subtree_control: write: device or resource busy/,
    );
    assert.match(stderr, /has processes of its own/);
  });

  each('root of a user namespace gets its cgroup, and makes others below', (t) => {
    const script = 'cd /sys/fs/cgroup && mkdir below && echo 0 >below/cgroup.procs && cat /proc/self/cgroup';
    const delegated = bundle(t, { pids: { limit: 50 } }, shell(script), (spec) => {
      const ids = [{ containerID: 0, hostID: 100000, size: 65536 }];
      spec.linux.namespaces.push({ type: 'user' });
      Object.assign(spec.linux, { uidMappings: ids, gidMappings: ids });
      spec.mounts.push({ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['rw'] });
    });
    // The root of the user namespace must get through the test's folder.
    chmodSync(dirname(delegated.path), 0o711);
    const runts = session(t, runtime);
    const { code, id, stderr } = runts.create(delegated);
    assert.equal(code, 0, stderr);
    const directory = directoryOf(delegated);
    for (const file of ['', '/cgroup.procs', '/cgroup.subtree_control', '/cgroup.threads']) {
      assert.equal(statSync(`${directory}${file}`).uid, 100000, file);
    }
    assert.equal(statSync(`${directory}/pids.max`).uid, 0, 'the limits are not handed over');
    runts.ok(['delete', '--force', id]);
    const { code: status, stdout, stderr: problem } = runts.run(delegated);
    assert.deepEqual([status, stdout], [0, '0::/below\n'], problem);
  });
}
