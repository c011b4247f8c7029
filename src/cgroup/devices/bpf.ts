/**
 * Loading a device program and attaching it to a cgroup: bpf(2).
 *
 * @module
 */

import { closeSync } from '#files';
import { BPF, RLIMIT } from '../../../ffi/constants/index.ts';
import { syscallError, trySyscall } from '../../../ffi/local.ts';
import { addressOfBytes, nativeBytes } from '../../../ffi/native.ts';
import { utf8 } from '../../../ffi/text.ts';
import type { RuntsError } from '../../errors.ts';

const PROG_TYPE_CGROUP_DEVICE = 15;
const ATTACH_CGROUP_DEVICE = 6;
/** BPF_F_ALLOW_MULTI: systemd and the container's own cgroups may have programs too; all of them must allow. */
const ALLOW_MULTI = 2;
/** BPF_F_REPLACE, since Linux 5.6. */
const REPLACE = 4;
/** By which a later `update` knows its own; at most 15 characters. */
const NAME = 'runts_devices';
const ATTR_SIZE = 128;
const LOG_SIZE = 64 * 1024;
const INFO_SIZE = 128;
/** The kernel's own limit of programs for one cgroup (BPF_CGROUP_MAX_PROGS). */
const MOST_PROGRAMS = 64;
const EPERM = 1;

const FIELD = 'linux.resources.devices';

/** union bpf_attr, by the offsets of the fields that a command uses. */
function attributes(
  u32: Readonly<Record<number, number>>,
  u64: Readonly<Record<number, bigint>> = {},
): Uint8Array {
  const attr = nativeBytes(ATTR_SIZE);
  const view = new DataView(attr.buffer);
  for (const [offset, value] of Object.entries(u32)) view.setUint32(Number(offset), value, true);
  for (const [offset, value] of Object.entries(u64)) view.setBigUint64(Number(offset), value, true);
  return attr;
}

function text(value: string): Uint8Array {
  const bytes = nativeBytes(value.length + 1);
  bytes.set(utf8(value));
  return bytes;
}

/**
 * Loads a program.
 *
 * @param code from encodeProgram()
 * @returns its descriptor
 * @throws RuntsError E_CGROUP
 */
export function loadProgram(code: Uint8Array): number {
  const first = load(code);
  if (first >= 0) return first;
  // Before Linux 5.11 programs count against RLIMIT_MEMLOCK. Raising it may be forbidden: then the second try tells.
  const second = first === -EPERM && raiseMemlock() ? load(code) : first;
  if (second >= 0) return second;
  const log = nativeBytes(LOG_SIZE);
  const third = load(code, log);
  if (third >= 0) return third;
  const words = new TextDecoder().decode(log.subarray(0, log.indexOf(0))).trim();
  throw syscallError('bpf', [BPF.PROG_LOAD, log, ATTR_SIZE], -third, {
    code: 'E_CGROUP',
    field: FIELD,
    what: `cannot load the device program${words === '' ? '' : `: ${words.split('\n').at(-1)}`}`,
    hint: {
      EPERM: 'eBPF programs need CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN, in the initial user namespace',
      EINVAL: 'the kernel needs CONFIG_CGROUP_BPF',
      E2BIG: 'there are too many rules',
    },
  });
}

function load(code: Uint8Array, log?: Uint8Array): number {
  const license = text('Apache-2.0');
  const attr = attributes(
    { 0: PROG_TYPE_CGROUP_DEVICE, 4: code.length / 8, 24: log === undefined ? 0 : 1, 28: log?.length ?? 0 },
    {
      8: addressOfBytes(code),
      16: addressOfBytes(license),
      32: log === undefined ? 0n : addressOfBytes(log),
    },
  );
  attr.set(text(NAME), 48);
  return trySyscall('bpf', [BPF.PROG_LOAD, attr, ATTR_SIZE]);
}

function raiseMemlock(): boolean {
  const unlimited = new BigUint64Array([2n ** 64n - 1n, 2n ** 64n - 1n]);
  return trySyscall('prlimit64', [0, RLIMIT.MEMLOCK, unlimited, null]) >= 0;
}

/**
 * Puts a program into force for a cgroup and everything below it, in the place of one that runts attached before.
 *
 * @param cgroup descriptor of its folder
 * @param program descriptor; null only detaches the old one
 * @throws RuntsError E_CGROUP
 */
export function attachProgram(cgroup: number, program: number | null): void {
  const old = ownPrograms(cgroup);
  try {
    let superseded = old;
    if (program !== null) {
      if (old[0] !== undefined && attach(cgroup, program, ALLOW_MULTI | REPLACE, old[0]) >= 0) {
        superseded = old.slice(1);
      } else {
        const result = attach(cgroup, program, ALLOW_MULTI);
        if (result < 0) throw attachError(cgroup, result);
      }
    }
    // In this order there is no moment without rules.
    for (const fd of superseded) detach(cgroup, fd);
  } finally {
    for (const fd of old) closeSync(fd);
  }
}

function attach(cgroup: number, program: number, flags: number, replaced = 0): number {
  const attr = attributes({ 0: cgroup, 4: program, 8: ATTACH_CGROUP_DEVICE, 12: flags, 16: replaced });
  return trySyscall('bpf', [BPF.PROG_ATTACH, attr, ATTR_SIZE]);
}

function detach(cgroup: number, program: number): void {
  const attr = attributes({ 0: cgroup, 4: program, 8: ATTACH_CGROUP_DEVICE });
  trySyscall('bpf', [BPF.PROG_DETACH, attr, ATTR_SIZE]);
}

function attachError(cgroup: number, result: number): RuntsError {
  return syscallError('bpf', [BPF.PROG_ATTACH, cgroup, ATTR_SIZE], -result, {
    code: 'E_CGROUP',
    field: FIELD,
    what: 'cannot attach the device program to the cgroup',
    hint: { EPERM: 'a cgroup above it has a device program that allows no others below' },
  });
}

/** Descriptors of the programs by this runtime that are attached to the cgroup itself. */
function ownPrograms(cgroup: number): number[] {
  const ids = new Uint32Array(new ArrayBuffer(MOST_PROGRAMS * 4));
  const query = attributes(
    { 0: cgroup, 4: ATTACH_CGROUP_DEVICE, 24: MOST_PROGRAMS },
    { 16: addressOfBytes(ids) },
  );
  // Where it may not be asked, nothing of ours can have been attached.
  if (trySyscall('bpf', [BPF.PROG_QUERY, query, ATTR_SIZE]) < 0) return [];
  const count = new DataView(query.buffer).getUint32(24, true);
  const own: number[] = [];
  for (const id of ids.subarray(0, count)) {
    const fd = trySyscall('bpf', [BPF.PROG_GET_FD_BY_ID, attributes({ 0: id }), ATTR_SIZE]);
    if (fd < 0) continue;
    if (programName(fd) === NAME) own.push(fd);
    else closeSync(fd);
  }
  return own;
}

/** struct bpf_prog_info, whose name is at 64. */
function programName(program: number): string {
  const info = nativeBytes(INFO_SIZE);
  const attr = attributes({ 0: program, 4: INFO_SIZE }, { 8: addressOfBytes(info) });
  if (trySyscall('bpf', [BPF.OBJ_GET_INFO_BY_FD, attr, ATTR_SIZE]) < 0) return '';
  const name = info.subarray(64, 80);
  return new TextDecoder().decode(name.subarray(0, name.indexOf(0)));
}
