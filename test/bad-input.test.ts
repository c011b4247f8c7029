/** Bad input, field by field and command by command: each has one line that names what is wrong, and leaves nothing. */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Mount } from '../src/spec/types.ts';
import {
  assertNothingLeft,
  atEnd,
  privateWorld,
  runtimes,
  type Session,
  session,
  snapshot,
  type TestSpec,
  tempBundle,
  temporaryFolder,
} from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { scriptBundle, testsOf } from './support/inside.ts';

const { skip } = privateWorld({ network: true });

const mount =
  (entry: Mount) =>
  (spec: TestSpec): void =>
    void spec.mounts.push(entry);
const without = (type: string) => (spec: TestSpec) => {
  spec.linux.namespaces = spec.linux.namespaces.filter((namespace) => namespace.type !== type);
};
/** A path of a joined namespace. */
const joining =
  (type: string, path: string) =>
  (spec: TestSpec): void => {
    spec.linux.namespaces.find((namespace) => namespace.type === type)!.path = path;
  };
/** Replaces a part of the config by anything. */
const put =
  (part: 'process' | 'linux' | 'root', value: object) =>
  (spec: TestSpec): void =>
    void Object.assign(spec[part], value);
const limits = (resources: object): ((spec: TestSpec) => void) => put('linux', { resources });
const hook =
  (phase: string, path: string, ...args: string[]) =>
  (spec: TestSpec): void => {
    spec.hooks = { [phase]: [{ path, args: [path, ...args] }] };
  };

/** What only the kernel, or a look at the host, can refuse. That a field's value is none at all, `validate` finds. */
const FIELDS: Record<string, [change: (spec: TestSpec) => void, message: RegExp]> = {
  'a root that is missing': [put('root', { path: 'nowhere' }), /^root\.path: .*no such file.*\(unpack/],
  'a root that is a file': [put('root', { path: 'config.json' }), /^root\.path: .*not a directory/],
  'a command that is missing': [
    put('process', { args: ['nope'] }),
    /exec: "nope": executable file not found/,
  ],
  'a command by path that is missing': [put('process', { args: ['/no/pe'] }), /exec \/no\/pe: no such file/],
  'a command that is a folder': [
    put('process', { args: ['/bin'] }),
    /exec \/bin: permission denied \(it is a folder\)/,
  ],
  'a command that is no program': [
    put('process', { args: ['/etc/passwd'] }),
    /exec .*permission denied.*noexec/,
  ],
  'an argument that is too long': [
    put('process', { args: ['true', 'x'.repeat(200_000)] }),
    /argument list too long \(process\.args and process\.env together/,
  ],
  'a path that is too long': [
    put('process', { cwd: '/x'.repeat(2048) }),
    /process\.cwd: .*at most 4095 bytes/,
  ],
  'a working directory in another’s descriptors': [
    put('process', { cwd: '/proc/self/fd/7' }),
    /process\.cwd: .*(ENOENT|ELOOP).*inside the rootfs/,
  ],
  'a terminal without devpts': [
    (spec) => {
      spec.process.terminal = true;
      spec.mounts = spec.mounts.filter(({ destination }) => destination !== '/dev/pts');
    },
    /process\.terminal: openat2\(.*ENOENT.*needs a devpts/,
  ],
  'groups beyond the kernel’s': [
    put('process', { user: { uid: 0, gid: 0, additionalGids: Array.from({ length: 65537 }, (_, i) => i) } }),
    /process\.user\.additionalGids: expected at most 65536 entries/,
  ],
  'a namespace that is gone': [
    joining('ipc', '/nowhere'),
    /linux\.namespaces\[2\]\.path: openat\(.*ENOENT.*is gone/,
  ],
  'a namespace that is a folder': [
    joining('ipc', '/tmp'),
    /linux\.namespaces\[2\]\.path: setns\(.*EINVAL.*of another type, or none/,
  ],
  'a clock before its beginning': [
    (spec) => {
      spec.linux.namespaces.push({ type: 'time' });
      spec.linux.timeOffsets = { boottime: { secs: -1e12 } };
    },
    /linux\.timeOffsets: write\(.*ERANGE.*would be negative/,
  ],
  'a network device that is not there': [
    put('linux', { netDevices: { nodev0: {} } }),
    /linux\.netDevices\.nodev0: no such network device on the host \(ENODEV\)/,
  ],
  'a network device that stays': [
    put('linux', { netDevices: { lo: { name: 'lo2' } } }),
    /linux\.netDevices\.lo: cannot move lo.*(EINVAL|EOPNOTSUPP).*can’t leave/,
  ],
  'a sysctl that refuses the value': [
    put('linux', { sysctl: { 'net.ipv4.ip_forward': 'abc' } }),
    /linux\.sysctl\["net\.ipv4\.ip_forward"\]: write\(.*EINVAL.*refuses this value/,
  ],
  'a sysctl of the host': [
    (spec) => {
      without('network')(spec);
      spec.linux.sysctl = { 'net.ipv4.ip_forward': '1' };
    },
    /linux\.sysctl\["net\.ipv4\.ip_forward"\]: .*not allowed in host network namespace/,
  ],
  'a sysctl of the host by the path of its namespace': [
    (spec) => {
      without('network')(spec);
      spec.linux.namespaces.push({ type: 'network', path: `/proc/${process.pid}/ns/net` });
      spec.linux.sysctl = { 'net.ipv4.ip_forward': '1' };
    },
    /linux\.sysctl\["net\.ipv4\.ip_forward"\]: .*not allowed in host network namespace \(.*the runtime’s own/,
  ],
  'a device over a folder': [
    put('linux', { devices: [{ path: '/bin', type: 'c', major: 1, minor: 3 }] }),
    /linux\.devices\[0\]: another file is in the place.*EEXIST/,
  ],
  'a device number beyond the kernel’s': [
    put('linux', { devices: [{ path: '/dev/x', type: 'c', major: 5000, minor: 3 }] }),
    /linux\.devices\[0\]\.major: expected a number of at most 4095/,
  ],
  'a cgroup that leads out': [put('linux', { cgroupsPath: '/../x' }), /linux\.cgroupsPath: .*leads out/],
  'a cgroup that is all': [
    put('linux', { cgroupsPath: '/' }),
    /linux\.cgroupsPath: .*not a cgroup of its own/,
  ],
  'a cgroup below a file': [
    put('linux', { cgroupsPath: '/cgroup.procs/x' }),
    /linux\.cgroupsPath: cannot make cgroup .*not a directory \(a component/,
  ],
  'a limit of cgroup v1': [
    limits({ memory: { swappiness: 10 } }),
    /linux\.resources\.memory\.swappiness: only cgroup v1 has this/,
  ],
  'limits that contradict each other': [
    limits({ memory: { limit: 1_000_000, swap: 1000 } }),
    /linux\.resources\.memory\.swap: .*should be >= memory limit/,
  ],
  'a file of cgroups that is the runtime’s': [
    limits({ unified: { 'cgroup.procs': '1' } }),
    /linux\.resources\.unified\["cgroup\.procs"\]: .*the runtime uses it itself/,
  ],
  'a controller that there is not': [
    limits({ unified: { 'nope.max': '1' } }),
    /linux\.resources\.unified\["nope\.max"\]: controller nope is not available/,
  ],
  'huge pages of no size': [
    limits({ hugepageLimits: [{ pageSize: '3MB', limit: 5 }] }),
    /linux\.resources\.hugepageLimits\[0\]: .*(huge pages of this size|controller hugetlb is not available)/,
  ],
  'no resctrl': [
    put('linux', { intelRdt: { closID: 'x' } }),
    /linux\.intelRdt: no resctrl file system is mounted/,
  ],
  'memory nodes that are not there': [
    put('linux', { memoryPolicy: { mode: 'MPOL_BIND', nodes: '999' } }),
    /linux\.memoryPolicy: set_mempolicy\(.*(EINVAL.*a node is not there|ENOSYS)/,
  ],
  'a filter that forbids the command': [
    put('linux', { seccomp: { defaultAction: 'SCMP_ACT_ERRNO' } }),
    /linux\.seccomp: the profile forbids execve/,
  ],
  'no agent': [
    put('linux', {
      seccomp: {
        defaultAction: 'SCMP_ACT_ALLOW',
        listenerPath: '/nowhere',
        syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }],
      },
    }),
    /linux\.seccomp\.listenerPath: .*agent at \/nowhere.*ENOENT.*start the agent/,
  ],
  'a hook that is missing': [
    hook('prestart', '/no/hook'),
    /prestart hook #0: fork\/exec \/no\/hook: no such file/,
  ],
  'a hook that fails': [
    hook('createRuntime', '/bin/sh', '-c', 'echo bad >&2; exit 3'),
    /createRuntime hook #0: exit status 3, stdout: , stderr: bad/,
  ],
  'a hook that is a folder': [
    hook('createContainer', '/tmp'),
    /createContainer hook #0: .*permission denied \(/,
  ],
  'a hook that the image lacks': [
    hook('startContainer', '/no'),
    /startContainer hook #0: .*looked up in the container/,
  ],
  'a hook that fails at the end': [hook('poststart', '/bin/false'), /poststart hook #0: exit status 1/],
  'a source that is missing': [
    mount({ destination: '/x', source: '/nowhere', options: ['bind'] }),
    /mounts\[6\]\.source: open_tree\(.*ENOENT.*does not exist on the host/,
  ],
  'an option that the file system lacks': [
    mount({ destination: '/x', type: 'tmpfs', source: 'x', options: ['nope'] }),
    /mounts\[6\]: .*the option "nope" is refused/,
  ],
  'a layer that is missing': [
    mount({ destination: '/x', type: 'overlay', source: 'x', options: ['lowerdir=/nowhere'] }),
    /mounts\[6\]: mount\(.*ENOENT.*a path among the options/,
  ],
  'a place where nothing can be made': [
    mount({ destination: '/sys/nope', type: 'tmpfs', source: 'x' }),
    /mounts\[6\]: openat2\(.*ENOENT.*can’t be made on that file system/,
  ],
  'a place among the processes': [
    mount({ destination: '/proc/1/x', type: 'tmpfs', source: 'x' }),
    /mounts\[6\]\.destination: .*inside \/proc/,
  ],
};

type Place =
  | 'unknown'
  | 'created'
  | 'running'
  | 'paused'
  | 'stopped'
  | 'half'
  | 'corrupt'
  | 'pieces'
  | 'folder'
  | 'nameless';

const CONTAINERS: Record<Place, (s: Session, sleeper: () => string) => string | Promise<string>> = {
  unknown: () => 'unknown',
  nameless: () => '',
  created: (_, sleeper) => sleeper(),
  running: (s, sleeper) => {
    const id = sleeper();
    s.ok(['start', id]);
    return id;
  },
  paused: (s, sleeper) => {
    const id = sleeper();
    s.ok(['start', id]);
    s.ok(['pause', id]);
    return id;
  },
  stopped: async (s, sleeper) => {
    const id = sleeper();
    s.ok(['kill', id, 'KILL']);
    await s.waitFor(id, 'stopped');
    return id;
  },
  half: (s) => {
    mkdirSync(join(s.root, 'half'), { recursive: true });
    return 'half';
  },
  corrupt: (s, sleeper) => {
    const id = sleeper();
    truncateSync(join(s.root, id, 'state.json'), 200);
    return id;
  },
  pieces: (s, sleeper) => {
    const id = sleeper();
    s.ok(['start', id]);
    const file = join(s.root, id, 'state.json');
    const { bundle, process, ...rest } = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify(rest));
    return id;
  },
  folder: (s, sleeper) => {
    const id = sleeper();
    const file = join(s.root, id, 'state.json');
    rmSync(file);
    mkdirSync(file);
    return id;
  },
};

const MOUNTS = '[{"destination": "/dev/shm", "type": "tmpfs", "source": "x"}]';

/** Commands that change nothing about what they refuse, and what each needs of the container. */
const COMMANDS: [args: string[], input: string, refusals: Partial<Record<Place, RegExp>>][] = [
  [['state'], '', {}],
  [['start'], '', { running: /already running/, paused: /already running/, stopped: /that has stopped/ }],
  [['kill', 'ID', '0'], '', { stopped: /container not running/ }],
  [['delete'], '', { running: /not stopped: running/, paused: /not stopped: paused/ }],
  [
    ['exec', 'ID', 'true'],
    '',
    { paused: /cannot exec in a paused container/, stopped: /in a stopped container/ },
  ],
  [['ps', '--format', 'json'], '', { stopped: /container not running/ }],
  [['pause'], '', { stopped: /container not running/ }],
  [['resume'], '', { created: /not paused/, running: /not paused/, stopped: /container not running/ }],
  [['update', '--resources', '-'], '{}', { stopped: /container not running/ }],
  [['events', '--stats'], '', { stopped: /container not running/ }],
  [['mounts', 'add', 'ID', '-'], MOUNTS, { stopped: /container not running/ }],
  [['mounts', 'remove', 'ID', '-'], MOUNTS, { stopped: /container not running/ }],
];

const EVERYWHERE: Partial<Record<Place, RegExp>> = {
  unknown: /^container does not exist: unknown$/,
  nameless: /^container id cannot be empty$/,
  half: /^state of container half is unusable: .*delete --force half/,
  corrupt: /^state of container .* is unusable: .*delete --force/,
  pieces: /^state of container .* is unusable: .*bundle is missing.*delete --force/,
  folder: /^state of container .* is unusable: .*is a directory.*delete --force/,
};

/** Flags and files of commands on a running container. */
const FLAGS: [args: string[], message: RegExp, input?: string][] = [
  [['exec', 'ID'], /process args cannot be empty/],
  [['exec', '--user', '4294967295', 'ID', 'true'], /--user: "4294967295" is no id/],
  [['exec', '--user', '0x10', 'ID', 'true'], /--user: "0x10" is no id/],
  [['exec', '--user', '1:', 'ID', 'true'], /--user: "" is no id/],
  [['exec', '--additional-gids', '-1', 'ID', 'true'], /--additional-gids: "-1" is no id/],
  [['exec', '--env', 'A', 'ID', 'true'], /--env: "A" is no NAME=VALUE/],
  [['exec', '--cwd', 'rel', 'ID', 'true'], /--cwd: "rel": Cwd must be an absolute path/],
  [['exec', '--cwd', '/nowhere', 'ID', 'true'], /process\.cwd: chdir\("\/nowhere"\): .*ENOENT.*must exist/],
  [['exec', '--cgroup', '../x', 'ID', 'true'], /--cgroup: .*leads out/],
  [['exec', '--cgroup', 'nope', 'ID', 'true'], /--cgroup: open .*\/nope: no such file.*must exist/],
  [['exec', '--process', '/nowhere', 'ID'], /process file not found: "\/nowhere"/],
  [['exec', '--process', '/dev/zero', 'ID'], /cannot read process file "\/dev\/zero": not a regular file/],
  [['exec', '--preserve-fds', '500', 'ID', 'true'], /--preserve-fds: descriptor \d+ is not open/],
  [['exec', '--tty', '--detach', 'ID', 'true'], /cannot allocate tty if runc will detach/],
  [
    ['exec', '--tty', '--detach', '--console-socket', '/nowhere', 'ID', 'true'],
    /--console-socket: cannot connect to \/nowhere: .*ENOENT/,
  ],
  [
    ['exec', '--pidfd-socket', '/nowhere', 'ID', 'true'],
    /--pidfd-socket: cannot connect to \/nowhere: .*ENOENT/,
  ],
  [['exec', '--pid-file', '/no/where', 'ID', 'true'], /--pid-file: .*\/no\/where: no such file/],
  [['update', '--resources', '-', 'ID'], /resources, line 1, column 2/, '{'],
  [['update', '--resources', '-', 'ID'], /resources is invalid: expected an object/, '[]'],
  [
    ['update', '--resources', '-', 'ID'],
    /memory\.limit: expected an integer from -2\^63 to 2\^63 - 1, found "5"/,
    '{"memory": {"limit": "5"}}',
  ],
  [['update', '--resources', '/nowhere', 'ID'], /--resources: "\/nowhere": no such file/],
  [['update', '--memory', '5x', 'ID'], /--memory: "5x" is no size/],
  [['update', '--pids-limit', '1.5', 'ID'], /--pids-limit: "1\.5" is no number/],
  [['update', '--cpu-idle', '5', 'ID'], /cpu\.idle: expected an integer from 0 to 1, found 5/],
  [['update', '--cpu-rt-runtime', '5', 'ID'], /cpu\.realtimeRuntime: only cgroup v1 has this/],
  [['update', '--l3-cache-schema', 'x', 'ID'], /--l3-cache-schema: container .* has no class of service/],
  [['events', '--interval', '0s', 'ID'], /interval must be greater than 0/],
  [['ps', '--format', 'x', 'ID'], /invalid format option/],
  [['kill', 'ID', 'NOPE'], /unknown signal "NOPE"/],
  [['delete', '--regex', '['], /--regex: /],
  [['delete', '--force', '--regex', ''], /^container id cannot be empty \(\.\* matches all/],
];

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('fields of config.json', async (t) => {
    const s = session(t, runtime);
    const before = snapshot();
    const bundle = tempBundle(t, { args: ['true'] });
    const good = JSON.stringify(bundle.config);
    for (const [name, [change, message]] of Object.entries(FIELDS)) {
      bundle.config = JSON.parse(good) as TestSpec;
      change(bundle.config);
      bundle.save();
      const result = s.run(bundle, { globals: JSON_LOG });
      const { exit, msg } = failureOf(result);
      assert.equal(exit, 1, name);
      assert.match(msg, message, name);
      assert.ok(msg.length < 1000, `${name}: ${msg.length} characters`);
      await assertNothingLeft(before, [s.root]);
    }
  });

  it('commands on containers in every state', async (t) => {
    const s = session(t, runtime);
    const sleeper = (): string => {
      const { id, code, stderr } = s.create(scriptBundle(t, 'exec sleep 1000'));
      assert.equal(code, 0, stderr);
      return id;
    };
    for (const [place, make] of Object.entries(CONTAINERS) as [Place, (typeof CONTAINERS)[Place]][]) {
      const id = await make(s, sleeper);
      for (const [args, input, refusals] of COMMANDS) {
        const message = refusals[place] ?? EVERYWHERE[place];
        if (message === undefined) continue;
        const argv = args.includes('ID') ? args.map((arg) => (arg === 'ID' ? id : arg)) : [...args, id];
        const { exit, msg } = failureOf(s.call(argv, { input, globals: JSON_LOG }));
        assert.equal(exit, args[0] === 'exec' ? 255 : 1, `${place}: ${args}`);
        assert.match(msg, message, `${place}: ${args}`);
      }
      if (existsSync(s.root)) assert.equal(s.call(['list']).code, 0, `${place}: list`);
      if (id !== '') s.ok(['delete', '--force', id]);
    }
  });

  it('flags, and files of commands', (t) => {
    const s = session(t, runtime);
    const { id } = s.detach(scriptBundle(t, 'exec sleep 1000'));
    for (const [args, message, input] of FLAGS) {
      const argv = args.map((arg) => (arg === 'ID' ? id : arg));
      const { exit, msg } = failureOf(s.call(argv, { input, globals: JSON_LOG }));
      assert.equal(exit, args[0] === 'exec' ? 255 : 1, args.join(' '));
      assert.match(msg, message, args.join(' '));
    }
    assert.deepEqual(JSON.parse(s.ok(['ps', '--format', 'json', id])).length, 1);
  });

  it('events for a reader that doesn’t read: nobody else waits, and no line is lost', async (t) => {
    const s = session(t, runtime);
    const { id } = s.detach(scriptBundle(t, 'exec sleep 1000'));
    const fifo = join(temporaryFolder(t), 'fifo');
    assert.equal(spawnSync('mkfifo', [fifo]).status, 0);
    const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(fifo, constants.O_WRONLY);
    const [file = '', ...first] = runtime.command;
    const events = spawn(file, [...first, '--root', s.root, 'events', '--interval', '1ms', id], {
      stdio: ['ignore', writer, 'inherit'],
    });
    closeSync(writer);
    atEnd(t, 'files', () => void events.kill('SIGKILL'));
    const exited = once(events, 'exit');
    for (let i = 0; i < 20; i++) s.ok(['exec', id, 'true']);
    s.ok(['delete', '--force', id]);
    const decoder = new TextDecoder();
    const buffer = Buffer.alloc(65536);
    let text = '';
    for (let i = 0; i < 2000; i++) {
      let length = -1;
      try {
        length = readSync(reader, buffer);
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, 'EAGAIN');
      }
      if (length === 0) break;
      if (length > 0) text += decoder.decode(buffer.subarray(0, length), { stream: true });
      else await delay(5);
    }
    closeSync(reader);
    assert.deepEqual(await exited, [0, null]);
    const lines = text.trimEnd().split('\n');
    assert.ok(lines.length > 1);
    for (const line of lines) assert.equal(JSON.parse(line).type, 'stats');
  });
}
