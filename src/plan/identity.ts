/**
 * Who the container's command is: rlimits, umask, groups, ids, capabilities, no_new_privs.
 *
 * The order is capabilities(7)'s: the bounding set while CAP_SETPCAP is there, then keep the permitted set across the
 * change of ids, then the other sets, and the ambient set last because it needs permitted and inheritable.
 *
 * @module
 */

import { CAP, PR, PR_CAP_AMBIENT, RLIMIT } from '../../ffi/constants/index.ts';
import type { ProgramBuilder } from '../../ffi/program.ts';
import { bytes, valueIn, words } from '../../ffi/program.ts';
import { RuntsError } from '../errors.ts';
import { type CapabilityMask, hasCapability, parseCapabilities } from '../linux/caps.ts';
import { uint64 } from '../spec/integers.ts';
import type { LinuxCapabilities, POSIXRlimit, User } from '../spec/types.ts';

/** _LINUX_CAPABILITY_VERSION_3, capget(2). */
const CAPABILITY_VERSION = 0x20080522;

/** What of a plan's context an identity needs. */
export interface IdentityContext {
  program: ProgramBuilder;
  facts: { lastCapability: number; setgroupsDenied?: boolean };
  userNamespace: boolean;
  /** The groups stay those of whoever called the runtime. */
  keepGroups?: boolean;
  warnings: string[];
}

/**
 * Drops the bounding set, changes ids, and sets the rest; after this the process has the container’s rights only, and
 * CAP_SYS_ADMIN until execve when `sysAdmin` is set.
 */
export function planIdentity(
  ctx: IdentityContext,
  user: User,
  capabilities: LinuxCapabilities | undefined,
  sysAdmin = false,
): void {
  const { program, facts, warnings } = ctx;
  const set = (name: keyof LinuxCapabilities): CapabilityMask => {
    const { mask, unknown } = parseCapabilities(capabilities?.[name], facts.lastCapability);
    for (const capability of unknown) {
      warnings.push(`process.capabilities.${name}: this kernel has no ${capability}: ignored`);
    }
    return mask;
  };
  planBounding(program, set('bounding'), facts.lastCapability);
  program.within('process.user', () => {
    program.call('prctl', [PR.SET_KEEPCAPS, 1]);
    planGroups(ctx, user);
    program.call('setresgid', [user.gid, user.gid, user.gid], { field: 'process.user.gid' });
    program.call('setresuid', [user.uid, user.uid, user.uid], { field: 'process.user.uid' });
    program.call('prctl', [PR.SET_KEEPCAPS, 0]);
  });
  program.within('process.capabilities', () => {
    const effective = set('effective');
    const permitted = set('permitted');
    const inheritable = set('inheritable');
    const kept = sysAdmin ? [withSysAdmin(effective), withSysAdmin(permitted)] : [effective, permitted];
    program.call('capset', [capabilityHeader(), capabilityData(kept[0]!, kept[1]!, inheritable)], {
      ...(sysAdmin ? { note: 'CAP_SYS_ADMIN until execve, for linux.seccomp' } : {}),
    });
    planAmbient(program, set('ambient'), facts.lastCapability, { permitted, inheritable });
  });
}

/** Drops what is not in the bounding set, by a loop in the executor: most containers lose nearly all of it. */
function planBounding(program: ProgramBuilder, bounding: CapabilityMask, last: number): void {
  const all = 2 ** (last + 1) - 1;
  const keeps = bounding.high * 0x1_0000_0000 + bounding.low;
  if (keeps === all) return;
  program.within('process.capabilities.bounding', () => {
    const number = program.cell('capability');
    const kept = program.cell('kept');
    const again = program.label('again');
    const next = program.label('next');
    program.set(kept, keeps);
    program.place(again);
    program.jumpIf(valueIn(kept), '&', 1, next);
    program.call('prctl', [PR.CAPBSET_DROP, valueIn(number)], { note: 'what is not in the config' });
    program.place(next);
    program.set(kept, valueIn(kept), '>>', 1);
    program.set(number, valueIn(number), '+', 1);
    program.jumpIf(valueIn(number), '<', last + 1, again);
  });
}

/** In a user namespace setgroups(2) can be denied for good: then nobody can drop groups (user_namespaces(7)). */
function planGroups(ctx: IdentityContext, user: User): void {
  if (ctx.keepGroups === true) return;
  // Engines may name one twice: in the config's list and in the image's /etc/group. id(1) would show it so.
  const groups = [...new Set(user.additionalGids)];
  const content = new Uint8Array(groups.length * 4);
  const view = new DataView(content.buffer);
  groups.forEach((gid, i) => {
    view.setUint32(i * 4, gid, true);
  });
  ctx.program.call('setgroups', [groups.length, bytes(content, `[${groups.join(', ')}]`)], {
    field: 'process.user.additionalGids',
    ...(groups.length === 0 && (ctx.userNamespace || ctx.facts.setgroupsDenied)
      ? { tolerate: ['EPERM'] }
      : {}),
  });
}

function planAmbient(
  program: ProgramBuilder,
  ambient: CapabilityMask,
  last: number,
  needed: { permitted: CapabilityMask; inheritable: CapabilityMask },
): void {
  program.within('process.capabilities.ambient', () => {
    program.call('prctl', [PR.CAP_AMBIENT, PR_CAP_AMBIENT.CLEAR_ALL]);
    if (ambient.low === 0 && ambient.high === 0) return;
    for (let capability = 0; capability <= last; capability++) {
      if (!hasCapability(ambient, capability)) continue;
      // The kernel would refuse (capabilities(7)). Default configs of older tools ask for it: no reason to warn each time.
      if (!hasCapability(needed.permitted, capability) || !hasCapability(needed.inheritable, capability))
        continue;
      program.call('prctl', [PR.CAP_AMBIENT, PR_CAP_AMBIENT.RAISE, capability]);
    }
  });
}

/** CAP_SYS_ADMIN loads a seccomp filter; execve takes it away where the bounding set hasn't got it. */
function withSysAdmin({ low, high }: CapabilityMask): CapabilityMask {
  return { low: (low | (1 << CAP.SYS_ADMIN)) >>> 0, high };
}

function capabilityHeader(): ReturnType<typeof words> {
  return words('cap_header', [CAPABILITY_VERSION]);
}

/** Two struct __user_cap_data_struct: low halves of effective, permitted, inheritable, then the high halves. */
function capabilityData(
  effective: CapabilityMask,
  permitted: CapabilityMask,
  inheritable: CapabilityMask,
): ReturnType<typeof bytes> {
  const content = new Uint8Array(24);
  const view = new DataView(content.buffer);
  [effective, permitted, inheritable].forEach((mask, i) => {
    view.setUint32(i * 4, mask.low, true);
    view.setUint32(12 + i * 4, mask.high, true);
  });
  const hex = (m: CapabilityMask): string => `${m.high.toString(16)}${m.low.toString(16).padStart(8, '0')}`;
  return bytes(
    content,
    `cap_data{effective ${hex(effective)}, permitted ${hex(permitted)}, inheritable ${hex(inheritable)}}`,
  );
}

/** prlimit64(2) for each limit, of the process itself. */
export function planRlimits(program: ProgramBuilder, limits: readonly POSIXRlimit[]): void {
  limits.forEach((limit, i) => {
    program.within(`process.rlimits[${i}]`, () => {
      const { resource, soft, hard } = encodeRlimit(limit, i);
      program.call('prlimit64', [0, resource, words('rlimit', [soft, hard]), null]);
    });
  });
}

/** Resource number and 64-bit values of a limit of the config. */
export function encodeRlimit(
  limit: POSIXRlimit,
  index: number,
): { resource: number; soft: number | bigint; hard: number | bigint } {
  const resource = (RLIMIT as Record<string, number>)[limit.type.replace(/^RLIMIT_/, '')];
  if (resource === undefined) {
    throw new RuntsError(
      'E_CONFIG_INVALID',
      `process.rlimits[${index}].type: unknown limit ${JSON.stringify(limit.type)}`,
      {
        field: `process.rlimits[${index}].type`,
      },
    );
  }
  return { resource, soft: toWord(limit.soft), hard: toWord(limit.hard) };
}

/** Small values stay numbers: bigints cost more. */
function toWord(value: number): number | bigint {
  return value <= Number.MAX_SAFE_INTEGER ? value : uint64(value);
}
