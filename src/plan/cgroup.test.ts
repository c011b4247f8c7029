/** Which steps a config's cgroup takes, and when. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scopeName } from '../cgroup/systemd/names.ts';
import { RuntsError } from '../errors.ts';
import type { Spec } from '../spec/types.ts';
import { planCgroup } from './cgroup.ts';
import { planCreate } from './create.ts';
import type { HostFacts, HostStep, PlanOptions } from './types.ts';

const FACTS: HostFacts = {
  machine: 'x64',
  euid: 0,
  egid: 0,
  lastCapability: 40,
  cgroupMount: '/sys/fs/cgroup',
};

const options = (changes: Partial<PlanOptions> = {}): PlanOptions => ({
  id: 'c',
  bundle: '/b',
  rootfs: '/b/rootfs',
  stateDir: '/run/runts/c',
  mode: 'create',
  cgroupPath: '/c',
  noPivot: false,
  noNewKeyring: false,
  preserveFds: 0,
  ...changes,
});

const spec = (linux: Spec['linux'], more: Partial<Spec> = {}): Spec => ({
  ociVersion: '1.3.0',
  root: { path: 'rootfs' },
  process: { cwd: '/', args: ['sh'], user: { uid: 0, gid: 0 } },
  linux: { namespaces: [{ type: 'mount' }, { type: 'cgroup' }], ...linux },
  ...more,
});

/** The steps by name; waits with what they are for. */
const names = (of: Spec, changes: Partial<PlanOptions> = {}): string[] =>
  planCreate(of, options(changes), FACTS).host.map((step: HostStep) =>
    step.step === 'await' ? step.note : step.step,
  );

const LIMITS = { resources: { pids: { limit: 5 }, devices: [{ allow: false }] } };

test('limits are set when the container is made, before its command', () => {
  const steps = names(spec(LIMITS));
  const order = ['cgroup', 'spawn', 'READY', 'cgroupLimits', 'deviceRules', 'saveState', 'go'];
  assert.deepEqual(
    steps.filter((name) => order.includes(name)),
    order,
  );
});

test('hooks find them in force', () => {
  const steps = names(spec(LIMITS, { hooks: { createRuntime: [{ path: '/bin/true' }] } }));
  const at = (name: string) => steps.indexOf(name);
  assert.ok(at('HOOKS') < at('cgroupLimits') && at('deviceRules') < at('hooks'));
  assert.equal(steps.lastIndexOf('cgroupLimits'), at('cgroupLimits'));
});

test('systemd gets init when it is there, and init waits until it is placed', () => {
  const scope = scopeName(undefined, 'c', false);
  const steps = names(spec(LIMITS), { scope });
  assert.equal(steps.includes('cgroup'), false);
  const unplaced = steps.indexOf('INIT_UNPLACED');
  assert.deepEqual(steps.slice(unplaced, unplaced + 3), ['INIT_UNPLACED', 'scope', 'go']);
  assert.equal(steps.includes('INIT'), false);
  const { host } = planCreate(spec(LIMITS), options({ scope }), FACTS);
  const spawn = host.find((step) => step.step === 'spawn');
  assert.equal(spawn?.step === 'spawn' && spawn.fds.includes('cgroup'), false);
});

test('the needed controllers are those of the limits', () => {
  const resources = { pids: { limit: 5 }, unified: { 'memory.high': '5', 'cgroup.max.depth': '3' } };
  const [step] = planCgroup(spec({ resources }), options()).before;
  assert.deepEqual(step?.step === 'cgroup' && step.controllers, ['pids', 'memory']);
});

test('nothing asked for, nothing done', () => {
  assert.deepEqual(planCgroup(spec({}), options()).limits, []);
  assert.deepEqual(planCgroup(spec({ resources: { devices: [{ allow: true }] } }), options()).limits, []);
});

test('limits without a cgroup are told', () => {
  const { before, limits, warnings } = planCgroup(spec(LIMITS), options({ cgroupPath: null }));
  assert.deepEqual([before, limits], [[], []]);
  assert.match(warnings[0] ?? '', /^linux\.resources\.pids\.limit: not in force/);
  assert.match(warnings[1] ?? '', /^linux\.resources\.devices: not in force/);
  const unprivileged = planCgroup(spec(LIMITS), options({ cgroupPath: null, unprivileged: true }));
  assert.deepEqual(unprivileged.warnings, warnings.slice(0, 1));
});

test('contradictory limits fail before anything is done', () => {
  const resources = { memory: { limit: 6, swap: 5 } };
  assert.throws(() => planCreate(spec({ resources }), options(), FACTS), RuntsError);
});

test('the cgroup is given to the container’s user when it can use it', () => {
  const owner = (linux: Spec['linux'], uid: number, mount = ['rw'], destination = '/sys/fs/cgroup') => {
    const mounts = [{ destination, type: 'cgroup', source: 'cgroup', options: mount }];
    const of = spec(linux, { mounts, process: { cwd: '/', args: ['sh'], user: { uid, gid: 0 } } });
    const step = planCgroup(of, options()).before.find(({ step: name }) => name === 'cgroupOwner');
    return step?.step === 'cgroupOwner' ? step.uid : undefined;
  };
  const user = {
    namespaces: [{ type: 'mount' as const }, { type: 'cgroup' as const }, { type: 'user' as const }],
    uidMappings: [{ containerID: 0, hostID: 100000, size: 1000 }],
  };
  assert.equal(owner(user, 0), 100000);
  assert.equal(owner(user, 33), 100033);
  assert.equal(owner(user, 5000), undefined, 'not mapped');
  assert.equal(owner(user, 0, ['ro']), undefined);
  assert.equal(owner(user, 0, [], '/sys/fs/cgroup/'), 100000);
  assert.equal(owner(user, 0, [], '/cgroup'), undefined);
  assert.equal(owner({}, 0), undefined, 'root has it already');
  assert.equal(owner({}, 33), 33);
  assert.equal(owner({ namespaces: [{ type: 'mount' }] }, 33), undefined, 'no cgroup namespace');
});
