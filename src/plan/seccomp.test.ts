import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProgram } from '../../ffi/format.ts';
import type { SyscallOp } from '../../ffi/program.ts';
import { assemble } from '../../ffi/tape.ts';
import type { Spec } from '../spec/types.ts';
import { planCreate } from './create.ts';
import { formatHostSteps } from './format.ts';
import type { CompiledFilter } from './seccomp.ts';
import type { HostFacts, Plan, PlanOptions } from './types.ts';

const FACTS: HostFacts = {
  machine: 'x64',
  euid: 0,
  egid: 0,
  lastCapability: 40,
  cgroupMount: '/sys/fs/cgroup',
};

const FILTER: CompiledFilter = { program: new Uint8Array(24), flags: 4, notify: false };
const NOTIFYING: CompiledFilter = { program: new Uint8Array(24), flags: 8, notify: true };

interface Case {
  seccomp?: CompiledFilter;
  mode?: PlanOptions['mode'];
  noNewPrivileges?: boolean;
}

function planOf({ seccomp, mode = 'create', noNewPrivileges }: Case): Plan {
  const spec: Spec = {
    ociVersion: '1.3.0',
    process: { cwd: '/', args: ['/bin/true'], noNewPrivileges, capabilities: { bounding: ['CAP_KILL'] } },
    root: { path: 'rootfs' },
    linux: { namespaces: [{ type: 'mount' }, { type: 'pid' }] },
  };
  if (seccomp?.notify) {
    spec.linux!.seccomp = { defaultAction: 'SCMP_ACT_ALLOW', listenerPath: '/run/agent.sock' };
  }
  const options: PlanOptions = {
    id: 'c',
    bundle: '/b',
    rootfs: '/b/rootfs',
    stateDir: '/run/runts/c',
    mode,
    cgroupPath: null,
    noPivot: false,
    noNewKeyring: false,
    preserveFds: 0,
    seccomp,
  };
  return planCreate(spec, options, FACTS);
}

/** Names of the operations of init from the filter on. */
function fromFilter({ program }: Plan): string[] {
  const at = program.ops.findIndex((op) => op.kind === 'syscall' && op.name === 'seccomp');
  return program.ops.slice(at).map((op) => (op.kind === 'syscall' ? op.name : op.kind));
}

test('only execve and the report of its failure come after a filter', () => {
  for (const mode of ['create', 'run'] as const) {
    for (const noNewPrivileges of [true, false]) {
      const plan = planOf({ seccomp: FILTER, mode, noNewPrivileges });
      assert.deepEqual(fromFilter(plan), ['seccomp', 'execve', 'exit_group', 'fail']);
    }
  }
});

test('without no_new_privs the process keeps CAP_SYS_ADMIN until execve', () => {
  const capset = (options: Case): string => {
    const lines = formatProgram(planOf(options).program);
    return lines.find((line) => line.includes('capset(')) ?? '';
  };
  assert.match(
    capset({ seccomp: FILTER }),
    /effective 000200000, permitted 000200000, inheritable 000000000/,
  );
  assert.match(
    capset({ seccomp: FILTER, noNewPrivileges: true }),
    /effective 000000000, permitted 000000000/,
  );
  assert.match(capset({}), /effective 000000000, permitted 000000000/);
});

test('a filter with a listener is loaded before the parent is told that all is ready', () => {
  const plan = planOf({ seccomp: NOTIFYING });
  const names = fromFilter(plan);
  assert.deepEqual(
    names.slice(0, 3),
    ['seccomp', 'notify', 'read'],
    'nothing but write until the parent knows',
  );
  assert.ok(names.indexOf('execve') > names.lastIndexOf('reportTo'));
  assert.equal(names.filter((name) => name === 'seccomp').length, 1);
  const host = formatHostSteps(plan.host);
  const listener = host.findIndex((line) => line.includes('/run/agent.sock'));
  assert.ok(listener >= 0 && listener < host.findIndex((line) => line.includes('READY')));
  assert.match(host[listener + 1]!, /let it go on/);
});

test('the filter is kept in the state folder before anything of the container is made', () => {
  assert.match(formatHostSteps(planOf({ seccomp: FILTER }).host)[1]!, /\/run\/runts\/c\/seccomp\.bpf$/);
  assert.ok(!formatHostSteps(planOf({}).host).some((line) => line.includes('seccomp')));
});

test('the tape holds the filter as struct sock_fprog', () => {
  for (const seccomp of [FILTER, NOTIFYING]) {
    const { program } = planOf({ seccomp });
    const op = program.ops.find(
      (each): each is SyscallOp => each.kind === 'syscall' && each.name === 'seccomp',
    );
    assert.deepEqual(op?.args.slice(0, 2), [1, seccomp.flags]);
    assert.equal(op?.field, 'linux.seccomp');
    const fds = Object.fromEntries(['sync', 'cgroup', 'start', 'result'].map((name, i) => [name, 10 + i]));
    assert.ok(assemble(program, { machine: 'x64', fds, reportFd: 10 }).bytes.length > 0);
  }
});
