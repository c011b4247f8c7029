/**
 * What a plan is made of: facts about the host and options go in, typed steps come out. No I/O anywhere in this folder.
 *
 * @module
 */

import type { Cell, Program, ProgramBuilder } from '../../ffi/program.ts';
import type { Machine } from '../../ffi/syscalls.ts';
import type { DeviceRule } from '../cgroup/devices/rules.ts';
import type { ScopeName } from '../cgroup/systemd/names.ts';
import type { Write } from '../cgroup/write.ts';
import type { HookPhase } from '../hooks/run.ts';
import type { SecurityModules } from '../linux/security.ts';
import type { Extensions } from '../spec/annotations.ts';
import type { LinuxIDMapping } from '../spec/types.ts';
import type { CompiledFilter } from './seccomp.ts';

/** What the planner must know of the host; collected by src/linux/facts.ts. */
export interface HostFacts {
  machine: Machine;
  /** Effective ids of the runtime. */
  euid: number;
  egid: number;
  /** Highest capability number of the kernel (/proc/sys/kernel/cap_last_cap). */
  lastCapability: number;
  /** Where the v2 hierarchy is mounted, or null. */
  cgroupMount: string | null;
  /** Which security modules are on; only asked for with a label in the config. */
  security?: SecurityModules;
  /** Text of the /etc/passwd that the container will see, when HOME is to be looked up. */
  passwd?: string;
  /** Where destinations of the config lead through symlinks of the image to something missing. */
  missingTargets?: ReadonlyMap<string, string>;
  /** Where those sources of mounts lead that are symlinks to be copied, by absolute path. */
  links?: ReadonlyMap<string, string>;
  /** Mount point of the file system that holds the rootfs; only asked for with a shared root propagation. */
  rootfsMount?: string;
  /** Where the host has a proc or sysfs mounted, deepest first; only asked for with --no-pivot. */
  kernelMounts?: readonly string[];
  /** False where the kernel has no mount_setattr(2): before Linux 5.12. */
  mountSetattr?: boolean;
  /** The runtime is in a user namespace without setgroups(2); only asked for when the container gets no other one. */
  setgroupsDenied?: boolean;
  /** False where close_range(2) can't set close-on-exec: before Linux 5.11. */
  closeRange?: boolean;
}

/** What the caller decides. */
export interface PlanOptions {
  id: string;
  /** Absolute path of the bundle. */
  bundle: string;
  /** Absolute path of the container's root on the host. */
  rootfs: string;
  /** State folder of this container. */
  stateDir: string;
  /** `create` waits for `start`; `run` goes straight on to the command. */
  mode: 'create' | 'run';
  /** Path of the cgroup below {@link HostFacts.cgroupMount}, or null for none. */
  cgroupPath: string | null;
  /**
   * The caller couldn't make device nodes anyway, so that rules for devices are not missed; only asked for when there
   * is no cgroup.
   */
  unprivileged?: boolean;
  /** The unit that systemd makes for the cgroup; without it the runtime makes the cgroup itself. */
  scope?: ScopeName;
  /** Where the terminal's master goes; required when process.terminal. */
  consoleSocket?: string;
  noPivot: boolean;
  noNewKeyring: boolean;
  /** Descriptors from 3 on that stay open in the container, LISTEN_FDS included. */
  preserveFds: number;
  pidFile?: string;
  /** Folder of the container's sd_notify socket, when the caller has a service manager. */
  notifyFolder?: string;
  /** Gets a pidfd of init. */
  pidfdSocket?: string;
  /** The system call filter, if there is one. */
  seccomp?: CompiledFilter;
  /** What annotations of the config ask for. */
  extensions?: Extensions;
}

/** A step of the parent, in order. `await` steps read a note of the executor, `go` answers it. */
export type HostStep =
  | { step: 'state'; path: string }
  /** `bind`: the runtime itself listens; after `create` it is `start` that does. */
  | { step: 'notifySocket'; path: string; bind: boolean }
  | { step: 'cgroup'; path: string; field: string; controllers: readonly string[] }
  /** `subgroup`: the container's cgroup, below the scope's. */
  | ({ step: 'scope'; controllers: readonly string[]; subgroup?: string } & ScopeName)
  /** Moves init into a cgroup below the container's own, whose root its cgroup namespace stays. */
  | { step: 'delegatedCgroup'; path: string; uid?: number }
  | { step: 'cgroupOwner'; uid: number }
  | { step: 'cgroupLimits'; writes: readonly Write[] }
  | { step: 'deviceRules'; rules: readonly DeviceRule[] }
  /** Keeps the compiled filter for `exec`, and for the next container with this profile. */
  | { step: 'seccompFilter'; path: string }
  | { step: 'fifo'; path: string }
  | { step: 'console'; path: string }
  | { step: 'spawn'; fds: readonly string[] }
  | {
      step: 'await';
      note: 'MAP_IDS' | 'INIT' | 'INIT_UNPLACED' | 'NETWORK' | 'HOOKS' | 'READY' | 'EXECUTING';
    }
  /** Waits for the note LISTENER, and hands the descriptor to the agent that listens at `path`. */
  | { step: 'seccompListener'; path: string }
  | { step: 'idMaps'; uid: readonly LinuxIDMapping[]; gid: readonly LinuxIDMapping[] }
  /** A user namespace with these mappings and no process, for mounts; its descriptor is handed over by this name. */
  | {
      step: 'userNamespace';
      name: string;
      field: string;
      uid: readonly LinuxIDMapping[];
      gid: readonly LinuxIDMapping[];
    }
  /** Waits for the note COPY_UP, and copies the one folder's content into the other. `owner`: its owner as well. */
  | { step: 'copyUp'; field: string; path: string; owner: boolean }
  | { step: 'saveState'; status: 'creating' | 'created' }
  | { step: 'hooks'; phase: HookPhase; count: number }
  | { step: 'limits'; count: number }
  /** Scheduler and I/O priority, with the runtime's rights. */
  | { step: 'scheduling' }
  /** Into the class of service and the monitoring group of `linux.intelRdt`. */
  | { step: 'resctrl' }
  /** Devices of the host into the container's network namespace, by name and new name. */
  | { step: 'netDevices'; names: readonly (readonly [from: string, to: string])[] }
  | { step: 'pidfdSocket'; path: string }
  | { step: 'pidFile'; path: string }
  /** End of file on the socket: execve closed it. */
  | { step: 'execed' }
  /** `command`: what goes on now is the container's command, or its wait for `start`. */
  | { step: 'go'; command?: true };

export interface Plan<P extends ProgramBuilder = Program> {
  host: readonly HostStep[];
  program: P;
  /** What to tell the user though it is no error. */
  warnings: readonly string[];
}

/** What every part of the planner gets. */
export interface PlanContext {
  program: ProgramBuilder;
  options: PlanOptions;
  facts: HostFacts;
  /** The container has a new user namespace, or joins one. */
  userNamespace: boolean;
  /** The groups stay those of whoever called the runtime. */
  keepGroups?: boolean;
  /** SELinux label of new file systems. */
  mountLabel?: string;
  warnings: string[];
  /** What the parent does while init mounts, in order. */
  steps?: HostStep[];
  /** The limit of open files as it was, while it is raised. */
  descriptorLimit?: Cell;
}
