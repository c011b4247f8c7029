/**
 * The command line as data: parsing, `--help`, and whatever else describes the command line come from here.
 *
 * Names and meanings are runc's, which containerd, Docker, Podman, CRI-O and BuildKit call.
 *
 * @module
 */

import type { CommandSpec, FlagSpec } from './types.ts';

/** Where a system-wide runts keeps its state. */
export const SYSTEM_ROOT = '/run/runts';

/** Every command has it; it isn't in the commands' own tables. */
export const HELP_FLAG: FlagSpec = { name: 'help', short: 'h', type: 'boolean', help: 'show help' };

/** Options before the command. */
export const GLOBAL_FLAGS: readonly FlagSpec[] = [
  {
    name: 'root',
    type: 'string',
    value: 'DIR',
    help: `directory for the containers' state, on tmpfs (default: ${SYSTEM_ROOT}, or $XDG_RUNTIME_DIR/runts for an ordinary user)`,
  },
  {
    name: 'log',
    type: 'string',
    value: 'FILE',
    help: 'append log lines to this file instead of stderr, or send them to journald:ID or syslog:ID',
  },
  {
    name: 'log-format',
    type: 'string',
    value: 'FORMAT',
    default: 'text',
    choices: ['text', 'json'],
    help: 'format of log lines: text or json',
  },
  {
    name: 'log-level',
    type: 'string',
    value: 'LEVEL',
    choices: ['debug', 'info', 'warning', 'error'],
    help: 'least level to log: debug, info, warning or error (default: warning, or error with --log-format json)',
  },
  { name: 'debug', type: 'boolean', help: 'the same as --log-level debug' },
  {
    name: 'systemd-cgroup',
    type: 'boolean',
    help: 'let systemd manage cgroups; cgroupsPath is then slice:prefix:name, e.g. system.slice:runts:web',
  },
  {
    name: 'cgroup-manager',
    type: 'string',
    value: 'MANAGER',
    choices: ['cgroupfs', 'systemd', 'disabled'],
    help: 'who manages cgroups: cgroupfs, systemd or disabled (default: cgroupfs)',
  },
  {
    name: 'rootless',
    type: 'string',
    value: 'BOOL',
    choices: ['true', 'false', 'auto'],
    default: 'auto',
    help: 'ignore missing permissions for cgroups: true, false or auto',
  },
  HELP_FLAG,
  { name: 'version', short: 'v', type: 'boolean', help: 'print the version' },
];

const BUNDLE: FlagSpec = {
  name: 'bundle',
  short: 'b',
  type: 'string',
  value: 'DIR',
  default: '.',
  help: 'the bundle: the folder with config.json',
};

const CONSOLE_SOCKET: FlagSpec = {
  name: 'console-socket',
  type: 'string',
  value: 'PATH',
  help: "AF_UNIX stream socket that receives the master end of the container's terminal",
};

const PIDFD_SOCKET: FlagSpec = {
  name: 'pidfd-socket',
  type: 'string',
  value: 'PATH',
  help: 'AF_UNIX stream socket that receives a pidfd of the new process',
};

const TRACE: FlagSpec = {
  name: 'trace',
  type: 'string',
  value: 'FILE',
  help: 'write where the time went to this file, for ui.perfetto.dev',
};

const NO_PIVOT: FlagSpec = {
  name: 'no-pivot',
  type: 'boolean',
  help: 'use MS_MOVE and chroot instead of pivot_root, for a rootfs on a ramdisk; less safe',
};

const NO_NEW_KEYRING: FlagSpec = {
  name: 'no-new-keyring',
  type: 'boolean',
  help: "keep the caller's session keyring instead of creating one for the container",
};

/** What `create` and `run` share. */
const CREATE_FLAGS: readonly FlagSpec[] = [
  BUNDLE,
  CONSOLE_SOCKET,
  { name: 'pid-file', type: 'string', value: 'PATH', help: "write the container's process id to this file" },
  PIDFD_SOCKET,
  NO_PIVOT,
  NO_NEW_KEYRING,
  {
    name: 'preserve-fds',
    type: 'number',
    value: 'N',
    default: 0,
    help: 'pass N further descriptors to the container, after stdio and $LISTEN_FDS',
  },
  TRACE,
];

const CONTAINER = `CONTAINER-ID is the name of the container, unique under --root: letters, digits and the
characters _ + . - (neither "." nor "..").`;

const REGEX_FLAG: FlagSpec = {
  name: 'regex',
  short: 'r',
  type: 'boolean',
  help: 'CONTAINER-ID is a regular expression, found anywhere in the id; all containers that match',
};

const JSON_FLAG: FlagSpec = { name: 'json', type: 'boolean', help: 'print JSON' };

const updateFlag = (name: string, value: string, help: string): FlagSpec => ({
  name,
  type: 'string',
  value,
  help,
});

const UPDATE_FLAGS: readonly FlagSpec[] = [
  {
    name: 'resources',
    short: 'r',
    type: 'string',
    value: 'FILE',
    help: 'read the change as JSON from this file, or from standard input with -',
  },
  updateFlag('memory', 'SIZE', 'memory; -1 for no limit'),
  updateFlag('memory-reservation', 'SIZE', 'memory that is protected from being reclaimed'),
  updateFlag('memory-swap', 'SIZE', 'memory and swap together; -1 for unlimited swap'),
  updateFlag('cpu-share', 'N', "relative weight of the container's processor time, 2 to 262144"),
  updateFlag('cpu-quota', 'USEC', 'processor time in each period, in microseconds; -1 for no limit'),
  updateFlag('cpu-period', 'USEC', 'the period of the quota, in microseconds'),
  updateFlag('cpu-burst', 'USEC', 'quota that may be saved up for a burst, in microseconds'),
  updateFlag('cpu-idle', 'N', '1 to run only when nothing else does, 0 to run normally'),
  updateFlag('cpuset-cpus', 'LIST', 'processors that may be used, e.g. 0-3,7'),
  updateFlag('cpuset-mems', 'LIST', 'memory nodes that may be used'),
  updateFlag('pids-limit', 'N', 'processes and threads; -1 for no limit'),
  updateFlag('blkio-weight', 'N', 'relative weight of block I/O, 10 to 1000'),
  updateFlag('l3-cache-schema', 'SCHEMA', "L3 cache of the container's resctrl class, e.g. L3:0=f0;1=f"),
  updateFlag(
    'mem-bw-schema',
    'SCHEMA',
    "memory bandwidth of the container's resctrl class, e.g. MB:0=20;1=70",
  ),
  { ...updateFlag('cpu-rt-runtime', 'USEC', 'realtime quota; only cgroup v1 has it'), hidden: true },
  { ...updateFlag('cpu-rt-period', 'USEC', 'realtime period; only cgroup v1 has it'), hidden: true },
  { ...updateFlag('kernel-memory', 'SIZE', 'ignored'), hidden: true },
  { ...updateFlag('kernel-memory-tcp', 'SIZE', 'ignored'), hidden: true },
];

const switchFlag = (name: string, help: string): FlagSpec => ({ name, type: 'boolean', help });

/** What `checkpoint` and `restore` share. */
const CRIU_FLAGS: readonly FlagSpec[] = [
  {
    name: 'image-path',
    type: 'string',
    value: 'DIR',
    help: 'folder of the images (default: checkpoint, in the working directory)',
  },
  {
    name: 'work-path',
    type: 'string',
    value: 'DIR',
    help: "folder of CRIU's logs and statistics (default: the images')",
  },
  switchFlag('tcp-established', 'open TCP connections are saved and restored'),
  switchFlag('ext-unix-sk', 'Unix sockets whose other end is outside of the container are allowed'),
  switchFlag('shell-job', 'the terminal is the one of the caller'),
  switchFlag('file-locks', 'file locks are saved and restored'),
  {
    name: 'manage-cgroups-mode',
    type: 'string',
    value: 'MODE',
    choices: ['soft', 'full', 'strict', 'ignore'],
    help: "how the container's cgroups are saved and restored: soft, full, strict or ignore (default: soft)",
  },
  {
    name: 'empty-ns',
    type: 'string',
    value: 'NAMESPACE',
    choices: ['network'],
    repeat: true,
    help: "leave out this namespace's content; only network",
  },
  switchFlag('auto-dedup', 'free the pages of the images that a later one, or the memory, replaces'),
  switchFlag('lazy-pages', 'memory is fetched from a page server when the container needs it'),
  {
    name: 'network-lock',
    type: 'string',
    value: 'METHOD',
    choices: ['iptables', 'nftables', 'skip'],
    help: 'how connections are held meanwhile: iptables, nftables or skip (default: iptables)',
  },
];

const CHECKPOINT_FLAGS: readonly FlagSpec[] = [
  ...CRIU_FLAGS,
  switchFlag('leave-running', 'the container runs on'),
  switchFlag('pre-dump', 'save the memory alone, and let the container run on'),
  {
    name: 'parent-path',
    type: 'string',
    value: 'DIR',
    help: 'images of an earlier pre-dump, relative to --image-path: only what has changed since is saved',
  },
  {
    name: 'page-server',
    type: 'string',
    value: 'ADDRESS:PORT',
    help: 'send the memory to the page server there, or with --lazy-pages serve it there',
  },
  {
    name: 'status-fd',
    type: 'number',
    value: 'FD',
    help: 'with --lazy-pages: descriptor that gets a NUL byte when the page server is ready',
  },
  switchFlag('link-remap', 'files that are open but removed may be linked again, to be found'),
  switchFlag('tcp-skip-in-flight', 'TCP connections that are not established yet are left out'),
];

const RESTORE_FLAGS: readonly FlagSpec[] = [
  BUNDLE,
  CONSOLE_SOCKET,
  { name: 'detach', short: 'd', type: 'boolean', help: 'do not wait for the container' },
  { name: 'pid-file', type: 'string', value: 'PATH', help: "write the container's process id to this file" },
  PIDFD_SOCKET,
  NO_PIVOT,
  switchFlag('no-subreaper', 'do not reap the orphans of the container (only without --detach)'),
  switchFlag('keep', 'do not remove the container when it has ended'),
  ...CRIU_FLAGS,
  switchFlag('tcp-close', 'TCP connections of the images are restored as closed ones'),
  {
    name: 'lsm-profile',
    type: 'string',
    value: 'TYPE:NAME',
    help: 'restore with this security profile, e.g. apparmor:NAME or selinux:LABEL',
  },
  {
    name: 'lsm-mount-context',
    type: 'string',
    value: 'LABEL',
    help: 'SELinux label of the restored file systems',
  },
];

/** All commands, in the order of `--help`. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'create',
    summary: 'create a container',
    operands: 'CONTAINER-ID',
    minOperands: 1,
    maxOperands: 1,
    description: `Creates a container from a bundle, a folder with a config.json and a root file system.
The container's process is prepared in full and waits: "runts start" lets it execute
process.args, "runts delete" removes it. runts itself exits when the container is created.

${CONTAINER}

With process.terminal true, --console-socket must be given. "runts plan" shows what create
would do. "runts spec" makes a config.json to begin with.`,
    flags: CREATE_FLAGS,
  },
  {
    name: 'start',
    summary: 'start a created container',
    operands: 'CONTAINER-ID',
    minOperands: 1,
    maxOperands: 1,
    description: `Lets a created container execute the program of its config.json. A program that cannot be
executed is an error of this command.`,
    flags: [TRACE],
  },
  {
    name: 'state',
    summary: 'print the state of a container',
    operands: 'CONTAINER-ID',
    minOperands: 1,
    maxOperands: 1,
    description: `Prints the container's state as JSON, as the runtime specification defines it: its status is
creating, created, running, paused or stopped.`,
    flags: [],
  },
  {
    name: 'kill',
    summary: 'send a signal to a container',
    operands: 'CONTAINER-ID [SIGNAL]',
    minOperands: 1,
    maxOperands: 2,
    description: `Sends SIGNAL (default: SIGTERM) to the container's init process. SIGNAL is a number or a name,
with or without SIG, in any case: 9, KILL, sigkill, RTMIN+3.

Example:
    runts kill web KILL`,
    flags: [
      {
        name: 'all',
        short: 'a',
        type: 'boolean',
        help: 'signal every process of the container; a stopped container is no error then',
      },
      REGEX_FLAG,
    ],
  },
  {
    name: 'delete',
    summary: 'remove a container',
    operands: 'CONTAINER-ID',
    minOperands: 1,
    maxOperands: 1,
    description: `Removes a stopped container's cgroup and state, then runs the poststop hooks. With --force a
container that still runs is killed first, whatever is left of a half-made one is removed, and an
unknown container is no error.`,
    flags: [
      { name: 'force', short: 'f', type: 'boolean', help: 'kill the container first if it still runs' },
      REGEX_FLAG,
    ],
  },
  {
    name: 'run',
    summary: 'create and start a container',
    operands: 'CONTAINER-ID',
    minOperands: 1,
    maxOperands: 1,
    description: `Creates a container from a bundle and starts it. In the foreground runts relays signals and the
terminal, waits for the container, removes it, and exits with its status (128+N if signal N
ended it). With --detach runts exits once the container runs.

${CONTAINER}

Example:
    runts run --bundle /srv/web web`,
    flags: [
      ...CREATE_FLAGS,
      { name: 'detach', short: 'd', type: 'boolean', help: 'do not wait for the container' },
      { name: 'keep', type: 'boolean', help: 'do not remove the container when it has ended' },
      {
        name: 'no-subreaper',
        type: 'boolean',
        help: 'do not reap the orphans of the container (only without --detach)',
      },
    ],
  },
  {
    name: 'exec',
    summary: 'run a further process in a container',
    operands: 'CONTAINER-ID [COMMAND [ARG...]]',
    minOperands: 1,
    maxOperands: Number.MAX_SAFE_INTEGER,
    flagsFirst: true,
    failureExitCode: 255,
    description: `Runs a command in a running container, with the environment, user and rights of the container's
own process where nothing else is said. Exits with the command's status (128+N if signal N ended
it), and with 255 when the command could not be run.

With --process the command is all that the file says; only capabilities, security labels,
scheduling and oomScoreAdj are the container's where it doesn't.

Example:
    runts exec --tty web sh`,
    flags: [
      {
        name: 'process',
        short: 'p',
        type: 'string',
        value: 'FILE',
        help: 'the process object as JSON; other flags about the process are then ignored',
      },
      CONSOLE_SOCKET,
      { name: 'detach', short: 'd', type: 'boolean', help: 'do not wait for the process' },
      { name: 'pid-file', type: 'string', value: 'PATH', help: "write the process's id to this file" },
      PIDFD_SOCKET,
      { name: 'tty', short: 't', type: 'boolean', help: 'give the process a terminal' },
      { name: 'cwd', type: 'string', value: 'DIR', help: 'working directory in the container' },
      {
        name: 'env',
        short: 'e',
        type: 'string',
        value: 'NAME=VALUE',
        repeat: true,
        help: 'set an environment variable',
      },
      { name: 'user', short: 'u', type: 'string', value: 'UID[:GID]', help: 'ids of the process' },
      {
        name: 'additional-gids',
        short: 'g',
        type: 'string',
        value: 'GID',
        repeat: true,
        help: 'a further group of the process',
      },
      {
        name: 'cap',
        short: 'c',
        type: 'string',
        value: 'CAP',
        repeat: true,
        help: 'a further capability of the process',
      },
      { name: 'apparmor', type: 'string', value: 'PROFILE', help: 'AppArmor profile of the process' },
      { name: 'process-label', type: 'string', value: 'LABEL', help: 'SELinux label of the process' },
      { name: 'no-new-privs', type: 'boolean', help: 'set no_new_privs' },
      {
        name: 'preserve-fds',
        type: 'number',
        value: 'N',
        default: 0,
        help: 'pass N further descriptors to the process, after stdio and $LISTEN_FDS',
      },
      { name: 'cgroup', type: 'string', value: 'PATH', help: "run in this cgroup below the container's" },
      {
        name: 'ignore-paused',
        type: 'boolean',
        help: 'do not refuse a paused container; the process then waits',
      },
      TRACE,
    ],
  },
  {
    name: 'list',
    summary: 'list the containers',
    operands: '',
    minOperands: 0,
    maxOperands: 0,
    description: 'Lists the containers under --root.',
    flags: [
      {
        name: 'format',
        short: 'f',
        type: 'string',
        value: 'FORMAT',
        default: 'table',
        choices: ['table', 'json'],
        help: 'table or json',
      },
      { name: 'quiet', short: 'q', type: 'boolean', help: 'print only the ids' },
    ],
  },
  {
    name: 'pause',
    summary: 'stop all processes of a container',
    operands: 'CONTAINER-ID',
    minOperands: 1,
    maxOperands: 1,
    description: 'Freezes the container: none of its processes runs until "runts resume".',
    flags: [],
  },
  {
    name: 'resume',
    summary: 'let a paused container go on',
    operands: 'CONTAINER-ID',
    minOperands: 1,
    maxOperands: 1,
    description: 'Thaws a container that "runts pause" froze.',
    flags: [],
  },
  {
    name: 'checkpoint',
    summary: 'save a running container to files',
    operands: 'CONTAINER-ID',
    minOperands: 1,
    maxOperands: 1,
    description: `Has CRIU save the container's processes to files, from which "runts restore" makes them again,
here or on another machine. The container is removed then, unless --leave-running or --pre-dump
is given.

Example:
    runts checkpoint --image-path /srv/images web`,
    flags: CHECKPOINT_FLAGS,
  },
  {
    name: 'restore',
    summary: 'make a container of what checkpoint saved',
    operands: 'CONTAINER-ID',
    minOperands: 1,
    maxOperands: 1,
    description: `Has CRIU make the processes again that "runts checkpoint" saved, in a new container of the
bundle. Its config.json and its root file system must be as they were. Without --detach runts
waits for the container as "runts run" does.

${CONTAINER}

Example:
    runts restore --bundle /srv/web --image-path /srv/images --detach web`,
    flags: RESTORE_FLAGS,
  },
  {
    name: 'update',
    summary: 'change the limits of a container',
    operands: 'CONTAINER-ID',
    minOperands: 1,
    maxOperands: 1,
    description: `Changes limits of a created, running or paused container. What is not named stays as it is; when
the kernel refuses a value, nothing is changed. Sizes are bytes, or have a unit: k, m, g, t.

With --resources the change is a JSON object as linux.resources of config.json, and the other
flags are ignored. Device rules in it are ignored too.

Example:
    runts update --memory 256m --pids-limit 100 web`,
    flags: UPDATE_FLAGS,
  },
  {
    name: 'mounts',
    summary: 'add mounts to a container, or remove them',
    operands: 'add|remove CONTAINER-ID FILE',
    minOperands: 3,
    maxOperands: 3,
    description: `Changes the mounts of a created, running or paused container. FILE (- for standard input) holds
JSON: the mounts of a config.json, or an object with them as "mounts".

"add" makes them in order, by the same rules as "create"; sources are paths of the host, relative
ones begin at the bundle. When one can't be made, those before it are removed again. "remove"
needs destinations only; what is in use there stays usable for who has it open.

Example:
    echo '[{"destination": "/data", "source": "/srv/data", "options": ["rbind", "ro"]}]' |
        runts mounts add web -`,
    flags: [],
  },
  {
    name: 'events',
    summary: 'print what a container uses, and when it runs out of memory',
    operands: 'CONTAINER-ID',
    minOperands: 1,
    maxOperands: 1,
    description: `Prints one line of JSON with the statistics of the container's cgroup at every interval, and one
whenever the kernel killed a process of it for lack of memory. Ends with the container.`,
    flags: [
      {
        name: 'interval',
        type: 'string',
        value: 'DURATION',
        default: '5s',
        help: 'time between statistics, e.g. 500ms, 5s or 1m',
      },
      { name: 'stats', type: 'boolean', help: 'print the statistics once' },
    ],
  },
  {
    name: 'ps',
    summary: 'list the processes of a container',
    operands: 'CONTAINER-ID [PS-ARG...]',
    minOperands: 1,
    maxOperands: Number.MAX_SAFE_INTEGER,
    flagsFirst: true,
    description: `Runs the host's ps with the given arguments (default: -ef) and prints the rows of the container's
processes, or prints their process ids as JSON.`,
    flags: [
      {
        name: 'format',
        short: 'f',
        type: 'string',
        value: 'FORMAT',
        default: 'table',
        choices: ['table', 'json'],
        help: 'table or json',
      },
    ],
  },
  {
    name: 'spec',
    summary: 'write a config.json to begin with',
    operands: '',
    minOperands: 0,
    maxOperands: 0,
    description: `Writes a config.json that runs a shell in the folder "rootfs" beside it. An existing config.json
is not overwritten.

Example:
    mkdir -p web/rootfs && runts spec --bundle web`,
    flags: [
      { ...BUNDLE, help: 'the folder to write config.json to' },
      { name: 'rootless', type: 'boolean', help: 'make a config.json for an ordinary user' },
    ],
  },
  {
    name: 'plan',
    summary: 'show what create would do, without doing it',
    operands: '[CONTAINER-ID]',
    minOperands: 0,
    maxOperands: 1,
    description: `Prints every step of create on the host and every system call inside the container, one a line.
Nothing is done: no privileges and no root file system are needed.`,
    flags: [BUNDLE, CONSOLE_SOCKET, NO_PIVOT, NO_NEW_KEYRING, JSON_FLAG],
  },
  {
    name: 'validate',
    summary: 'check a config.json',
    operands: '',
    minOperands: 0,
    maxOperands: 0,
    description: `Checks a bundle's config.json against the runtime specification and prints every violation with
its path. Exits with 0 when there is none.`,
    flags: [BUNDLE, JSON_FLAG],
  },
  {
    name: 'features',
    summary: 'print what this build implements',
    operands: '',
    minOperands: 0,
    maxOperands: 0,
    description: `Prints as JSON what this build of runts implements: namespaces, capabilities, mount options,
seccomp and the rest, in the format of the runtime specification (features.md). It does not
depend on the host, but for linux.seccomp.supportedFlags.`,
    flags: [],
  },
  {
    name: 'completion',
    summary: 'print the completion script of a shell',
    operands: 'SHELL',
    minOperands: 1,
    maxOperands: 1,
    description: `Prints a script that completes the command line of runts. SHELL is bash, zsh or fish.

Examples:
    source <(runts completion bash)            # in ~/.bashrc
    source <(runts completion zsh)             # in ~/.zshrc, after compinit
    runts completion fish | source             # in ~/.config/fish/config.fish`,
    flags: [],
  },
  {
    name: 'doctor',
    summary: 'show what this host offers to containers',
    operands: '',
    minOperands: 0,
    maxOperands: 0,
    description: `Checks the kernel, cgroups, namespaces, seccomp, security modules and helpers, and prints for
each ok, degraded or missing, with what to do about it. Exits with 1 when no container can run
here.`,
    flags: [JSON_FLAG],
  },
];

/** Built in: shows the help of all or of one. */
export const HELP_COMMAND: CommandSpec = {
  name: 'help',
  aliases: ['h'],
  summary: 'show the list of commands or the help of one',
  operands: '[COMMAND]',
  minOperands: 0,
  maxOperands: 1,
  description: 'Shows the list of commands, or the help of one.',
  flags: [],
};

/** The command of this name or alias. */
export function findCommand(name: string): CommandSpec | undefined {
  return [...COMMANDS, HELP_COMMAND].find((spec) => spec.name === name || spec.aliases?.includes(name));
}
