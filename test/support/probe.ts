/**
 * What a container sees of itself, in a form that is the same under every runtime that does the same.
 *
 * @module
 */

import { readlinkSync } from 'node:fs';
import { printing, type Sections, sectionsOf } from './inside.ts';
import { parseMountinfo, statusFields } from './status.ts';

const NAMESPACES = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'];

/** A script of busybox's shell; its output is for {@link normalise}. */
export const PROBE: string = `${printing({
  arguments: 'tr "\\0" " " < /proc/1/cmdline; echo',
  environment: 'tr "\\0" "\\n" < /proc/1/environ | sort',
  cwd: 'pwd',
  umask: 'umask',
  status: 'cat /proc/1/status',
  limits: 'cat /proc/1/limits',
  session: 'cut -d" " -f5-7 /proc/1/stat',
  priority: 'cut -d" " -f18-20,40,41 /proc/1/stat',
  oomScore: 'cat /proc/1/oom_score_adj',
  timerSlack: 'cat /proc/1/timerslack_ns',
  coredump: 'cat /proc/1/coredump_filter',
  mounts: 'cat /proc/1/mountinfo',
  cgroup: 'grep ^0:: /proc/1/cgroup',
  maps: 'cat /proc/1/uid_map /proc/1/gid_map /proc/1/setgroups | tr -s " "',
  namespaces: `for n in ${NAMESPACES.join(' ')}; do echo "$n $(readlink /proc/1/ns/$n)"; done`,
  descriptors: 'for f in /proc/1/fd/*; do [ "$f" = /proc/1/fd/10 ] || echo "$f"; done',
  names: 'hostname; cat /proc/sys/kernel/domainname',
  devices:
    'for f in /dev/* /dev/pts/*; do stat -c "%n %A %u:%g %t:%T" "$f"; done; cd /dev; for l in *; do [ -L $l ] && echo "$l -> $(readlink $l)"; done',
  folders: 'stat -c "%n %a %u:%g" / /dev /dev/shm /dev/pts /proc /sys /tmp',
  network: 'ip addr | sed "s/^[0-9]*: //" | grep -v link/; ip route',
  sysctl:
    'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range',
  masked:
    'for f in /proc/kcore /proc/keys /proc/timer_list /sys/firmware; do stat -c "%n %F" $f; done; cat /proc/keys; ls -A /sys/firmware; touch /sys/firmware/x',
  readonly: 'echo x > /proc/sys/kernel/domainname; touch /proc/fs/x',
  write: 'touch /written && rm /written && echo yes',
  files: 'ls -la /etc | tr -s " " | cut -d" " -f1,3,4,9',
  terminal: 'tty; stty size',
})}\nexit 42`;

/** Fields of proc_pid_status(5) that depend on nothing but the runtime. */
const STATUS = [
  ...['Umask', 'Uid', 'Gid', 'Groups', 'NStgid', 'NSpgid', 'NSsid', 'SigBlk', 'SigIgn', 'SigCgt', 'ShdPnd'],
  ...['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp', 'Cpus_allowed_list'],
  ...[
    'Mems_allowed_list',
    'THP_enabled',
    'Speculation_Store_Bypass',
    'SpeculationIndirectBranch',
    'TracerPid',
  ],
];

/** Lines of a probe's output, each `section: line`; what is by chance is left out or replaced. */
export function normalise(output: string, rootfs: string, id: string): string[] {
  const sections = sectionsOf(output.replaceAll('\r\n', '\n'));
  const replaced: Sections = {
    ...sections,
    status: status(sections.status ?? ''),
    mounts: mounts(sections.mounts ?? ''),
    namespaces: namespaces(sections.namespaces ?? ''),
  };
  return Object.entries(replaced).flatMap(([name, text]) =>
    text.split('\n').map((line) => `${name}: ${line.replaceAll(rootfs, 'ROOTFS').replaceAll(id, 'ID')}`),
  );
}

function status(text: string): string {
  const fields = statusFields(text);
  return STATUS.map((name) => `${name} ${fields[name] ?? ''}`).join('\n');
}

/** By place; mounts on one place in their order. Numbers of mounts, devices and peer groups are by chance. */
function mounts(text: string): string {
  return parseMountinfo(text)
    .map(({ point, root, type, source, options, superOptions, propagation }) =>
      [point, root, type, source, options.join(), superOptions.sort().join(), propagation.join()]
        .join(' ')
        .trimEnd(),
    )
    .sort()
    .join('\n');
}

/** Whether each is the one of this process. */
function namespaces(text: string): string {
  return text
    .split('\n')
    .map((line) => {
      const [name = '', link] = line.split(' ');
      return `${name} ${link === readlinkSync(`/proc/self/ns/${name}`) ? 'of the host' : 'its own'}`;
    })
    .join('\n');
}

/** A difference that is meant, and why. */
export interface Known {
  why: string;
  /** Which lines, with their side: `runts| section: line` or `other| section: line`. */
  lines: RegExp;
}

/** Lines that only one of two has, with their side. */
export function differences(runts: readonly string[], other: readonly string[]): string[] {
  return [
    ...runts.filter((line) => !other.includes(line)).map((line) => `runts| ${line}`),
    ...other.filter((line) => !runts.includes(line)).map((line) => `other| ${line}`),
  ];
}
