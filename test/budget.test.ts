/**
 * What commands may take: system calls, files, modules, bytes. Counted, not timed, so that it is the same on any day; the
 * budgets are in budget.json, and a commit that needs more changes them, where a reviewer sees it.
 *
 * After a wanted change, and when less is needed: RUNTS_UPDATE_BUDGET=1 npm test -- test/budget.test.ts
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  missing,
  privateWorld,
  type Runtime,
  runtimes,
  session,
  tempBundle,
  uniqueId,
} from './harness/index.ts';
import { type Calls, countCalls } from './support/budget/calls.ts';
import { traceCommands } from './support/budget/commands.ts';
import { buildInstrumented, sourceBytes } from './support/budget/modules.ts';
import {
  budgetsOf,
  type Counts,
  excesses,
  FILE,
  formatRecord,
  least,
  RENEWAL,
  readRecord,
  renewing,
  renewSection,
  savings,
} from './support/budget/record.ts';
import { tapeSizes } from './support/budget/tapes.ts';

const world = privateWorld({ cgroups: 'v2' });

/** The budgets are those of what is built here, on the machine that most have; others have none. */
const foreign =
  (process.env.RUNTS && 'only for the runtime that is built here') ||
  (process.arch !== 'x64' && `budgets are recorded for x64, and this is ${process.arch}`);
const dist = join(import.meta.dirname, '../dist');

function hold(t: TestContext, section: string, measured: Record<string, Counts>, more = ''): void {
  if (renewing) renewSection(section, measured);
  const budgets = readRecord()[section];
  const problems = excesses(budgets, measured);
  assert.deepEqual(
    problems,
    [],
    `${section}:\n${problems.join('\n')}\n${more}\nIf it must be so, renew test/budget.json in the same commit: ${RENEWAL}`,
  );
  for (const line of savings(budgets ?? {}, measured)) {
    t.diagnostic(`${section}: ${line}: renew the record with ${RENEWAL}`);
  }
}

/** The engine of a runtime, as it tells itself: `bun`, or `node 20`, as the host's Node may be any. */
function engineOf({ command: [file, ...args] }: Runtime): string {
  const { stdout } = spawnSync(file!, [...args, '--version'], { encoding: 'utf8' });
  const [, name = 'unknown', major = ''] = /^engine: (\S+) (\d+)?/m.exec(stdout) ?? [];
  return name === 'node' ? `node ${major}` : name;
}

/** Why there is no record of this here; the engine of the binary must have one. */
function unrecorded(engine: string, section: string): string | false {
  if (renewing || !engine.startsWith('node') || readRecord()[section] !== undefined) return false;
  return `budgets are recorded for another Node than ${engine.slice('node '.length)}`;
}

test('tapes of the sample bundles', (t) => {
  const sizes = Object.entries(tapeSizes()).map(([name, { operations, bytes }]) => [
    name,
    { operations, tape: bytes },
  ]);
  hold(t, 'tapes of create', Object.fromEntries(sizes));
});

test('the executor', { skip: foreign }, (t) => {
  hold(t, 'executor', { executor: { bytes: statSync(join(dist, 'executor')).size } });
});

for (const runtime of foreign ? [] : runtimes()) {
  const engine = engineOf(runtime);
  const onNode = engine.startsWith('node');
  const product = runtime.command.at(-1) as string;

  test(`${runtime.name}: size of ${basename(product)}`, (t) => {
    // The bundle for Node is the same for every Node.
    const section = onNode ? 'size for node' : `size on ${engine}`;
    hold(t, section, { [basename(product)]: { bytes: statSync(product).size } });
  });

  const skip = world.skip || missing('strace') || unrecorded(engine, `calls on ${engine}`);
  test(`${runtime.name}: system calls and files`, { skip }, async (t) => {
    const trials: Record<string, Calls>[] = [];
    for (let i = 0; i < 3; i++) trials.push(await traceCommands(t, runtime));
    const counts = (of: (calls: Calls) => Counts): Record<string, Counts> =>
      least(
        trials.map((trial) =>
          Object.fromEntries(Object.entries(trial).map(([name, calls]) => [name, of(calls)])),
        ),
      );
    const calls = counts(({ engine, plan, host, executor, threads }) => ({
      ...{ engine, threads },
      // Node's threads make calls whenever they like, in our phases too.
      ...(onNode ? {} : { plan, host }),
      ...(executor > 0 && { executor }),
    }));
    const read = counts(({ engineFiles, files }) => ({
      engineFiles: engineFiles.length,
      files: files.length,
    }));
    const lists = Object.entries(trials.at(-1) ?? {}).map(
      ([name, { files }]) => `${name}: ${files.join(' ')}`,
    );
    hold(t, `calls on ${engine}`, calls);
    hold(t, `files read on ${engine}`, read, `files:\n${lists.join('\n')}`);
  });
}

test('memory of a created container', { skip: world.skip || foreign }, (t) => {
  const [runtime] = runtimes();
  const s = session(t, runtime!);
  const id = uniqueId();
  assert.equal(s.create(tempBundle(t, { args: ['true'], rootfs: 'shared' }), { id }).code, 0);
  const rollup = readFileSync(`/proc/${s.state(id).pid}/smaps_rollup`, 'utf8');
  const kilobytes = Number(/^Pss: +(\d+) kB$/m.exec(rollup)?.[1]);
  hold(t, 'memory', { created: { kilobytes } }, rollup);
});

test('modules of each command', { skip: world.skip || foreign }, async (t) => {
  const { command, listing } = await buildInstrumented();
  const s = session(t, { name: 'runts with its modules told', command });
  const bundle = tempBundle(t, { args: ['sleep', '100000'], rootfs: 'shared' });
  const id = uniqueId();
  const measured: Record<string, Counts> = {};
  const loaded: string[] = [];
  const load = (name: string, call: (options: { env: Record<string, string> }) => void): void => {
    const { env, modules } = listing();
    call({ env });
    const names = modules();
    measured[name] = { modules: names.length, bytes: sourceBytes(names) };
    loaded.push(`${name}: ${names.join(' ')}`);
  };
  load('version', (options) => {
    const { status } = spawnSync(command[0]!, [...command.slice(1), '--version'], options);
    assert.equal(status, 0);
  });
  load('create', (options) => assert.equal(s.create(bundle, { id, ...options }).code, 0));
  load('start', (options) => s.ok(['start', id], options));
  load('state', (options) => s.ok(['state', id], options));
  load('list', (options) => s.ok(['list'], options));
  load('exec', (options) => s.ok(['exec', id, 'true'], options));
  load('kill', (options) => s.ok(['kill', id, 'KILL'], options));
  await s.waitFor(id, 'stopped');
  load('delete', (options) => s.ok(['delete', id], options));
  const short = tempBundle(t, { args: ['true'], rootfs: 'shared' });
  load('run', (options) => assert.equal(s.run(short, options).code, 0));
  hold(t, 'modules', measured, `modules:\n${loaded.join('\n')}`);
});

const TRACE = `100 execve("/bin/rt", ["/bin/rt"], 0x1 /* 1 var */) = 0
100 openat(AT_FDCWD, "/lib/libc.so", O_RDONLY|O_CLOEXEC) = 3
100 mmap(NULL, 8, PROT_READ, MAP_PRIVATE, -1, 0) = 0x7
100 clone3({flags=CLONE_VM|CLONE_THREAD, exit_signal=0}, 88 <unfinished ...>
101 futex(0x1, FUTEX_WAIT) = 0
100 <... clone3 resumed>) = 101
100 openat(AT_FDCWD, "/b/config.json", O_RDONLY) = 3
100 futex(0x1, FUTEX_WAKE) = 0
100 openat(AT_FDCWD, "/b/none", O_RDONLY) = -1 ENOENT (No such file or directory)
100 mkdir("/s/box", 0700) = 0
100 clone3({flags=CLONE_VM|CLONE_VFORK, exit_signal=SIGCHLD}, 88 <unfinished ...>
102 dup2(3, 9) = 9
102 execve("/proc/self/fd/9", ["init"], 0x1 /* 0 vars */ <unfinished ...>
100 <... clone3 resumed>) = 102
102 <... execve resumed>) = 0
102 clone3({flags=CLONE_NEWPID}, 88) = 103
103 mount("proc", ".", "proc", 0, NULL) = 0
--- SIGCHLD ---
103 execve("/bin/none", ["true"], 0x1 /* 0 vars */) = -1 ENOENT (No such file or directory)
103 execve("/bin/true", ["true"], 0x1 /* 0 vars */ <unfinished ...>
100 futex(0x1, FUTEX_WAKE) = 0
103 <... execve resumed>) = 0
103 brk(NULL) = 0x1
100 exit_group(0) = ?
100 +++ exited with 0 +++
`;

test('a trace is divided by who calls and when', () => {
  assert.deepEqual(countCalls(TRACE, { root: '/s', bundle: '/b' }), {
    engine: 5,
    plan: 2,
    host: 3,
    executor: 6,
    threads: 1,
    engineFiles: ['/lib/libc.so'],
    files: ['BUNDLE/config.json'],
  });
});

test('what is beyond its budget is told, and what is not in the record', () => {
  const budgets = { create: { plan: 10, threads: 1 }, run: { plan: 1 } };
  assert.deepEqual(excesses(budgets, { create: { plan: 10, threads: 1 }, run: { plan: 0 } }), []);
  assert.deepEqual(excesses(budgets, { create: { plan: 11, host: 2 } }), [
    'create: plan: 11, and the budget is 10',
    'create: host: 2, and the record has no budget',
    'run: is in the record, and there is no such thing',
  ]);
  assert.deepEqual(excesses(undefined, {}), ['the record has no such section']);
  assert.deepEqual(savings({ create: { plan: 40 } }, { create: { plan: 20 } }), ['create: plan: 20 of 40']);
  assert.deepEqual(savings({ create: { plan: 24 } }, { create: { plan: 20 } }), []);
});

test('budgets have room for what machines differ in, and the least of the trials counts', () => {
  assert.deepEqual(budgetsOf({ create: { engine: 100, tape: 5 } }), {
    create: { engine: 110, tape: 5 },
  });
  const before = { create: { engine: 120, tape: 5 } };
  assert.deepEqual(budgetsOf({ create: { engine: 100, tape: 5 } }, before), before);
  assert.deepEqual(budgetsOf({ create: { engine: 95, tape: 4 } }, before), {
    create: { engine: 105, tape: 4 },
  });
  assert.deepEqual(least([{ a: { n: 3 } }, { a: { n: 2 } }, { a: { n: 4 } }]), { a: { n: 2 } });
  const record = { x: { a: { n: 1, m: 2 }, b: { n: 3 } } };
  const text = '{\n  "x": {\n    "a": { "n": 1, "m": 2 },\n    "b": { "n": 3 }\n  }\n}\n';
  assert.equal(formatRecord(record), text);
});

test('the record is as a renewal writes it', () => {
  assert.equal(readFileSync(FILE, 'utf8'), formatRecord(readRecord()));
});
