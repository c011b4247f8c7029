/**
 * Compiles the `linux.seccomp` of a config to the filter that the kernel takes.
 *
 * runtime-spec config-linux.md, "Seccomp"; where it is silent, runc's behaviour, which the profiles of Docker and
 * Podman are written for.
 *
 * @module
 */

import { closeSync, fstatSync, readSync } from '#files';
import { memfdCreate } from '../../ffi/descriptors.ts';
import type { CompiledFilter } from '../plan/seccomp.ts';
import type { ResolvedArchitecture } from './architectures.ts';
import { numberRanges, resolveArchitectures } from './architectures.ts';
import { encode, INSTRUCTION_SIZE, MAX_INSTRUCTIONS } from './bpf.ts';
import { FIELD, invalid } from './errors.ts';
import { filterFlags } from './flags.ts';
import type { FilterContext } from './libseccomp.ts';
import { ATTRIBUTE, failureText, libseccomp, UNKNOWN_SYSCALL } from './libseccomp.ts';
import { prelude } from './prelude.ts';
import type { Profile } from './profile.ts';
import { actionValue, checkExecve, PERMISSIVE, rulesByName } from './profile.ts';

const EDOM = 33;
const EEXIST = 17;

/** Below so many names a tree gains nothing, and up to 2.5.4 libseccomp goes wrong with one of no rules. */
const TREE_FROM = 32;

/**
 * Compiles a profile that has been validated.
 *
 * @throws RuntsError E_CONFIG_INVALID with the field; E_UNSUPPORTED without libseccomp
 */
export function compileFilter(profile: Profile): CompiledFilter {
  checkExecve(profile);
  const agent = (profile.syscalls ?? []).some(({ action }) => action === 'SCMP_ACT_NOTIFY');
  const { flags, notify } = filterFlags(profile.flags, agent);
  const architectures = resolveArchitectures(profile.architectures ?? []);
  const rules = rulesByName(profile);
  const defaultAction = actionValue(profile.defaultAction, profile.defaultErrnoRet);
  const answerNewer = !PERMISSIVE.has(profile.defaultAction);
  const names = new Set((profile.syscalls ?? []).flatMap((rule) => rule.names));
  const ranges = numberRanges(architectures, names, rules, answerNewer);
  const first = encode(prelude(ranges, defaultAction));
  const second = unconditionalFilter(defaultAction, architectures, rules);
  const program = new Uint8Array(first.length + second.length);
  program.set(first);
  program.set(second, first.length);
  const count = program.length / INSTRUCTION_SIZE;
  if (count <= MAX_INSTRUCTIONS) return { program, flags, notify };
  throw invalid(
    FIELD,
    `the filter has ${count} instructions, and the kernel takes at most ${MAX_INSTRUCTIONS}`,
    'use fewer architectures, or fewer conditions on arguments',
  );
}

/** libseccomp's filter for what depends on the call's number alone; the prelude has answered the rest. */
function unconditionalFilter(
  defaultAction: number,
  architectures: readonly ResolvedArchitecture[],
  rules: ReturnType<typeof rulesByName>,
): Uint8Array {
  const lib = libseccomp();
  const context = lib.init(defaultAction);
  if (context === 0) throw invalid(`${FIELD}.defaultAction`, 'libseccomp refuses it');
  try {
    addArchitectures(context, architectures);
    // An older library without the attribute makes a longer filter.
    if (rules.size > TREE_FROM) lib.setAttribute(context, ATTRIBUTE.CTL_OPTIMIZE, 2);
    const native = lib.nativeArchitecture();
    for (const [name, { always, conditional, field }] of rules) {
      // Of a call that i386 makes through socketcall(2) or ipc(2) the arguments are in memory, where no filter can
      // look: there the conditions are left out, as libseccomp does it.
      const multiplexed = always === null && architectures.some((arch) => arch.multiplexes(name));
      const action = always ?? (multiplexed ? conditional[0]!.action : null);
      if (action === null) continue;
      const number = lib.resolveSyscall(native, name);
      // Profiles name the calls of all architectures and kernels: what this library doesn't know is left out.
      if (number === UNKNOWN_SYSCALL) continue;
      const result = lib.addRule(context, action, number, 0, null);
      if (result < 0) throw invalid(field, `libseccomp refuses the rule for ${name}: ${failureText(result)}`);
    }
    return exported(context);
  } finally {
    lib.release(context);
  }
}

/** The native architecture is in every filter from the start. */
function addArchitectures(context: FilterContext, architectures: readonly ResolvedArchitecture[]): void {
  for (const { token, name, field } of architectures) {
    const result = libseccomp().addArchitecture(context, token);
    if (result >= 0 || result === -EEXIST) continue;
    const problem = `libseccomp can’t add ${name} to the filter: ${failureText(result)}`;
    throw invalid(field, problem, result === -EDOM ? 'its byte order is not this machine’s' : undefined);
  }
}

/** The filter as libseccomp makes it: an array of struct sock_filter. */
function exported(context: FilterContext): Uint8Array {
  const fd = memfdCreate('seccomp');
  try {
    const result = libseccomp().exportBpf(context, fd);
    if (result < 0) throw invalid(FIELD, `libseccomp can’t make the filter: ${failureText(result)}`);
    const program = new Uint8Array(fstatSync(fd).size);
    for (let at = 0; at < program.length; ) {
      const read = readSync(fd, program, at, program.length - at, at);
      if (read === 0) throw invalid(FIELD, 'libseccomp’s filter is cut short');
      at += read;
    }
    return program;
  } finally {
    closeSync(fd);
  }
}
