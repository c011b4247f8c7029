/**
 * A Docker daemon with the runtime under test in the place of runc, and its client.
 *
 * @module
 */
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { findCommand } from '../../test/harness/requirements.ts';
import { call, ok, type Result, type Setting, waitFor } from '../engines/engine.ts';

/** What the runtime is called in daemon.json; "runc" is reserved. */
export const RUNTIME = 'tested';

/** Debian's client, where there is another one before it in PATH. */
const client = existsSync('/usr/bin/docker') ? '/usr/bin/docker' : 'docker';

export interface Daemon {
  /** The runtimes' state, the containers' network namespaces and so on. */
  readonly execRoot: string;
  /** Of every `docker run`. */
  readonly options: readonly string[];
  /** The client's command line. */
  command(args: readonly string[]): string[];
  /** Runs the client. */
  attempt(args: readonly string[], input?: string): Result;
  /** Runs the client, which must succeed; gives its output. */
  ok(args: readonly string[], input?: string): string;
  /** Removes all containers, without the client: in emulation each start of it takes seconds. */
  clear(): Promise<void>;
  /** Brings the daemon up again, with the same containers, after it was killed. */
  start(): void;
  /** Ends the daemon and waits for its end. */
  end(signal: 'SIGTERM' | 'SIGKILL'): void;
}

const isAlive = (pid: number) => existsSync(`/proc/${pid}`);

/** A request to a daemon; what it answers. */
function request(socketPath: string, method: 'GET' | 'DELETE', path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = httpRequest({ socketPath, method, path }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve(Buffer.concat(chunks).toString()));
      response.on('error', reject);
    });
    call.on('error', reject);
    call.end();
  });
}

async function removeContainers(socket: string): Promise<void> {
  // A case may have left its daemon dead.
  const list = await request(socket, 'GET', '/containers/json?all=1').catch(() => '[]');
  const containers = JSON.parse(list) as { readonly Id: string }[];
  await Promise.all(containers.map(({ Id }) => request(socket, 'DELETE', `/containers/${Id}?force=1&v=1`)));
}

/** A folder for PATH in which the runtime is called runc: BuildKit looks for that name and nothing else. */
function pathWithRuntime({ folder, runtime }: Setting): string {
  const bin = join(folder, 'bin');
  if (!existsSync(bin)) {
    mkdirSync(bin);
    symlinkSync(runtime.path, join(bin, 'runc'));
  }
  return `${bin}:${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin`;
}

/** Where a daemon lives, if not where the others do. */
export interface Home {
  /** For everything but images and containers. */
  readonly base: string;
  /** The command line that starts a program there. */
  launch(argv: readonly string[]): string[];
}

/**
 * Starts a daemon with folders and a socket of its own, and loads the image.
 *
 * @param name - of its folders
 * @param config - more for daemon.json
 */
export function startDaemon(
  setting: Setting,
  name: string,
  config: Record<string, unknown> = {},
  home: Home = { base: join(setting.folder, name), launch: (argv) => [...argv] },
): Daemon {
  const { place, runtime } = setting;
  const { base } = home;
  mkdirSync(base, { recursive: true });
  const socket = join(base, 'docker.sock');
  const execRoot = join(base, 'exec');
  const configFile = join(base, 'daemon.json');
  const settings = {
    runtimes: { [RUNTIME]: { path: runtime.path } },
    'default-runtime': RUNTIME,
    'exec-opts': ['native.cgroupdriver=cgroupfs'],
    'cgroup-parent': `/${setting.token}`,
    hosts: [`unix://${socket}`],
    'data-root': `/var/lib/docker/${name}`,
    'exec-root': execRoot,
    pidfile: join(base, 'pid'),
    ...config,
  };
  writeFileSync(configFile, JSON.stringify(settings, null, 2));
  const command = (args: readonly string[]) => [
    ...[client, '--config', base, '--host', `unix://${socket}`],
    ...args,
  ];
  const attempt = (args: readonly string[], input?: string) => call(place, command(args), input);
  const log = join(base, 'log');
  let pid = 0;
  const start = () => {
    const dockerd = findCommand('dockerd');
    if (dockerd === undefined) throw new Error('no dockerd');
    const argv = home.launch([dockerd, '--config-file', configFile]);
    // An orphan, so that it doesn't stay a zombie of this process when it is killed.
    const script = 'PATH=$1; log=$2; shift 2; "$@" </dev/null >"$log" 2>&1 & echo $!';
    const launch = () => {
      pid = Number(ok(place, ['sh', '-c', script, 'sh', pathWithRuntime(setting), log, ...argv]));
    };
    launch();
    let patience = 3;
    waitFor('the daemon', () => {
      if (isAlive(pid)) return existsSync(socket) && attempt(['version']).code === 0;
      const said = readFileSync(log, 'utf8');
      // It gives its containerd 15 seconds, which can be too short in emulation on a busy host.
      if (patience-- === 0 || !said.includes('timeout waiting for containerd'))
        throw new Error(`dockerd ended: ${said.slice(-500)}`);
      launch();
      return false;
    });
  };
  const daemon: Daemon = {
    execRoot,
    options: [],
    command,
    attempt,
    ok: (args, input) => ok(place, command(args), input),
    clear: () => removeContainers(socket),
    start,
    end(signal) {
      process.kill(pid, signal);
      waitFor("the daemon's end", () => !isAlive(pid));
    },
  };
  start();
  daemon.ok(['load', '--input', setting.image.archive]);
  return daemon;
}
