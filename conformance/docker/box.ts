/**
 * What Docker's cases work with.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Case, call, ok, type Result, type Setting, waitFor } from '../engines/engine.ts';
import { type Daemon, startDaemon } from './daemon.ts';

/** As the image is called in commands. */
export const BOX = 'box';

export interface Box {
  readonly setting: Setting;
  /**
   * The daemon of most cases; it comes up when the first one asks for it. In the VM one without networks: all that
   * iptables has to do takes seconds there.
   */
  readonly daemon: Daemon;
  /** One with networks. */
  readonly networked: Daemon;
  /** All that are up, by name. */
  readonly daemons: Map<string, Daemon>;
}

export function openBox(setting: Setting): Box {
  const daemons = new Map<string, Daemon>();
  const box: Box = {
    setting,
    daemons,
    get daemon() {
      return setting.place === 'vm' ? plainDaemon(box, 'cgroupfs') : box.networked;
    },
    get networked() {
      const daemon = daemons.get('main') ?? startDaemon(setting, 'main');
      daemons.set('main', daemon);
      return daemon;
    },
  };
  return box;
}

export type DockerCase = Case<Box>;

const NO_NETWORK = { bridge: 'none', iptables: false } as const;

/** What daemon.json says of the network of one more daemon. */
function networkOf({ setting, daemons }: Pick<Box, 'setting' | 'daemons'>, name: string) {
  if (setting.place === 'vm') return NO_NETWORK;
  // Daemons would take each other's docker0 away.
  const bridge = `b-${name}`;
  const address = `172.31.${daemons.size}.1/24`;
  const script = 'ip link add "$1" type bridge && ip address add "$2" dev "$1" && ip link set "$1" up';
  ok(setting.place, ['sh', '-c', script, 'sh', bridge, address]);
  return { bridge };
}

/** A daemon with more in its daemon.json. It stays up for other cases that ask for the same name. */
export function otherDaemon(
  { setting, daemons }: Box,
  name: string,
  config: Record<string, unknown>,
): Daemon {
  const known = daemons.get(name);
  if (known !== undefined) return known;
  const daemon = startDaemon(setting, name, { ...networkOf({ setting, daemons }, name), ...config });
  daemons.set(name, daemon);
  return daemon;
}

/**
 * A daemon without networks.
 *
 * @param driver - of cgroups
 */
export function plainDaemon(
  { setting, daemons }: Pick<Box, 'setting' | 'daemons'>,
  driver: 'cgroupfs' | 'systemd',
): Daemon {
  const daemon =
    daemons.get(driver) ??
    startDaemon(setting, driver, {
      ...NO_NETWORK,
      'exec-opts': [`native.cgroupdriver=${driver}`],
      'cgroup-parent': driver === 'cgroupfs' ? `/${setting.token}` : undefined,
    });
  daemons.set(driver, daemon);
  return daemon;
}

/**
 * `docker run --rm OPTION... box sh -c SCRIPT`.
 *
 * @returns what it prints, without white space at the ends
 */
export function sh(daemon: Daemon, options: readonly string[], script: string): string {
  return daemon.ok(['run', '--rm', ...daemon.options, ...options, BOX, 'sh', '-c', script]).trim();
}

/** The same, when it may fail. */
export function tryRun(daemon: Daemon, options: readonly string[], ...command: string[]): Result {
  return daemon.attempt(['run', '--rm', ...daemon.options, ...options, BOX, ...command]);
}

/** `docker run --detach --name NAME OPTION... box COMMAND`; sleeps without a command. */
export function detach(
  daemon: Daemon,
  name: string,
  options: readonly string[] = [],
  ...command: string[]
): void {
  const what = command.length > 0 ? command : ['sleep', '3600'];
  daemon.ok(['run', '--detach', '--name', name, ...daemon.options, ...options, BOX, ...what]);
}

/** A container that runs a script, of which `ready` is printed once it can be used. */
export function detachReady(daemon: Daemon, name: string, options: readonly string[], script: string): void {
  detach(daemon, name, options, 'sh', '-c', script);
  waitFor(`"ready" of ${name}`, () => daemon.attempt(['logs', name]).stdout.includes('ready'));
}

/** One field of `docker inspect`: `State.Running`. */
export function inspect(daemon: Daemon, name: string, field: string): string {
  return daemon.ok(['inspect', '--format', `{{.${field}}}`, name]).trim();
}

/** The container's cgroup on the host. */
export function cgroupOf(daemon: Daemon, name: string): string {
  const pid = inspect(daemon, name, 'State.Pid');
  const path = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1] ?? '';
  return join('/sys/fs/cgroup', path);
}

/** `docker exec NAME sh -c SCRIPT`. */
export function execIn(
  daemon: Daemon,
  name: string,
  script: string,
  options: readonly string[] = [],
): string {
  return daemon.ok(['exec', ...options, name, 'sh', '-c', script]).trim();
}

/** Runs the client in a terminal of 100 columns and 40 rows, with this typed on its keyboard. */
export function inTerminal({ setting }: Box, daemon: Daemon, args: readonly string[], typed = ''): Result {
  const line = daemon
    .command(args)
    .map((word) => `'${word}'`)
    .join(' ');
  return call(setting.place, ['script', '-qec', `stty rows 40 cols 100; ${line}`, '/dev/null'], typed);
}

/** Lines without what a terminal adds. */
export function plain(text: string): string {
  return text.replaceAll('\r', '').trim();
}
