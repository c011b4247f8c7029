/**
 * containerd in a world of its own, and its client ctr.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { call, ok, type Result, type Setting, waitFor } from '../engines/engine.ts';
import { makeImage } from '../engines/image.ts';
import { connect, type Service } from './grpc.ts';

/** What makes containerd's CRI plugin ask for no registry. */
const PAUSE = 'registry.k8s.io/pause:3.6';

/** Where Debian's containernetworking-plugins are. */
const CNI = '/usr/lib/cni';

export const SOCKET = '/run/containerd/containerd.sock';

/** The runtime's --root with the handler "tested-options". */
export const OTHER_ROOT = '/run/other-root';

export interface Containerd {
  readonly setting: Setting;
  /** containerd's namespace for ctr: also the first part of the containers' cgroups. */
  readonly namespace: string;
  /** containerd's task service in that namespace. */
  readonly tasks: Service;
  /** What a kubelet talks to. */
  readonly cri: Service;
  /** The server's process; another one after a restart. */
  daemon: ChildProcess;
  /** For {@link newId}. */
  count: number;
}

/** One network, as CRI and `ctr run --cni` use it. */
const NETWORK = {
  cniVersion: '0.4.0',
  name: 'net',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isGateway: true,
      ipam: {
        type: 'host-local',
        dataDir: '/run/cni-addresses',
        ranges: [[{ subnet: '10.88.0.0/16' }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
};

/** The configuration; docs/guides/with-containerd.md shows users the same. */
function configText({ runtime, place, folder }: Setting): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  const entry = (name: string, options: string) => `
[${cri}.containerd.runtimes.${name}]
  runtime_type = "io.containerd.runc.v2"
  [${cri}.containerd.runtimes.${name}.options]
    BinaryName = "${runtime.path}"
    ${options}
`;
  // Without controllers there is no weight to set, which CRI asks for.
  const cgroups = place === 'host' ? 'disable_cgroup = true' : '';
  return `
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]

[grpc]
  address = "${SOCKET}"

[plugins."io.containerd.internal.v1.opt"]
  path = "${folder}/opt"

[${cri}]
  sandbox_image = "${PAUSE}"
  disable_apparmor = true
  restrict_oom_score_adj = ${place === 'host'}
  ${cgroups}
  [${cri}.cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
  [${cri}.containerd]
    default_runtime_name = "tested"
${[
  entry('tested', ''),
  entry('tested-systemd', 'SystemdCgroup = true'),
  entry('tested-options', `Root = "${OTHER_ROOT}"\nNoNewKeyring = true\nNoPivotRoot = true`),
].join('')}`;
}

function startDaemon({ folder, runtime, token }: Setting): ChildProcess {
  const log = openSync(join(folder, 'containerd.log'), 'a');
  // Where no runtime is named, containerd takes the runc of its PATH: a link to the runtime under test.
  const programs = join(folder, 'bin');
  mkdirSync(programs, { recursive: true });
  if (!existsSync(join(programs, 'runc'))) symlinkSync(runtime.path, join(programs, 'runc'));
  const env = { ...process.env, PATH: `${programs}:${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin` };
  // A container without a path for its cgroup gets one beside that of who starts it.
  const cgroup = `/sys/fs/cgroup/${token}/daemon`;
  mkdirSync(cgroup, { recursive: true });
  const script = 'echo $$ > "$1/cgroup.procs"; exec containerd --config "$2"';
  const argv = ['-c', script, 'sh', cgroup, join(folder, 'config.toml')];
  const daemon = spawn('sh', argv, { stdio: ['ignore', log, log], env });
  daemon.unref();
  return daemon;
}

/** The command line of ctr in the tests' own namespace. */
export function ctrCommand({ namespace }: Containerd, args: readonly string[]): string[] {
  return ['ctr', '--address', SOCKET, '--namespace', namespace, ...args];
}

export function ctr(box: Containerd, args: readonly string[], input = ''): Result {
  return call(box.setting.place, ctrCommand(box, args), input);
}

/** The same for a command that must succeed; gives its output. */
export function ctrOk(box: Containerd, args: readonly string[], input = ''): string {
  return ok(box.setting.place, ctrCommand(box, args), input);
}

/**
 * The topics of the events that containerd tells while something is done.
 *
 * @param last - the end of the last one's topic
 */
export function withEvents(box: Containerd, last: string, action: () => void): string[] {
  const file = join(box.setting.folder, 'events');
  const log = openSync(file, 'w');
  const [name = '', ...args] = ctrCommand(box, ['events']);
  const listener = spawn(name, args, { stdio: ['ignore', log, log] });
  const topics = () =>
    [...readFileSync(file, 'utf8').matchAll(/ (\/\w+\/[\w-]+) \{/g)].map(([, topic]) => topic!);
  // It doesn't say when it listens: something happens until it is told.
  waitFor('events', () => {
    ctrOk(box, ['containers', 'create', box.setting.image.name, 'event']);
    ctrOk(box, ['containers', 'delete', 'event']);
    return topics().includes('/containers/delete');
  });
  action();
  waitFor(`an event ${last}`, () => topics().some((topic) => topic.endsWith(last)));
  listener.kill('SIGKILL');
  closeSync(log);
  return topics().filter((topic) => topic.startsWith('/tasks/'));
}

function waitForDaemon({ setting }: Containerd): void {
  waitFor(
    'containerd answers',
    () => existsSync(SOCKET) && call(setting.place, ['ctr', '--address', SOCKET, 'version']).code === 0,
  );
}

/** Brings it up, with the images in both namespaces. */
export function openContainerd(setting: Setting): Containerd {
  const { folder, image, place } = setting;
  writeFileSync(join(folder, 'config.toml'), configText(setting));
  mkdirSync('/etc/cni/net.d', { recursive: true });
  writeFileSync('/etc/cni/net.d/10-net.conflist', JSON.stringify(NETWORK));
  ok(place, ['sh', '-c', `mkdir -p /opt/cni && ln -sfn ${CNI} /opt/cni/bin`]);
  const namespace = setting.token;
  const box: Containerd = {
    setting,
    namespace,
    tasks: connect('tasks.proto', 'containerd.services.tasks.v1.Tasks', SOCKET, {
      'containerd-namespace': namespace,
    }),
    cri: connect('cri.proto', 'runtime.v1.RuntimeService', SOCKET),
    daemon: startDaemon(setting),
    count: 0,
  };
  waitForDaemon(box);
  ctrOk(box, ['images', 'import', image.archive]);
  const pause = makeImage(folder, PAUSE, ['sleep', '2147483647']);
  for (const { archive } of [image, pause]) {
    ok(place, ['ctr', '--address', SOCKET, '--namespace', 'k8s.io', 'images', 'import', archive]);
  }
  return box;
}

/** Kills the server and starts it anew; containers go on meanwhile. */
export function restartContainerd(box: Containerd): void {
  const { pid } = box.daemon;
  process.kill(pid!, 'SIGKILL');
  // Its parent is busy here, so it stays a zombie: the answer is what counts.
  waitFor(
    'containerd is gone',
    () =>
      call(box.setting.place, ['ctr', '--address', SOCKET, '--connect-timeout', '1s', 'version']).code !== 0,
  );
  box.daemon = startDaemon(box.setting);
  waitForDaemon(box);
}
