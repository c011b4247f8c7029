/** `process.scheduler`, `ioPriority` and `execCPUAffinity`, of init and of `exec`. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Process, Scheduler } from '../src/spec/types.ts';
import {
  hasCommand,
  privateWorld,
  type Runtime,
  runtimes,
  session,
  temporaryFolder,
} from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { type LookOptions, look, lookAt, scriptBundle, testsOf } from './support/inside.ts';

const { skip } = privateWorld();

/** proc_pid_stat(5): fields 19, 40 and 41. */
function scheduling(stat: string): { nice: number; priority: number; policy: number } {
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  return { nice: fields[16]!, priority: fields[37]!, policy: fields[38]! };
}

const USER_NAMESPACE: LookOptions['config'] = (spec) => {
  spec.linux.namespaces.push({ type: 'user' });
  spec.linux.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65536 }];
  spec.linux.gidMappings = [{ containerID: 0, hostID: 100_000, size: 65536 }];
};

/** What `cat` sees of itself: a command without children, for a deadline task can't have any. */
function seen(
  t: TestContext,
  runtime: Runtime,
  scheduler: Scheduler,
  more: LookOptions['config'] = () => {},
) {
  const bundle = scriptBundle(t, '', {
    config: (spec) => {
      spec.process.scheduler = scheduler;
      more(spec);
    },
  });
  bundle.config.process.args = ['cat', '/proc/self/stat'];
  bundle.save();
  const { code, stdout, stderr } = session(t, runtime).run(bundle);
  assert.deepEqual([code, stderr], [0, '']);
  return scheduling(stdout);
}

const CASES: [Scheduler, ReturnType<typeof scheduling>][] = [
  [
    { policy: 'SCHED_OTHER', nice: 5 },
    { policy: 0, nice: 5, priority: 0 },
  ],
  [
    { policy: 'SCHED_OTHER', nice: -20 },
    { policy: 0, nice: -20, priority: 0 },
  ],
  [
    { policy: 'SCHED_BATCH', nice: -3 },
    { policy: 3, nice: -3, priority: 0 },
  ],
  [{ policy: 'SCHED_IDLE' }, { policy: 5, nice: 0, priority: 0 }],
  [
    { policy: 'SCHED_FIFO', priority: 7 },
    { policy: 1, nice: 0, priority: 7 },
  ],
  [
    { policy: 'SCHED_RR', priority: 99 },
    { policy: 2, nice: 0, priority: 99 },
  ],
  [
    { policy: 'SCHED_DEADLINE', runtime: 2_000_000, deadline: 40_000_000, period: 50_000_000 },
    { policy: 6, nice: 0, priority: 0 },
  ],
  [
    { policy: 'SCHED_DEADLINE', runtime: 2_000_000, deadline: 40_000_000, flags: ['SCHED_FLAG_RECLAIM'] },
    { policy: 6, nice: 0, priority: 0 },
  ],
];

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('every policy', (t) => {
    for (const [scheduler, expected] of CASES) {
      assert.deepEqual(seen(t, runtime, scheduler), expected, JSON.stringify(scheduler));
    }
  });

  it('in a user namespace too, with the runtime’s rights', (t) => {
    for (const [scheduler, expected] of CASES.filter(([{ policy }]) => policy !== 'SCHED_DEADLINE')) {
      assert.deepEqual(seen(t, runtime, scheduler, USER_NAMESPACE), expected, JSON.stringify(scheduler));
    }
    const { priority } = look(
      t,
      runtime,
      { priority: 'ionice -p $$' },
      {
        config: (spec) => {
          USER_NAMESPACE(spec);
          spec.process.ioPriority = { class: 'IOPRIO_CLASS_RT', priority: 2 };
        },
      },
    );
    assert.match(priority!, /realtime: prio 2/);
  });

  it('children get the default again with SCHED_FLAG_RESET_ON_FORK', (t) => {
    const policyOfChild = (flags: Scheduler['flags']): number =>
      scheduling(
        look(
          t,
          runtime,
          { child: 'cat /proc/self/stat' },
          {
            config: (spec) => {
              spec.process.scheduler = { policy: 'SCHED_FIFO', priority: 1, flags };
            },
          },
        ).child!,
      ).policy;
    assert.equal(policyOfChild([]), 1);
    assert.equal(policyOfChild(['SCHED_FLAG_RESET_ON_FORK']), 0);
  });

  it('the container’s user needs no rights for it', (t) => {
    const own = seen(t, runtime, { policy: 'SCHED_FIFO', priority: 7 }, (spec) => {
      spec.process.user = { uid: 1000, gid: 1000 };
      delete spec.process.capabilities;
    });
    assert.equal(own.policy, 1);
  });

  it('I/O priority', (t) => {
    for (const [ioPriority, pattern] of [
      [{ class: 'IOPRIO_CLASS_RT', priority: 1 }, /^realtime: prio 1/],
      [{ class: 'IOPRIO_CLASS_BE', priority: 6 }, /^best-effort: prio 6/],
      [{ class: 'IOPRIO_CLASS_IDLE', priority: 0 }, /^idle/],
    ] as const) {
      const { priority } = look(
        t,
        runtime,
        { priority: 'ionice -p $$' },
        {
          config: (spec) => {
            spec.process.ioPriority = ioPriority;
          },
        },
      );
      assert.match(priority!, pattern);
    }
  });

  for (const [what, scheduler, pattern] of [
    [
      'a policy that no kernel has',
      { policy: 'SCHED_ISO' },
      /process\.scheduler: sched_setattr.*EINVAL.*SCHED_ISO/,
    ],
    [
      'a deadline before the runtime’s end',
      { policy: 'SCHED_DEADLINE', runtime: 3_000_000, deadline: 2_000_000 },
      /process\.scheduler\.deadline: expected at least the runtime, 3000000,/,
    ],
    [
      'a period shorter than the kernel takes',
      { policy: 'SCHED_DEADLINE', runtime: 1024, deadline: 2000, period: 2000 },
      /process\.scheduler: sched_setattr.*EINVAL.*sched_deadline_period/,
    ],
    [
      'a priority without a real-time policy',
      { policy: 'SCHED_OTHER', priority: 5 },
      /can only be specified for/,
    ],
  ] as const) {
    it(`${what} is an error`, (t) => {
      const result = lookAt(t, runtime, 'true', {
        globals: JSON_LOG,
        config: (spec) => {
          spec.process.scheduler = { ...scheduler } as Scheduler;
        },
      });
      assert.equal(result.code, 1);
      assert.match(failureOf(result).msg, pattern);
    });
  }

  it('a process of exec has the container’s, or those of its own', (t) => {
    const s = session(t, runtime);
    const bundle = scriptBundle(t, 'exec sleep 1000', {
      config: (spec) => {
        spec.process.scheduler = { policy: 'SCHED_BATCH', nice: 4 };
        spec.process.ioPriority = { class: 'IOPRIO_CLASS_IDLE' };
      },
    });
    const { id } = s.detach(bundle);
    const show = ['sh', '-c', 'cat /proc/$$/stat; ionice -p $$'];
    const own = s.ok(['exec', id, ...show]).split('\n');
    assert.deepEqual(scheduling(own[0]!), { policy: 3, nice: 4, priority: 0 });
    assert.match(own[1]!, /^idle/);
    const process: Process = {
      cwd: '/',
      args: show,
      env: ['PATH=/bin'],
      user: { uid: 0, gid: 0 },
      scheduler: { policy: 'SCHED_RR', priority: 3 },
      ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 5 },
    };
    const file = join(temporaryFolder(t), 'process.json');
    writeFileSync(file, JSON.stringify(process));
    const other = s.ok(['exec', '--process', file, id]).split('\n');
    assert.deepEqual(scheduling(other[0]!), { policy: 2, nice: 0, priority: 3 });
    assert.match(other[1]!, /^best-effort: prio 5/);
  });
}

const several =
  skip ||
  (availableParallelism() < 2 && 'needs two processors') ||
  (!hasCommand('taskset') && 'needs taskset');
const ALLOWED = 'grep Cpus_allowed_list /proc/self/status | tr -d "\\t" | cut -d: -f2';

for (const runtime of runtimes()) {
  const it = testsOf(runtime, several);
  const pinned = { ...runtime, command: ['taskset', '-c', '1', ...runtime.command] };

  /** Processors of a process of exec, with an affinity in its process object. */
  const inExec = (t: TestContext, execCPUAffinity?: Process['execCPUAffinity'], by = runtime) => {
    const s = session(t, by);
    const { id } = s.detach(scriptBundle(t, 'exec sleep 1000'));
    const process: Process = { cwd: '/', args: ['sh', '-c', ALLOWED], env: ['PATH=/bin'], execCPUAffinity };
    const file = join(temporaryFolder(t), 'process.json');
    writeFileSync(file, JSON.stringify(process));
    return s.call(['exec', '--process', file, id], { globals: JSON_LOG });
  };

  it('a pinned runtime does not pin its containers', (t) => {
    const all = look(t, runtime, { cpus: ALLOWED }).cpus;
    assert.notEqual(all, '1');
    assert.equal(look(t, pinned, { cpus: ALLOWED }).cpus, all);
    assert.equal(inExec(t, undefined, pinned).stdout.trim(), all);
  });

  it('execCPUAffinity is exec’s alone: final holds, initial only until the cgroup is joined', (t) => {
    const all = look(
      t,
      runtime,
      { cpus: ALLOWED },
      {
        config: (spec) => {
          spec.process.execCPUAffinity = { initial: '0', final: '0' };
        },
      },
    ).cpus;
    assert.notEqual(all, '0');
    assert.equal(inExec(t, { initial: '1', final: '0' }).stdout.trim(), '0');
    assert.equal(inExec(t, { final: '1' }).stdout.trim(), '1');
    assert.equal(inExec(t, { initial: '0' }).stdout.trim(), all);
    assert.equal(inExec(t, { initial: '', final: '' }).stdout.trim(), all);
  });

  it('the config’s is used when exec is given a command', (t) => {
    const s = session(t, runtime);
    const bundle = scriptBundle(t, 'exec sleep 1000', {
      config: (spec) => {
        spec.process.execCPUAffinity = { final: '1' };
      },
    });
    const { id } = s.detach(bundle);
    assert.equal(s.ok(['exec', id, 'sh', '-c', ALLOWED]).trim(), '1');
  });

  it('processors that are not there are an error', (t) => {
    for (const name of ['initial', 'final'] as const) {
      const result = inExec(t, { [name]: '4000-4001' });
      assert.equal(result.code, 255);
      assert.match(
        failureOf(result).msg,
        new RegExp(`process\\.execCPUAffinity\\.${name}: sched_setaffinity.*EINVAL`),
      );
    }
    const result = inExec(t, { final: '1-0' });
    assert.equal(result.code, 255);
    assert.match(failureOf(result).msg, /execCPUAffinity\.final: "1-0" is no list such as 0-3,7/);
  });
}
