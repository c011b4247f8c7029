/**
 * What a container sees of itself, printed with as few processes as possible: hundreds of containers print it.
 *
 * @module
 */
import { readlinkSync } from 'node:fs';
import { type Sections, sectionsOf } from '../../test/support/inside.ts';
import { type MountLine, parseMountinfo, statusFields } from '../../test/support/status.ts';

/** Files of the container's process, each line of which must be the same. */
const FILES = ['cgroup', 'coredump_filter', 'gid_map', 'limits', 'oom_score_adj', 'setgroups', 'uid_map'];

/** Files of the kernel that depend on namespaces and `linux.sysctl`. */
const KERNEL = [
  ...['kernel/domainname', 'kernel/hostname', 'kernel/msgmax', 'kernel/shmmax', 'kernel/shm_rmid_forced'],
  ...['fs/mqueue/msg_max', 'net/ipv4/ip_forward', 'net/ipv4/ip_unprivileged_port_start'],
  ...['net/ipv4/ping_group_range', 'net/core/somaxconn'],
].map((name) => `/proc/sys/${name}`);

/**
 * Script of busybox's shell. $1: the exit code; $2: whether to try what seccomp may forbid; then the places to look at.
 * `true >>` is the shell's own: no process, and a failure is a line of output.
 */
export const PROBE = `exec 2>&1
code=$1 tries=$2; shift 2
p=/proc/$$
echo @cwd; pwd; cd $p
echo @environment; cat environ
echo; echo @files; grep -s '' ${FILES.join(' ')} ${KERNEL.join(' ')}
echo @status; cat status
echo @stat; read -r l <stat; echo "$l"
echo @mounts; cat mountinfo
echo @links; ls -l ns fd
echo @streams; stat -L -c "%n %u:%g" fd/0 fd/1 fd/2
echo @devices; stat -c "%N|%F|%a|%u:%g|%t:%T" /dev/* /dev/pts/* / /dev /proc /sys /tmp
echo @places; stat -c "%N|%F|%a|%u:%g|%t:%T" "$@"
echo @content; ls -A "$@"
echo @network; ip -o addr
echo @write; for f in / "$@"; do
[ -p "$f" ] && continue; [ -d "$f" ] && f=$f/.written
true >>"$f" && echo "wrote $f"; done; rm -f /.written; for f; do [ -f "$f/.written" ] && rm -f "$f/.written"; done
[ $tries = 1 ] && { echo @tries; cd /tmp; mkdir folder; chmod 750 folder; rmdir folder; hostname x; sync; unshare -m true; umount /tmp; mknod n c 1 3; rm -f n; nice -n 5 true; chown 5 /tmp; }
echo @end; exit $code`;

/** Fields of proc_pid_status(5) that depend on nothing but the runtime. */
const STATUS = [
  ...['Umask', 'Uid', 'Gid', 'Groups', 'SigBlk', 'SigIgn', 'SigCgt', 'ShdPnd', 'CapInh', 'CapPrm', 'CapEff'],
  ...['CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp', 'Seccomp_filters', 'Cpus_allowed_list', 'THP_enabled'],
  ...['Mems_allowed_list', 'Speculation_Store_Bypass', 'SpeculationIndirectBranch', 'TracerPid'],
];

/** Whether the probe came to its end: else the runtime, or what was to be executed, failed. */
export function isComplete(output: string): boolean {
  return /^@end$/m.test(output);
}

/** Lines of a probe's output, each `section: line`, with what is by chance left out. */
export function normalise(output: string): string[] {
  const { end: _, ...sections } = sectionsOf(output);
  const {
    environment = '',
    status = '',
    stat = '',
    mounts = '',
    links = '',
    devices = '',
    places = '',
  } = sections;
  const replaced: Sections = {
    ...sections,
    environment: environment.split('\0').join('\n').trim(),
    status: statusOf(status),
    stat: statOf(stat),
    mounts: mountsOf(mounts),
    links: linksOf(links),
    devices: filesOf(devices),
    places: filesOf(places),
  };
  return Object.entries(replaced).flatMap(([name, text]) =>
    text
      .replace(/\n+$/, '')
      .split('\n')
      .map((line) => `${name}: ${line}`),
  );
}

function statusOf(text: string): string {
  const fields = statusFields(text);
  const namespaces = (fields.NStgid ?? '').split('\t').length;
  return [...STATUS.map((name) => `${name} ${fields[name] ?? ''}`), `pids ${namespaces}`].join('\n');
}

/** Terminal, whether it leads its session, priorities and scheduling policy; proc_pid_stat(5). */
function statOf(line: string): string {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const at = (number: number): string => fields[number - 3] ?? '';
  const pid = line.split(' ')[0];
  const leads = `group ${at(5) === pid} session ${at(6) === pid}`;
  return `${leads} terminal ${at(7)} priority ${at(18)} ${at(19)} ${at(40)} ${at(41)}`;
}

const ATIME = /^(no|rel|strict)atime$/;

/** How many mounts each lies on. The kernel lists them by their age, and what is bound may be older than what it covers. */
function byDepth(mounts: readonly MountLine[]): MountLine[] {
  const known = new Map(mounts.map((mount) => [mount.id, mount]));
  const depth = (mount: MountLine): number => {
    const below = known.get(mount.parent);
    return below === undefined || below === mount ? 0 : depth(below) + 1;
  };
  return [...mounts].sort((a, b) => depth(a) - depth(b));
}

/**
 * Field by field, by place; mounts on one place as they lie. Numbers of mounts, devices and peer groups are by chance.
 */
function mountsOf(text: string): string {
  const count = new Map<string, number>();
  const lines = byDepth(parseMountinfo(text)).flatMap((mount) => {
    const { point, root, type, source, options, superOptions, propagation } = mount;
    const number = (count.get(point) ?? 0) + 1;
    count.set(point, number);
    const place = number === 1 ? point : `${point} (${number})`;
    const [access, ...flags] = options;
    // An overlay has an identity from when its upper folder was mounted first.
    const rest = superOptions.filter((option) => !/^(ro|rw|uuid=on)$/.test(option));
    return [
      `${place} is ${type} ${source} ${root}`,
      `${place} is ${access}`,
      ...flags.filter((flag) => !ATIME.test(flag)).map((flag) => `${place} has ${flag}`),
      `${place} does ${flags.find((flag) => ATIME.test(flag)) ?? 'strictatime'}`,
      `${place} propagates ${propagation.join()}`,
      `${place} below is ${superOptions.includes('rw') ? 'rw' : 'ro'}`,
      `${place} below has ${rest.sort().join()}`,
    ];
  });
  return lines.sort().join('\n');
}

/** Field by field. */
function filesOf(text: string): string {
  const lines = text.split('\n').flatMap((line) => {
    const [name, kind, mode, owner, device] = line.split('|');
    if (device === undefined) return [line];
    return [`${name} is ${kind} ${device}`, `${name} mode ${mode}`, `${name} owner ${owner}`];
  });
  return lines.join('\n');
}

/** Whether each namespace is this process's; which descriptors are open. */
function linksOf(text: string): string {
  return text
    .split('\n')
    .flatMap((line) => {
      const [, name, target = ''] = / (\S+) -> (.*)$/.exec(line) ?? [];
      if (name === undefined) return / denied|No such/.test(line) ? [line] : [];
      if (/^\d+$/.test(name)) return [`descriptor ${name}`];
      return [`${name} ${target === hostNamespace(name) ? 'of the host' : 'its own'}`];
    })
    .join('\n');
}

const host: Record<string, string> = {};

function hostNamespace(name: string): string {
  host[name] ??= readlinkSync(`/proc/self/ns/${name}`);
  return host[name];
}
