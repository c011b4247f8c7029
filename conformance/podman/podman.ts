/**
 * Podman and Buildah with one runtime: as root, and as an ordinary user with subordinate ids.
 *
 * @module
 */
import { appendFileSync, chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { call, onTerminal, type Place, type Result, type Setting, Skip, waitFor } from '../engines/engine.ts';

/** Who makes cgroups. */
export type Manager = 'cgroupfs' | 'systemd';

/** The ordinary user, who exists in the world alone. */
const USER = { name: 'ordinary', id: 23456, subordinate: 2_000_000 } as const;

/** Bit 24 of a set in /proc/PID/status; capabilities(7). */
const CAP_SYS_RESOURCE = 1n << 24n;

/** One user's command line of Podman or Buildah. */
export interface Tool {
  /** The whole command line. */
  argv(...args: string[]): string[];
  /** Runs it to its end. */
  call(...args: string[]): Result;
  /** It must succeed; gives its output without the last line break. */
  ok(...args: string[]): string;
  /** The same with standard input. */
  feed(input: string, ...args: string[]): string;
  /** The same on a terminal, which is standard output and error; line breaks are single. */
  terminal(...args: string[]): string;
  /** The same, and this is typed. */
  typed(input: string, ...args: string[]): string;
  /** The same with other options before the command, or another environment. */
  with(options: readonly string[], env?: Readonly<Record<string, string>>): Tool;
}

/** A user with both tools. */
export interface Account {
  readonly place: Place;
  readonly runtime: string;
  readonly rootless: boolean;
  /** Who makes the cgroups without further options. */
  readonly manager: Manager;
  readonly podman: Tool;
  readonly buildah: Tool;
  /** Podman's commands since the last case. */
  readonly used: Set<string>;
  /** The user's own folder, for files that are mounted and such. */
  readonly folder: string;
  /** Any other program as this user. */
  run(...argv: string[]): Result;
  /** Looks again until a command prints this; gives what was printed. */
  until(what: string, look: () => string, wanted: string | RegExp): string;
}

export interface Box {
  readonly setting: Setting;
  /** Brought up when first asked for. */
  root(): Account;
  user(): Account;
  /** Those that were asked for since this was last called. */
  taken(): Account[];
}

/** containers.conf(5) for one user. */
function configuration({ runtime, place }: Setting, path: string, manager: Manager): string {
  return `[containers]
log_driver = "k8s-file"
${place === 'host' ? 'pids_limit = 0 # Its controller may be with cgroup v1.' : ''}
[engine]
runtime = "${runtime.name}"
cgroup_manager = "${manager}"
events_logger = "file"
runtime_supports_json = ["${runtime.name}"]
runtime_supports_nocgroup = ["${runtime.name}"]

[engine.runtimes]
${runtime.name} = ["${path}"]
`;
}

function tool(
  place: Place,
  prefix: readonly string[],
  name: string,
  options: readonly string[],
  used: Set<string>,
): Tool {
  const argv = (...args: string[]) => {
    used.add(args[0]!);
    return [...prefix, name, ...options, ...args];
  };
  const feed = (input: string, ...args: string[]) => {
    const { code, stdout, stderr } = call(place, argv(...args), input);
    if (code !== 0) {
      throw new Error(`${name} ${args.join(' ')}: exit code ${code}: ${stderr.trim() || stdout.trim()}`);
    }
    return stdout.replace(/\n$/, '');
  };
  const typed = (input: string, ...args: string[]) => {
    const { code, stdout } = call(place, onTerminal(argv(...args)), input);
    if (code !== 0) throw new Error(`${name} ${args.join(' ')}: exit code ${code}: ${stdout.trim()}`);
    return stdout.replaceAll('\r\n', '\n').replace(/\n$/, '');
  };
  return {
    argv,
    feed,
    call: (...args) => call(place, argv(...args)),
    ok: (...args) => feed('', ...args),
    terminal: (...args) => typed('', ...args),
    typed,
    with: (more, env = {}) => {
      const words = Object.entries(env).map(([key, value]) => `${key}=${value}`);
      // The prefix ends with env(1) and its variables.
      return tool(place, [...prefix, ...words], name, [...options, ...more], used);
    },
  };
}

function account(
  { place, runtime, image }: Setting,
  prefix: readonly string[],
  folder: string,
  path: string,
  manager: Manager,
  rootless: boolean,
): Account {
  const used = new Set<string>();
  const podman = tool(place, prefix, 'podman', [], used);
  const made: Account = {
    place,
    runtime: runtime.name,
    rootless,
    manager,
    podman,
    buildah: tool(place, [...prefix, `BUILDAH_RUNTIME=${path}`], 'buildah', [], used),
    used,
    folder,
    run: (...argv) => call(place, [...prefix, ...argv]),
    until(what, look, wanted) {
      const isIt = (text: string) => (typeof wanted === 'string' ? text === wanted : wanted.test(text));
      let last = '';
      try {
        return waitFor(what, () => {
          last = look();
          return isIt(last) && { last };
        }).last;
      } catch (error) {
        throw new Error(`${(error as Error).message}: the last was ${JSON.stringify(last)}`);
      }
    },
  };
  podman.ok('load', '--quiet', '--input', image.archive);
  return made;
}

function openRoot(setting: Setting, path: string): Account {
  if (setting.runtime.name === 'crun') {
    const capabilities = /^CapEff:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]!;
    if ((BigInt(`0x${capabilities}`) & CAP_SYS_RESOURCE) === 0n) {
      throw new Skip('crun as root needs CAP_SYS_RESOURCE, which root lacks here.');
    }
  }
  const folder = join(setting.folder, 'root');
  mkdirSync(folder);
  // Whose ids --userns auto takes.
  for (const file of ['/etc/subuid', '/etc/subgid']) appendFileSync(file, 'containers:4000000:1000000\n');
  const file = join(setting.folder, 'root.conf');
  const manager = setting.place === 'vm' ? 'systemd' : 'cgroupfs';
  writeFileSync(file, configuration(setting, path, manager));
  const prefix = ['env', '-C', folder, `CONTAINERS_CONF=${file}`];
  return account(setting, prefix, folder, path, manager, false);
}

/** The user's login: with a systemd of its own in the VM, without one on the host. */
function openUser(setting: Setting, path: string): Account {
  const { name, id, subordinate } = USER;
  const { place, folder } = setting;
  // In the VM an overlay's layers can't be on the root, nor on its tmpfs for an ordinary user.
  const home = join(place === 'vm' ? '/scratch' : folder, name);
  const runtimeFolder = `/run/user/${id}`;
  appendFileSync('/etc/passwd', `${name}:x:${id}:${id}::${home}:/bin/sh\n`);
  appendFileSync('/etc/group', `${name}:x:${id}:\n`);
  for (const file of ['/etc/subuid', '/etc/subgid']) appendFileSync(file, `${name}:${subordinate}:65536\n`);
  const manager = place === 'vm' ? 'systemd' : 'cgroupfs';
  const work = join(home, 'work');
  for (const each of [home, work]) {
    mkdirSync(each, { mode: 0o700 });
    chownSync(each, id, id);
  }
  const file = join(folder, 'user.conf');
  writeFileSync(file, configuration(setting, path, manager));
  const become = [
    'setpriv',
    `--reuid=${id}`,
    `--regid=${id}`,
    '--init-groups',
    '--inh-caps=-all',
    'env',
    '-i',
  ];
  const variables = [
    '-C',
    work,
    `HOME=${home}`,
    `USER=${name}`,
    `PATH=${process.env.PATH}:/usr/sbin:/sbin`,
    `XDG_RUNTIME_DIR=${runtimeFolder}`,
    `CONTAINERS_CONF=${file}`,
  ];
  let prefix = [...become, ...variables];
  if (place === 'vm') {
    // As pam_systemd does after a login: there is no logind in the VM.
    const dropIn = '/run/systemd/system/user@.service.d';
    mkdirSync(dropIn, { recursive: true });
    writeFileSync(`${dropIn}/alone.conf`, '[Service]\nPAMName=\nEnvironment=XDG_RUNTIME_DIR=/run/user/%i\n');
    const unit = `user@${id}.service`;
    const { code, stderr } = call(place, ['systemctl', 'start', unit]);
    if (code !== 0) throw new Error(`no systemd of the user's own: ${stderr}`);
    // Where the user's systemd puts what the user starts; by systemd-run it would take seconds each time.
    const cgroup = `/sys/fs/cgroup/user.slice/user-${id}.slice/${unit}/app.slice/cases.scope`;
    mkdirSync(cgroup, { recursive: true });
    for (const each of [cgroup, ...['procs', 'subtree_control'].map((end) => `${cgroup}/cgroup.${end}`)]) {
      chownSync(each, id, id);
    }
    const enter = ['sh', '-c', `echo $$ > ${cgroup}/cgroup.procs && exec "$@"`, 'sh'];
    // As of a login. With more, what the user's systemd itself starts could not exec: a container has the limits of
    // whom it was made by, and nobody but root raises one.
    const limits = ['NOFILE', 'NPROC'].map((limit) => {
      const { stdout } = call(place, ['systemctl', 'show', '--value', `--property=Limit${limit}`, unit]);
      return `--${limit.toLowerCase()}=${stdout.trim()}`;
    });
    const bus = `DBUS_SESSION_BUS_ADDRESS=unix:path=${runtimeFolder}/bus`;
    prefix = [...enter, 'prlimit', ...limits, ...prefix, bus, 'STORAGE_DRIVER=overlay'];
  } else {
    mkdirSync(runtimeFolder, { mode: 0o700 });
    chownSync(runtimeFolder, id, id);
  }
  return account(setting, prefix, work, path, manager, true);
}

/** Prepares the world for both users. */
export function open(setting: Setting): Box {
  const { runtime, folder, place } = setting;
  chmodSync(folder, 0o711);
  let path = runtime.path;
  if (runtime.name === 'runts') {
    // The checkout may lie where the ordinary user has no access.
    mkdirSync('/opt/runts', { recursive: true });
    const { code, stderr } = call(place, ['mount', '--bind', dirname(path), '/opt/runts']);
    if (code !== 0) throw new Error(stderr);
    path = '/opt/runts/runts';
  }
  if (place === 'host') {
    // Of slirp4netns, which makes an ordinary user's network.
    mkdirSync('/dev/net', { recursive: true });
    call(place, ['mknod', '-m', '666', '/dev/net/tun', 'c', '10', '200']);
    chmodSync('/dev/fuse', 0o666);
  }
  const taken = new Set<Account>();
  const once = (make: () => Account) => {
    let made: Account | undefined;
    return () => {
      made ??= make();
      taken.add(made);
      return made;
    };
  };
  return {
    setting,
    root: once(() => openRoot(setting, path)),
    user: once(() => openUser(setting, path)),
    taken() {
      const those = [...taken];
      taken.clear();
      return those;
    },
  };
}

/** Removes what a case left, `further` first. */
export function clear(box: Box, further?: (account: Account) => void): void {
  for (const account of box.taken()) {
    const { podman, used } = account;
    further?.(account);
    if (used.has('pod') || used.has('play')) podman.call('pod', 'rm', '--all', '--force', '--time', '0');
    podman.call('rm', '--all', '--force', '--time', '0');
    if (used.has('volume')) podman.call('volume', 'prune', '--force');
    used.clear();
  }
}

/** One line about the programs. */
export function version(...names: string[]): string {
  return names
    .map((name) => call('host', [name, '--version']).stdout.trim())
    .concat(call('host', ['conmon', '--version']).stdout.split('\n')[0]!)
    .join('; ');
}
