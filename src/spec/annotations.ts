/**
 * Annotations that change what the runtime does: crun's (crun(1), "Extensions to OCI") and the handlers' of WebAssembly.
 * docs/annotations.md is the list for users. systemd's properties are in src/cgroup/systemd/properties.ts.
 *
 * @module
 */

import { RuntsError } from '../errors.ts';
import { decodeBase64 } from './base64.ts';
import type { Linux, LinuxTimeOffset, Spec } from './types.ts';

/** What a config's annotations ask for beside its fields. */
export interface Extensions {
  /** Supplementary groups stay the runtime's. */
  keepGroups?: boolean;
  /** Name of the mount option that `linux.mountLabel` becomes. */
  mountContext?: string;
  /** Socket that gets a pidfd of the container's process. */
  pidfdReceiver?: string;
  seccomp?: SeccompExtensions;
  /** Cgroup below the scope, in which the container is. Only with systemd. */
  subgroup?: string;
  /** Cgroup below the container's own, in which its process is. */
  delegated?: string;
}

export interface SeccompExtensions {
  /** A name of a system call that libseccomp doesn't know is an error. */
  knownCalls?: boolean;
  /** The filter itself: an array of struct sock_filter. */
  program?: Uint8Array;
}

/** Where the output of hooks goes, rather than into the message about one that failed. */
export interface HookOutput {
  stdout?: string;
  stderr?: string;
}

type Annotations = Readonly<Record<string, string>>;

const PIDFD_RECEIVER = 'run.oci.pidfd_receiver';
const KEEP_GROUPS = 'run.oci.keep_original_groups';
const MOUNT_CONTEXT = 'run.oci.mount_context_type';
const RECEIVER = 'run.oci.seccomp.receiver';
const PLUGINS = 'run.oci.seccomp.plugins';
const KNOWN_CALLS = 'run.oci.seccomp_fail_unknown_syscall';
const PROGRAM = 'run.oci.seccomp_bpf_data';
const TIME_OFFSETS = 'run.oci.timens_offset';
const SUBGROUP = 'run.oci.systemd.subgroup';
const DELEGATED = 'run.oci.delegate-cgroup';
const CGROUP_V1 = 'run.oci.systemd.force_cgroup_v1';
const HANDLER = 'run.oci.handler';
const STDOUT = 'run.oci.hooks.stdout';
const STDERR = 'run.oci.hooks.stderr';
/** Of images with WebAssembly: `compat`, or `compat-smart` for images that may be ordinary as well. */
const WASM_VARIANT = 'module.wasm.image/variant';

/** All of them. */
export const KNOWN_ANNOTATIONS: readonly string[] = [
  ...[PIDFD_RECEIVER, KEEP_GROUPS, MOUNT_CONTEXT, RECEIVER, PLUGINS, KNOWN_CALLS, PROGRAM, TIME_OFFSETS],
  ...[SUBGROUP, DELEGATED, CGROUP_V1, HANDLER, STDOUT, STDERR, WASM_VARIANT],
];

/** A config whose fields say what its annotations do, and what no field can say. */
export interface Annotated {
  spec: Spec;
  extensions: Extensions;
}

/** @throws RuntsError E_CONFIG_INVALID; E_UNSUPPORTED for what this runtime doesn't do: both with the field */
export function withAnnotations(spec: Spec): Annotated {
  const annotations: Annotations = spec.annotations ?? {};
  refuseUnsupported(spec, annotations);
  hookOutput(annotations);
  const linux: Linux = { ...spec.linux };
  const receiver = absolutePath(annotations, RECEIVER);
  if (receiver !== undefined && linux.seccomp !== undefined)
    linux.seccomp = { ...linux.seccomp, listenerPath: receiver };
  const offsets = annotations[TIME_OFFSETS];
  if (offsets !== undefined) linux.timeOffsets = timeOffsets(offsets, linux);
  const program = annotations[PROGRAM];
  if (program !== undefined && linux.seccomp === undefined)
    linux.seccomp = { defaultAction: 'SCMP_ACT_ALLOW' };
  return {
    spec: { ...spec, linux },
    extensions: {
      keepGroups: isSet(annotations, KEEP_GROUPS),
      mountContext: mountContext(annotations[MOUNT_CONTEXT]),
      pidfdReceiver: annotations[PIDFD_RECEIVER] || undefined,
      seccomp: {
        knownCalls: isSet(annotations, KNOWN_CALLS),
        program: program === undefined ? undefined : filterProgram(program),
      },
      subgroup: cgroupName(annotations, SUBGROUP),
      delegated: cgroupName(annotations, DELEGATED),
    },
  };
}

/** Whether processes of the container keep the groups of whoever calls the runtime. */
export function keepsGroups(annotations: Annotations): boolean {
  return isSet(annotations, KEEP_GROUPS);
}

/** Where the hooks' output goes. @throws RuntsError E_CONFIG_INVALID */
export function hookOutput(annotations: Annotations): HookOutput {
  return { stdout: absolutePath(annotations, STDOUT), stderr: absolutePath(annotations, STDERR) };
}

const fieldOf = (name: string): string => `annotations[${JSON.stringify(name)}]`;

function invalid(name: string, text: string, hint?: string): RuntsError {
  const field = fieldOf(name);
  return new RuntsError('E_CONFIG_INVALID', `${field}: ${text}`, { field, hint });
}

/** As crun has it: there, and not `0`. */
function isSet(annotations: Annotations, name: string): boolean {
  const value = annotations[name];
  return value !== undefined && value !== '0';
}

function absolutePath(annotations: Annotations, name: string): string | undefined {
  const path = annotations[name];
  if (path === undefined) return undefined;
  if (!path.startsWith('/')) throw invalid(name, `expected an absolute path, found ${JSON.stringify(path)}`);
  return path;
}

function refuseUnsupported(spec: Spec, annotations: Annotations): void {
  const refuse = (name: string, text: string, hint: string): RuntsError =>
    new RuntsError('E_UNSUPPORTED', `${fieldOf(name)}: ${text}`, { field: fieldOf(name), hint });
  if (annotations[CGROUP_V1] !== undefined)
    throw refuse(
      CGROUP_V1,
      'runts mounts no cgroup v1 hierarchy',
      'use a systemd in the image that knows cgroup v2',
    );
  if (annotations[PLUGINS] !== undefined)
    throw refuse(PLUGINS, 'runts loads no plugins', 'let an agent listen at linux.seccomp.listenerPath');
  const handler = annotations[HANDLER];
  const program = spec.process?.args?.[0] ?? '';
  const isWasm = /\.wa(sm|t)$/.test(program);
  if (handler && !(handler === 'wasm-smart' && !isWasm)) {
    const hint =
      'runts runs native programs only: leave the annotation out, or use a runtime that has the handler';
    throw refuse(HANDLER, `no handler ${JSON.stringify(handler)}`, hint);
  }
  const variant = annotations[WASM_VARIANT];
  if (variant === 'compat' || (variant === 'compat-smart' && isWasm))
    throw refuse(WASM_VARIANT, 'runts runs no WebAssembly', 'use a runtime that does');
}

const CONTEXTS: readonly string[] = ['context', 'fscontext', 'defcontext', 'rootcontext'];

function mountContext(value: string | undefined): string | undefined {
  if (value === undefined || CONTEXTS.includes(value)) return value;
  throw invalid(MOUNT_CONTEXT, `expected one of ${CONTEXTS.join(', ')}, found ${JSON.stringify(value)}`);
}

/** sizeof(struct sock_filter), and BPF_MAXINSNS. */
const INSTRUCTION_SIZE = 8;
const MAX_INSTRUCTIONS = 4096;

function filterProgram(text: string): Uint8Array {
  const program = decodeBase64(text);
  if (program === undefined) throw invalid(PROGRAM, 'expected base64');
  const count = program.length / INSTRUCTION_SIZE;
  if (Number.isInteger(count) && count > 0 && count <= MAX_INSTRUCTIONS) return program;
  const allowed = `1 to ${MAX_INSTRUCTIONS} instructions of ${INSTRUCTION_SIZE} bytes`;
  throw invalid(PROGRAM, `expected ${allowed}, found ${program.length} bytes`);
}

/** Names and numbers of clocks, clock_gettime(2), as /proc/PID/timens_offsets takes them. */
const CLOCKS: Readonly<Record<string, 'monotonic' | 'boottime'>> = {
  monotonic: 'monotonic',
  1: 'monotonic',
  boottime: 'boottime',
  7: 'boottime',
};

/** `CLOCK SECONDS NANOSECONDS`, on a line each. They replace those of the config, as in crun. */
function timeOffsets(text: string, { namespaces = [] }: Linux): NonNullable<Linux['timeOffsets']> {
  if (!namespaces.some(({ type, path }) => type === 'time' && !path))
    throw invalid(TIME_OFFSETS, 'there is no new time namespace', 'add {"type": "time"} to linux.namespaces');
  const offsets: Partial<Record<'monotonic' | 'boottime', LinuxTimeOffset>> = {};
  for (const line of text.split('\n').filter((each) => each.trim() !== '')) {
    const [, name = '', secs = '', nanosecs = ''] =
      /^\s*(\w+)\s+(-?\d{1,15})\s+(\d{1,9})\s*$/.exec(line) ?? [];
    const clock = Object.keys(CLOCKS).includes(name) ? CLOCKS[name] : undefined;
    if (clock === undefined)
      throw invalid(
        TIME_OFFSETS,
        `expected CLOCK SECONDS NANOSECONDS, found ${JSON.stringify(line)}`,
        'the clocks are monotonic (1) and boottime (7)',
      );
    offsets[clock] = { secs: Number(secs), nanosecs: Number(nanosecs) };
  }
  return offsets;
}

function cgroupName(annotations: Annotations, name: string): string | undefined {
  const path = annotations[name];
  if (path === undefined || path === '') return undefined;
  const names = path.split('/');
  if (names.every((part) => part !== '' && part !== '.' && part !== '..')) return path;
  throw invalid(name, `expected a name of a cgroup, found ${JSON.stringify(path)}`);
}
