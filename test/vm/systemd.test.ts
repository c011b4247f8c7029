/**
 * Containers as units of systemd.
 *
 *     npm test -- test/vm/systemd.test.ts
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  atEnd,
  type Bundle,
  type Runtime,
  runtimes,
  SLOWNESS,
  type TestSpec,
  tempBundle,
  temporaryFolder,
  uniqueId,
} from '../harness/index.ts';
import { counter, countOf, countsBeyond, criuSkip } from '../support/checkpoint.ts';
import { systemdSkip } from './requirements.ts';

const skip = systemdSkip();
const MB = 1 << 20;

const systemctl = (...args: string[]): string => spawnSync('systemctl', args, { encoding: 'utf8' }).stdout;

interface Result {
  code: number;
  id: string;
  stdout: string;
  stderr: string;
}

/** A runtime at work. The harness's session wants a world of its own, which has neither systemd nor its bus. */
interface Session {
  /** Any command that must succeed; gives its output. */
  ok(...args: string[]): string;
  call(...args: string[]): Result;
  create(bundle: Bundle): Result;
  run(bundle: Bundle): Result;
}

function session(t: TestContext, runtime: Runtime, ...globals: string[]): Session {
  const root = temporaryFolder(t);
  const ids: string[] = [];
  // Into files: the container holds them, and a pipe would have to be read to its end.
  const call = (...args: string[]): Result => {
    const [file = '', ...first] = runtime.command;
    const argv = [...first, '--root', root, '--systemd-cgroup', ...globals, ...args];
    const paths = ['out', 'err'].map((name) => `${root}/.${name}`);
    const files = paths.map((path) => openSync(path, 'w'));
    const { status } = spawnSync(file, argv, { stdio: ['ignore', ...files], timeout: 60_000 * SLOWNESS });
    for (const fd of files) closeSync(fd);
    const [stdout = '', stderr = ''] = paths.map((path) => readFileSync(path, 'utf8'));
    return { code: status ?? -1, id: args.at(-1) ?? '', stdout, stderr };
  };
  const container = (command: string, { path }: Bundle): Result => {
    const id = uniqueId();
    ids.push(id);
    return call(command, '--bundle', path, id);
  };
  atEnd(t, 'containers', () => {
    for (const id of ids) call('delete', '--force', id);
  });
  return {
    ok: (...args) => {
      const { code, stdout, stderr } = call(...args);
      assert.equal(code, 0, stderr);
      return stdout;
    },
    call,
    create: (bundle) => container('create', bundle),
    run: (bundle) => container('run', bundle),
  };
}

const stateOf = (runts: Session, id: string): { pid: number; status: string } =>
  JSON.parse(runts.ok('state', id));

/** Properties of a unit by name. */
function show(unit: string, ...scope: string[]): Record<string, string> {
  const lines = systemctl(...scope, 'show', unit).split('\n');
  return Object.fromEntries(lines.map((line) => [line.split('=')[0], line.slice(line.indexOf('=') + 1)]));
}

function bundle(t: TestContext, path: string, change: (spec: TestSpec) => void = () => {}): Bundle {
  return tempBundle(t, {
    args: ['sleep', '100'],
    config: (spec) => {
      spec.linux.cgroupsPath = path;
      change(spec);
    },
  });
}

for (const runtime of skip ? [{ name: 'runts', command: [] }] : runtimes()) {
  const each = (name: string, run: (t: TestContext) => void | Promise<void>): void => {
    test(`${runtime.name}: ${name}`, { skip }, run);
  };

  each('a scope in its slice, with all limits, and gone after delete', async (t) => {
    const name = uniqueId('unit');
    const unit = `runts-${name}.scope`;
    const limited = bundle(t, `a-b.slice:runts:${name}`, (spec) => {
      spec.annotations = { 'org.systemd.property.TimeoutStopUSec': 'uint64 2000000' };
      spec.linux.resources = {
        memory: { limit: 64 * MB, reservation: 32 * MB, swap: 96 * MB },
        cpu: { shares: 512, quota: 20000, period: 50000, cpus: '0', mems: '0' },
        pids: { limit: 33 },
        blockIO: { weight: 500 },
        hugepageLimits: [{ pageSize: '2MB', limit: 4 * MB }],
        devices: [{ allow: false }],
      };
    });
    const runts = session(t, runtime);
    const { code, id, stderr } = runts.create(limited);
    assert.equal(code, 0, stderr);
    const properties = show(unit);
    const expected: Record<string, string> = {
      ActiveState: 'active',
      Slice: 'a-b.slice',
      ControlGroup: `/a.slice/a-b.slice/${unit}`,
      Delegate: 'yes',
      MemoryAccounting: 'yes',
      MemoryMax: String(64 * MB),
      MemoryLow: String(32 * MB),
      MemorySwapMax: String(32 * MB),
      CPUWeight: '59',
      CPUQuotaPerSecUSec: '400ms',
      CPUQuotaPeriodUSec: '50ms',
      AllowedCPUs: '0',
      AllowedMemoryNodes: '0',
      TasksMax: '33',
      IOWeight: '4950',
      DevicePolicy: 'strict',
      TimeoutStopUSec: '2s',
    };
    for (const [key, value] of Object.entries(expected)) assert.equal(properties[key], value, key);

    const directory = `/sys/fs/cgroup${properties.ControlGroup}`;
    const read = (file: string): string => readFileSync(`${directory}/${file}`, 'utf8').trim();
    const files: Record<string, string> = {
      'cgroup.procs': String(stateOf(runts, id).pid),
      'memory.max': String(64 * MB),
      'cpu.max': '20000 50000',
      'cpu.weight': '59',
      'pids.max': '33',
      'io.weight': 'default 4950',
      'hugetlb.2MB.max': String(4 * MB),
    };
    for (const [file, value] of Object.entries(files)) assert.equal(read(file), value, file);
    systemctl('daemon-reload');
    await delay(500);
    for (const [file, value] of Object.entries(files))
      assert.equal(read(file), value, `${file} after a reload`);

    runts.ok('start', id);
    runts.ok('delete', '--force', id);
    assert.equal(existsSync(directory), false);
    assert.equal(show(unit).LoadState, 'not-found');
  });

  each('update changes the unit and the files, and what is refused changes neither', async (t) => {
    const name = uniqueId('unit');
    const unit = `runts-${name}.scope`;
    const limited = bundle(t, `:runts:${name}`, (spec) => {
      spec.linux.resources = {
        memory: { limit: 64 * MB },
        cpu: { shares: 1024 },
        pids: { limit: 20 },
        devices: [{ allow: false }],
      };
    });
    const runts = session(t, runtime);
    const { code, id, stderr } = runts.create(limited);
    assert.equal(code, 0, stderr);
    runts.ok('start', id);
    const directory = `/sys/fs/cgroup${show(unit).ControlGroup}`;
    const read = (file: string): string => readFileSync(`${directory}/${file}`, 'utf8').trim();
    const check = (properties: Record<string, string>, files: Record<string, string>): void => {
      const shown = show(unit);
      for (const [key, value] of Object.entries(properties)) assert.equal(shown[key], value, key);
      for (const [file, value] of Object.entries(files)) assert.equal(read(file), value, file);
    };

    const flags = ['--memory', '32m', '--memory-swap', '48m', '--cpu-share', '512', '--cpu-quota', '30000'];
    runts.ok('update', ...flags, '--cpu-period', '100000', '--pids-limit', '40', '--cpuset-cpus', '0', id);
    const properties = {
      MemoryMax: String(32 * MB),
      MemorySwapMax: String(16 * MB),
      CPUWeight: '59',
      CPUQuotaPerSecUSec: '300ms',
      TasksMax: '40',
      AllowedCPUs: '0',
    };
    const files = {
      'memory.max': String(32 * MB),
      'memory.swap.max': String(16 * MB),
      'cpu.weight': '59',
      'cpu.max': '30000 100000',
      'pids.max': '40',
      'cpuset.cpus': '0',
    };
    check(properties, files);
    assert.match(systemctl('show', unit, '--property', 'DeviceAllow'), /char-pts/, 'devices are left alone');

    // The kernel refuses the last of the writes.
    const resources = `${temporaryFolder(t)}/resources.json`;
    writeFileSync(
      resources,
      JSON.stringify({
        pids: { limit: 50 },
        memory: { limit: 40 * MB },
        unified: { 'memory.high': 'nonsense' },
      }),
    );
    const refused = runts.call('update', '--resources', resources, id);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /linux\.resources\.unified.*memory\.high.*nothing was changed/);
    check(properties, files);

    runts.ok('update', '--pids-limit', '-1', id);
    check({ ...properties, TasksMax: 'infinity' }, { ...files, 'pids.max': 'max' });
    // What systemd writes anew is what was set last.
    systemctl('daemon-reload');
    systemctl('set-property', '--runtime', unit, 'IOWeight=50');
    check({ ...properties, TasksMax: 'infinity' }, { ...files, 'pids.max': 'max' });
  });

  each('a cgroup below the scope, and one for the container’s own use below that', (t) => {
    const name = uniqueId('unit');
    const unit = `runts-${name}.scope`;
    for (const [annotations, place, inside] of [
      [{ 'run.oci.systemd.subgroup': 'container' }, 'container', '/'],
      [{ 'run.oci.systemd.subgroup': 'c', 'run.oci.delegate-cgroup': 'd' }, 'c/d', '/d'],
      [{ 'run.oci.systemd.subgroup': '' }, '', '/'],
    ] as [Record<string, string>, string, string][]) {
      const runts = session(t, runtime);
      const { code, id, stderr } = runts.create(
        bundle(t, `:runts:${name}`, (spec) => {
          spec.annotations = annotations;
          spec.linux.resources = { memory: { limit: 64 * MB }, pids: { limit: 20 } };
        }),
      );
      assert.equal(code, 0, stderr);
      const { pid } = stateOf(runts, id);
      const scope = show(unit).ControlGroup;
      const at = `${scope}/${place}`.replace(/\/$/, '');
      assert.equal(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), `0::${at}\n`);
      const own = `/sys/fs/cgroup${scope}/${place.split('/')[0]}`;
      const read = (file: string): string => readFileSync(`${own}/${file}`, 'utf8').trim();
      assert.deepEqual([read('memory.max'), read('pids.max')], [String(64 * MB), '20']);
      assert.equal(show(unit).MemoryMax, String(64 * MB));
      runts.ok('start', id);
      assert.equal(runts.ok('exec', id, 'cat', '/proc/self/cgroup'), `0::${inside}\n`);
      runts.ok('update', '--pids-limit', '30', id);
      assert.deepEqual([read('pids.max'), show(unit).TasksMax], ['30', '30']);
      runts.ok('delete', '--force', id);
      assert.equal(existsSync(`/sys/fs/cgroup${scope}`), false);
      assert.equal(show(unit).LoadState, 'not-found');
    }
  });

  each('the cgroup namespace begins at the scope', (t) => {
    const inside = bundle(t, '', (spec) => {
      spec.process.args = ['cat', '/proc/self/cgroup'];
    });
    const { code, stdout, stderr } = session(t, runtime).run(inside);
    assert.deepEqual([code, stdout], [0, '0::/\n'], stderr);
  });

  each('devices: both programs allow what the rules allow', (t) => {
    const script = '(: </dev/zero) && echo zero; mknod /dev/k c 1 11; (: </dev/k) && echo kmsg; exit 0';
    const tries = (allow: boolean): string => {
      const kmsg = bundle(t, '', (spec) => {
        spec.process.args = ['sh', '-c', script];
        const sets = spec.process.capabilities ?? {};
        for (const set of [sets.bounding, sets.effective, sets.permitted]) set?.push('CAP_SYSLOG');
        const rule = { allow, type: 'c' as const, major: 1, minor: 11 };
        spec.linux.resources = { devices: [{ allow: false }, rule] };
      });
      return session(t, runtime).run(kmsg).stdout;
    };
    assert.equal(tries(true), 'zero\nkmsg\n');
    assert.equal(tries(false), 'zero\n');
  });

  each('a unit that was killed for lack of memory leaves nothing', async (t) => {
    const name = uniqueId('oom');
    const greedy = bundle(t, `:runts:${name}`, (spec) => {
      spec.process.args = ['tail', '-c', String(90 * MB), '/dev/zero'];
      spec.linux.resources = { memory: { limit: 20 * MB, swap: 20 * MB } };
    });
    const runts = session(t, runtime);
    const { id } = runts.create(greedy);
    runts.ok('start', id);
    for (let i = 0; i < 100 && stateOf(runts, id).status !== 'stopped'; i++) await delay(100);
    runts.ok('delete', id);
    assert.equal(show(`runts-${name}.scope`).LoadState, 'not-found');
  });

  each('a name that is in use is refused, and the unit of that name lives on', (t) => {
    const path = `:runts:${uniqueId('same')}`;
    const runts = session(t, runtime);
    const first = runts.create(bundle(t, path));
    assert.equal(first.code, 0, first.stderr);
    const second = runts.create(bundle(t, path));
    assert.equal(second.code, 1);
    assert.match(second.stderr, /cgroup is not empty: 1 process|already loaded|in use/);
    assert.equal(stateOf(runts, first.id).status, 'created');
  });

  each('what systemd refuses is told, and nothing is left', (t) => {
    const wrong = bundle(t, '', (spec) => {
      spec.annotations = { 'org.systemd.property.NoSuchThing': 'true' };
    });
    const { code, stderr, id } = session(t, runtime).create(wrong);
    assert.equal(code, 1);
    assert.match(stderr, /cannot start unit runts-.*: systemd: .*NoSuchThing/);
    assert.equal(show(`runts-${id}.scope`).LoadState, 'not-found');
  });

  each('a path of the other driver is refused with what is expected', (t) => {
    const { code, stderr } = session(t, runtime).create(bundle(t, '/a/b'));
    assert.equal(code, 1);
    assert.match(stderr, /linux\.cgroupsPath: .*expected cgroupsPath to be of format .*slice:prefix:name/);
  });

  const withCriu = skip || criuSkip();
  test(`${runtime.name}: restored into a scope of its own, with its limits`, {
    skip: withCriu,
  }, async (t) => {
    const name = uniqueId('saved');
    const unit = `runts-${name}.scope`;
    const counting = counter(t, {
      config: (spec) => {
        spec.linux.cgroupsPath = `a.slice:runts:${name}`;
        spec.linux.resources = { memory: { limit: 64 * MB }, pids: { limit: 33 } };
      },
    });
    const runts = session(t, runtime);
    const { code, id, stderr } = runts.create(counting);
    assert.equal(code, 0, stderr);
    runts.ok('start', id);
    await countsBeyond(counting, 2);
    const images = `${temporaryFolder(t)}/images`;
    runts.ok('checkpoint', '--image-path', images, id);
    assert.equal(show(unit).LoadState, 'not-found');
    const count = countOf(counting);
    runts.ok('restore', '--detach', '--bundle', counting.path, '--image-path', images, id);
    await countsBeyond(counting, count);
    const properties = show(unit);
    assert.equal(properties.ControlGroup, `/a.slice/${unit}`);
    assert.equal(properties.MemoryMax, String(64 * MB));
    assert.equal(properties.TasksMax, '33');
    const procs = readFileSync(`/sys/fs/cgroup/a.slice/${unit}/cgroup.procs`, 'utf8');
    assert.match(procs, new RegExp(`^${stateOf(runts, id).pid}$`, 'm'));
    runts.ok('delete', '--force', id);
    assert.equal(show(unit).LoadState, 'not-found');
  });

  each('the user’s own systemd', async (t) => {
    const directory = '/run/user/0';
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    // That of a manager that has ended would be taken for the new one's.
    rmSync(`${directory}/bus`, { force: true });
    const service = `${uniqueId('user')}.service`;
    const env = `XDG_RUNTIME_DIR=${directory}`;
    const start = [
      '--unit',
      service,
      '-p',
      'Delegate=yes',
      '--setenv',
      env,
      '/lib/systemd/systemd',
      '--user',
    ];
    spawnSync('systemd-run', start);
    atEnd(t, 'files', () => void systemctl('stop', service));
    for (let i = 0; i < 100 * SLOWNESS && !existsSync(`${directory}/bus`); i++) await delay(100);
    process.env.XDG_RUNTIME_DIR = directory;
    const name = uniqueId('box');
    const runts = session(t, runtime, '--rootless', 'true');
    const { code, id, stderr } = runts.create(
      bundle(t, `:runts:${name}`, (spec) => {
        spec.linux.resources = { pids: { limit: 33 } };
      }),
    );
    assert.equal(code, 0, stderr);
    const properties = show(`runts-${name}.scope`, '--user');
    assert.equal(properties.TasksMax, '33');
    assert.equal(properties.ControlGroup, `/system.slice/${service}/user.slice/runts-${name}.scope`);
    runts.ok('delete', '--force', id);
    assert.equal(show(`runts-${name}.scope`, '--user').LoadState, 'not-found');
  });
}
