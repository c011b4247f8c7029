/**
 * The plan of `create` (and of `run`, which is the same without the pause before execve).
 *
 * A pure function of the config, the options and facts about the host: it says everything that will be done, on the
 * host and by the container's first process, before anything is.
 *
 * @module
 */

import { Program, type ProgramBuilder, valueIn } from '../../ffi/program.ts';
import { utf8Length } from '../../ffi/text.ts';
import { RuntsError } from '../errors.ts';
import type { Hooks, Process, Spec } from '../spec/types.ts';
import { planAnyProcessor } from './affinity.ts';
import { type CgroupSteps, planCgroup } from './cgroup.ts';
import { planConsole } from './console.ts';
import { planDevices } from './devices.ts';
import type { MountMappings } from './idmap.ts';
import { mountLabelOf, planLabels, planOpenProc, requireModules } from './labels.ts';
import { devIsBound, planMountSources, planMounts } from './mounts.ts';
import { clonesIntoCgroup, hasNamespace, isNewNamespace, planNamespaces } from './namespaces.ts';
import { planOomScore } from './oom-score.ts';
import { planMaskedPaths, planMaskSource, planReadonlyPaths } from './paths.ts';
import { planProcess, planSession } from './process.ts';
import { TAG, waitForParent } from './protocol.ts';
import { RootAccess } from './root.ts';
import {
  planConfine,
  planEnterRoot,
  planFirstPropagation,
  planPrivateRoot,
  planReadonlyRoot,
  planRootMount,
  refusePropagation,
} from './rootfs.ts';
import { FILTER_NAME } from './seccomp.ts';
import { planSysctls } from './sysctl.ts';
import type { HostFacts, HostStep, Plan, PlanContext, PlanOptions } from './types.ts';

/** Hooks that run between the mounts and the change of root, in order. */
export const CREATE_HOOKS = ['prestart', 'createRuntime', 'createContainer'] as const;

/** Plans a container, as a program to be read. Throws E_CONFIG_INVALID for what only the planner can see. */
export function planCreate(spec: Spec, options: PlanOptions, facts: HostFacts): Plan {
  return planInto(new Program(), spec, options, facts);
}

/** Likewise, with the operations appended to a given program. */
export function planInto<P extends ProgramBuilder>(
  program: P,
  spec: Spec,
  options: PlanOptions,
  facts: HostFacts,
): Plan<P> {
  const process = requireProcess(spec);
  const namespaces = spec.linux?.namespaces ?? [];
  const ctx: PlanContext = {
    program,
    options,
    facts,
    userNamespace: hasNamespace(namespaces, 'user'),
    keepGroups: options.extensions?.keepGroups,
    mountLabel: mountLabelOf(spec, facts),
    warnings: [],
  };
  warnOfHostMounts(ctx, spec);
  requireModules(facts, process);
  if (spec.linux?.mountLabel && ctx.mountLabel === undefined) {
    ctx.warnings.push('linux.mountLabel: this host has no SELinux: ignored');
  }
  if (spec.linux?.personality?.flags?.length) {
    ctx.warnings.push('linux.personality.flags: no flag is defined: ignored');
  }
  const hooks = createHooks(spec.hooks);
  const mappings = planInit(ctx, spec, process, hooks.length > 0);
  const cgroup = planCgroup(spec, options);
  ctx.warnings.push(...cgroup.warnings);
  const host = hostSteps(spec, options, hooks, cgroup, { mappings, whileMounting: ctx.steps ?? [] });
  return { host, program, warnings: ctx.warnings };
}

function requireProcess(spec: Spec): Process {
  if (spec.process === undefined) {
    throw new RuntsError('E_CONFIG_INVALID', 'process property must not be empty', { field: 'process' });
  }
  if ((spec.process.args ?? []).length === 0) {
    throw new RuntsError('E_CONFIG_INVALID', 'args must not be empty', { field: 'process.args' });
  }
  return spec.process;
}

function warnOfHostMounts(ctx: PlanContext, spec: Spec): void {
  if (hasNamespace(spec.linux?.namespaces ?? [], 'mount')) return;
  ctx.warnings.push(
    'linux.namespaces: without a mount namespace the container is confined by chroot only, and its mounts are seen on the host until it is deleted',
  );
}

function createHooks(hooks: Hooks | undefined): { phase: (typeof CREATE_HOOKS)[number]; count: number }[] {
  return CREATE_HOOKS.map((phase) => ({ phase, count: hooks?.[phase]?.length ?? 0 })).filter(
    (h) => h.count > 0,
  );
}

function hostSteps(
  spec: Spec,
  options: PlanOptions,
  hooks: ReturnType<typeof createHooks>,
  cgroup: CgroupSteps,
  mounts: { mappings: MountMappings; whileMounting: readonly HostStep[] },
): HostStep[] {
  const namespaces = spec.linux?.namespaces ?? [];
  const terminal = spec.process?.terminal === true;
  const create = options.mode === 'create';
  const steps: HostStep[] = [{ step: 'state', path: options.stateDir }];
  if (options.notifyFolder !== undefined) {
    steps.push({ step: 'notifySocket', path: options.notifyFolder, bind: options.mode === 'run' });
  }
  if (options.seccomp !== undefined) {
    steps.push({ step: 'seccompFilter', path: `${options.stateDir}/${FILTER_NAME}` });
  }
  const fds = ['sync'];
  steps.push(...cgroup.before);
  if (clonesIntoCgroup(options)) fds.push('cgroup');
  if (create) {
    steps.push({ step: 'fifo', path: `${options.stateDir}/exec.fifo` });
    steps.push({ step: 'fifo', path: `${options.stateDir}/result.fifo` });
    fds.push('start', 'result');
  }
  if (terminal) {
    steps.push({ step: 'console', path: options.consoleSocket ?? '(foreground)' });
    fds.push('console');
  }
  steps.push(...mounts.mappings.steps);
  fds.push(...mounts.mappings.descriptors);
  steps.push({ step: 'spawn', fds });
  if (isNewNamespace(namespaces, 'user')) {
    steps.push({ step: 'await', note: 'MAP_IDS' });
    steps.push({ step: 'idMaps', uid: spec.linux?.uidMappings ?? [], gid: spec.linux?.gidMappings ?? [] });
    steps.push({ step: 'go' });
  }
  if (cgroup.withInit.length === 0) steps.push({ step: 'await', note: 'INIT' });
  else steps.push({ step: 'await', note: 'INIT_UNPLACED' }, ...cgroup.withInit, { step: 'go' });
  if (spec.linux?.intelRdt !== undefined) steps.push({ step: 'resctrl' });
  const names = netDevices(spec);
  if (names.length > 0) {
    steps.push({ step: 'await', note: 'NETWORK' }, { step: 'netDevices', names }, { step: 'go' });
  }
  // The state names the cgroup already, through which a killed runtime's container is found; without one by its pid.
  if (hooks.length > 0 || options.cgroupPath === null) steps.push({ step: 'saveState', status: 'creating' });
  steps.push(...mounts.whileMounting);
  if (hooks.length > 0) {
    steps.push({ step: 'await', note: 'HOOKS' }, ...cgroup.delegated);
    // Hooks find the limits in force; some change the device rules.
    steps.push(...cgroup.limits);
    for (const { phase, count } of hooks) steps.push({ step: 'hooks', phase, count });
    steps.push({ step: 'go' });
  }
  if (options.seccomp?.notify === true) {
    const path = spec.linux?.seccomp?.listenerPath ?? '';
    steps.push({ step: 'seccompListener', path }, { step: 'go' });
  }
  steps.push({ step: 'await', note: 'READY' });
  if (hooks.length === 0) steps.push(...cgroup.delegated, ...cgroup.limits);
  const limits = spec.process?.rlimits ?? [];
  if (limits.length > 0 && hasNamespace(namespaces, 'user'))
    steps.push({ step: 'limits', count: limits.length });
  if (hasNamespace(namespaces, 'user') && (spec.process?.scheduler ?? spec.process?.ioPriority) !== undefined)
    steps.push({ step: 'scheduling' });
  // Before init is released: a container that runs is always one that the state tells of. Without a FIFO to wait on,
  // `created` reads as `running`.
  steps.push({ step: 'saveState', status: 'created' });
  if (options.pidfdSocket !== undefined) steps.push({ step: 'pidfdSocket', path: options.pidfdSocket });
  if (options.pidFile !== undefined) steps.push({ step: 'pidFile', path: options.pidFile });
  if (create) return [...steps, { step: 'go', command: true }];
  const later = (phase: 'startContainer' | 'poststart'): HostStep[] => {
    const count = spec.hooks?.[phase]?.length ?? 0;
    return count > 0 ? [{ step: 'hooks', phase, count }] : [];
  };
  return [
    ...steps,
    ...later('startContainer'),
    { step: 'go', command: true },
    { step: 'await', note: 'EXECUTING' },
    { step: 'execed' },
    ...later('poststart'),
  ];
}

/** Network devices of the host, each with its name in the container. */
/** What each device is called on the host, and in the container. */
export function netDevices({ linux }: Spec): [from: string, to: string][] {
  return Object.entries(linux?.netDevices ?? {}).map(([name, device]) => [name, device.name || name]);
}

/** Everything that the executor does. */
function planInit(ctx: PlanContext, spec: Spec, process: Process, hasHooks: boolean): MountMappings {
  const { program } = ctx;
  const linux = spec.linux ?? {};
  const scratch = program.cell('scratch');

  planOomScore(program, process, scratch);
  const proc = planOpenProc(ctx, process);
  const mounts = planMountSources(ctx, spec);
  planNamespaces(ctx, linux, scratch);
  planAnyProcessor(program);
  if (netDevices(spec).length > 0) {
    program.within('linux.netDevices', () => {
      program.notify(TAG.NETWORK, 0, null, 0, 'move network devices here');
      waitForParent(program, scratch, 'until they are here');
    });
  }

  planSession(ctx, process, proc, 'new');
  planLabels(ctx, process, proc);
  program.call('umask', [0], { note: 'modes are meant as given' });
  const ownMounts = hasNamespace(linux.namespaces ?? [], 'mount');
  if (ownMounts) planFirstPropagation(ctx, linux.rootfsPropagation);
  else refusePropagation(linux.rootfsPropagation);

  const root = new RootAccess(program, ctx.facts.missingTargets);
  planRootMount(ctx, root);
  if (!ownMounts) planPrivateRoot(ctx, root);
  const masked = linux.maskedPaths ?? [];
  const maskSource = masked.length > 0 ? planMaskSource(ctx) : undefined;
  const { dev, atTheEnd } = planMounts(ctx, root, spec, mounts);
  if (!devIsBound(spec.mounts ?? [])) {
    planDevices(ctx, root, linux.devices ?? [], spec.mounts ?? [], dev);
  }
  const terminal = process.terminal === true ? planConsole(ctx, root, process.consoleSize) : undefined;
  planCwd(ctx, root, process.cwd);

  if (hasHooks) {
    program.within('hooks', () => {
      program.notify(TAG.HOOKS, 0, null, 0, 'hooks of the create operation');
      waitForParent(program, scratch, 'until they have run');
    });
  }

  planNames(ctx, spec);
  planSysctls(ctx, root, linux.sysctl ?? {});
  planReadonlyPaths(ctx, root, linux.readonlyPaths ?? []);
  if (maskSource !== undefined) planMaskedPaths(ctx, root, masked, maskSource);
  for (const later of atTheEnd) later();
  if (spec.root?.readonly === true) planReadonlyRoot(ctx, root);
  if (ownMounts) planEnterRoot(ctx, root, linux.rootfsPropagation);
  else planConfine(program, root.fd);

  planProcess(ctx, process, linux, terminal, scratch);
  root.finish();
  return mounts.mappings;
}

/**
 * A working directory that isn't there is made, as every runtime does. Whether it is inside the root is asked again where
 * it is entered: planWorkingDirectory.
 */
function planCwd(ctx: PlanContext, root: RootAccess, cwd: string): void {
  if (cwd === '/') return;
  const { program } = ctx;
  program.within('process.cwd', () => {
    root.openFolder(cwd, 'process.cwd');
    program.call('close', [valueIn(root.target)]);
  });
}

function planNames(ctx: PlanContext, spec: Spec): void {
  const { program } = ctx;
  const size = (text: string): number => utf8Length(text);
  if (spec.hostname) program.call('sethostname', [spec.hostname, size(spec.hostname)], { field: 'hostname' });
  if (spec.domainname)
    program.call('setdomainname', [spec.domainname, size(spec.domainname)], { field: 'domainname' });
}
