/**
 * What `runts doctor` looks at: a list of small named checks, each with what to do when it finds something missing.
 *
 * @module
 */

import { CAP } from '../../ffi/constants/capability.ts';
import { FS_MAGIC } from '../../ffi/constants/mount.ts';
import type { CriuReport } from '../criu/check.ts';
import type { Host } from './host.ts';

/** `degraded`: containers run, but something that configs may ask for does not. `missing`: no container runs. */
export type Verdict = 'ok' | 'degraded' | 'missing';

export interface Finding {
  verdict: Verdict;
  /** What was found. */
  found: string;
  /** What to do about it. */
  remedy?: string;
}

export interface Check {
  name: string;
  check(host: Host): Finding;
}

const ok = (found: string): Finding => ({ verdict: 'ok', found });
const degraded = (found: string, remedy: string): Finding => ({ verdict: 'degraded', found, remedy });
const missing = (found: string, remedy: string): Finding => ({ verdict: 'missing', found, remedy });

/** mount_setattr(2), the newest system call that the default path uses. */
const NEEDED = [5, 12] as const;

function kernel(host: Host): Finding {
  const release = host.read('/proc/sys/kernel/osrelease')?.trim();
  if (release === undefined) return missing('/proc is not mounted', 'mount -t proc proc /proc');
  const [major = 0, minor = 0] = release.split('.').map(Number);
  const found = `Linux ${release}`;
  if (major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1])) return ok(found);
  return degraded(found, `update to Linux ${NEEDED.join('.')}: older kernels lack mount_setattr`);
}

function rights(host: Host): Finding {
  const text = /^CapEff:\s*([0-9a-f]+)/m.exec(host.read('/proc/self/status') ?? '')?.[1];
  const capabilities = BigInt(`0x${text ?? '0'}`);
  if (host.euid !== 0)
    return degraded(
      `uid ${host.euid}`,
      'as an ordinary user, configs need a user namespace: runts spec --rootless',
    );
  const wanted = [
    'SYS_ADMIN',
    'SETUID',
    'SETGID',
    'SETPCAP',
    'MKNOD',
    'CHOWN',
    'NET_ADMIN',
    'SYS_RESOURCE',
  ] as const;
  const lacking = wanted.filter((name) => ((capabilities >> BigInt(CAP[name])) & 1n) === 0n);
  if (lacking.includes('SYS_ADMIN'))
    return missing(
      'root without CAP_SYS_ADMIN',
      'run outside of the container that you are in, or give it CAP_SYS_ADMIN',
    );
  if (lacking.length === 0) return ok('root with all rights that runts uses');
  return degraded(
    `root without ${lacking.map((name) => `CAP_${name}`).join(', ')}`,
    'configs that need them fail, e.g. raising a hard limit without CAP_SYS_RESOURCE',
  );
}

function cgroups(host: Host): Finding {
  if (host.fileSystem('/sys/fs/cgroup') === FS_MAGIC.CGROUP2) {
    const controllers = host.read('/sys/fs/cgroup/cgroup.controllers')?.trim() ?? '';
    return controllers === ''
      ? degraded(
          'v2 without controllers',
          'no limits can be set: the controllers are used by v1 hierarchies, or not delegated',
        )
      : ok(`v2 with ${controllers}`);
  }
  if (host.fileSystem('/sys/fs/cgroup/unified') === FS_MAGIC.CGROUP2) {
    const controllers = host.read('/sys/fs/cgroup/unified/cgroup.controllers')?.trim() || 'no controller';
    return degraded(
      `hybrid: v1, and v2 at /sys/fs/cgroup/unified with ${controllers}`,
      'limits need pure v2: boot with systemd.unified_cgroup_hierarchy=1',
    );
  }
  return degraded(
    'no v2 hierarchy',
    'mount -t cgroup2 none /sys/fs/cgroup, or run with --cgroup-manager disabled',
  );
}

function namespaces(host: Host): Finding {
  const all = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'];
  const lacking = all.filter((name) => !host.exists(`/proc/self/ns/${name}`));
  if (lacking.length === 0) return ok(all.join(' '));
  return degraded(
    `without ${lacking.join(' ')}`,
    'the kernel was built without them: configs that name them fail',
  );
}

function userNamespaces(host: Host): Finding {
  const limit = Number(host.read('/proc/sys/user/max_user_namespaces') ?? '0');
  if (limit === 0) return degraded('disabled', 'sysctl user.max_user_namespaces=15000');
  if (host.read('/proc/sys/kernel/unprivileged_userns_clone')?.trim() === '0') {
    return degraded('for root only', 'sysctl kernel.unprivileged_userns_clone=1');
  }
  if (host.read('/proc/sys/kernel/apparmor_restrict_unprivileged_userns')?.trim() === '1') {
    return degraded(
      'restricted by AppArmor for ordinary users',
      'sysctl kernel.apparmor_restrict_unprivileged_userns=0, or a profile for runts',
    );
  }
  return ok(`up to ${limit}`);
}

function idMappers(host: Host): Finding {
  const lacking = ['newuidmap', 'newgidmap'].filter((name) => host.program(name) === undefined);
  if (lacking.length === 0) return ok('newuidmap, newgidmap');
  return degraded(
    `no ${lacking.join(', ')}`,
    'ordinary users can map only their own id: apt-get install uidmap',
  );
}

const LIBRARY_FOLDERS = ['/lib', '/usr/lib', '/lib64', '/usr/lib64', '/usr/local/lib'];

function library(host: Host, file: string): string | undefined {
  const triplet = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
  return LIBRARY_FOLDERS.flatMap((folder) => [`${folder}/${triplet}/${file}`, `${folder}/${file}`]).find(
    (path) => host.exists(path),
  );
}

function seccomp(host: Host): Finding {
  const actions = host.read('/proc/sys/kernel/seccomp/actions_avail')?.trim();
  if (actions === undefined) return degraded('not in this kernel', 'a kernel with CONFIG_SECCOMP_FILTER');
  const found = library(host, 'libseccomp.so.2');
  if (found === undefined)
    return degraded('no libseccomp', 'configs with a seccomp profile need it: apt-get install libseccomp2');
  return ok(`${actions}; ${found}`);
}

function securityModules(host: Host): Finding {
  const modules = host.read('/sys/kernel/security/lsm')?.trim();
  if (host.read('/sys/module/apparmor/parameters/enabled')?.trim() === 'Y') return ok(modules ?? 'apparmor');
  if (host.exists('/sys/fs/selinux/enforce')) return ok(modules ?? 'selinux');
  return degraded(
    modules ?? 'none',
    'no AppArmor and no SELinux: a config with process.apparmorProfile or process.selinuxLabel fails',
  );
}

function executable(host: Host): Finding {
  const value = host.read('/proc/sys/vm/memfd_noexec')?.trim() ?? '0';
  if (value === '2')
    return missing(
      'forbidden by vm.memfd_noexec=2',
      'sysctl vm.memfd_noexec=1: the executor runs from a sealed memory file',
    );
  return ok(`vm.memfd_noexec=${value}`);
}

function stateFolder(host: Host): Finding {
  const folder = host.euid === 0 ? '/run' : (host.env.XDG_RUNTIME_DIR ?? `/run/user/${host.euid}`);
  if (host.writable(folder)) return ok(folder);
  return missing(`${folder} can't be written to`, 'set XDG_RUNTIME_DIR, or give --root');
}

function criu(host: Host): Finding {
  const { path, version, problem }: CriuReport = host.criu ?? { path: host.program('criu') };
  if (path === undefined)
    return degraded('not installed', 'checkpoint and restore need it: apt-get install criu');
  const found = version === undefined ? path : `${path}, version ${version}`;
  if (problem === undefined) return ok(found);
  return degraded(
    `${found}, can't save anything here: ${problem}`,
    'checkpoint and restore need it: update criu, and see what `criu check` says',
  );
}

function systemd(host: Host): Finding {
  if (host.exists('/run/systemd/system')) return ok('running');
  return degraded('not running', '--systemd-cgroup does not work here; cgroups are made directly');
}

/** All checks, in the order of the report. */
export const CHECKS: readonly Check[] = [
  { name: 'kernel', check: kernel },
  { name: 'rights', check: rights },
  { name: 'cgroups', check: cgroups },
  { name: 'namespaces', check: namespaces },
  { name: 'user namespaces', check: userNamespaces },
  { name: 'id mapping', check: idMappers },
  { name: 'seccomp', check: seccomp },
  { name: 'security modules', check: securityModules },
  { name: 'memory files', check: executable },
  { name: 'state folder', check: stateFolder },
  { name: 'systemd', check: systemd },
  { name: 'criu', check: criu },
];
