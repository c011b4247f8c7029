/**
 * Why a program of the validation suite fails for runts. Every failure has an entry here, or the run fails.
 *
 * @module
 */

/**
 * - `suite`: the program is wrong, or asks for what the specification no longer says. It fails for others too, or they
 *   keep to the old text.
 * - `cgroup-v1`: the program looks at cgroup v1 files only; runts manages cgroup v2 only.
 * - `host`: the host forbids it. It passes in the VM.
 * - `vm`: the VM's emulation or kernel can't. It passes on a host.
 */
export type Cause = 'suite' | 'cgroup-v1' | 'host' | 'vm';

export interface Known {
  readonly cause: Cause;
  readonly reason: string;
  /** Why another runtime may pass all the same. Without, that fails the run (but for `cgroup-v1`). */
  readonly elsewhere?: string;
}

const V1_FILES: Known = {
  cause: 'cgroup-v1',
  reason: 'Looks at cgroup v1 files only ("cgroupv2 is not supported yet"); runts manages cgroup v2 only.',
};

/** By program. */
export const KNOWN: Readonly<Record<string, Known>> = {
  delete: {
    cause: 'suite',
    reason:
      'Wants `delete` of a created container to be refused. All runtimes end and delete it, and containerd relies on it.',
  },
  delete_only_create_resources: V1_FILES,
  delete_resources: V1_FILES,
  hooks: {
    cause: 'suite',
    reason:
      'Compares with a text that its own hooks don’t write ("post-start1" instead of "post-start1 called").',
  },
  linux_cgroups_blkio: V1_FILES,
  linux_cgroups_cpus: V1_FILES,
  linux_cgroups_devices: V1_FILES,
  linux_cgroups_hugetlb: V1_FILES,
  linux_cgroups_memory: V1_FILES,
  linux_cgroups_network: {
    cause: 'cgroup-v1',
    reason:
      'Panics where there is no second network interface; net_cls and net_prio exist in cgroup v1 only.',
  },
  linux_cgroups_pids: V1_FILES,
  linux_cgroups_relative_blkio: V1_FILES,
  linux_cgroups_relative_cpus: V1_FILES,
  linux_cgroups_relative_devices: V1_FILES,
  linux_cgroups_relative_hugetlb: V1_FILES,
  linux_cgroups_relative_memory: V1_FILES,
  linux_cgroups_relative_network: V1_FILES,
  linux_cgroups_relative_pids: V1_FILES,
  linux_process_apparmor_profile: {
    cause: 'host',
    reason: 'The host has no AppArmor, or not the profile that the program names.',
  },
  misc_props: {
    cause: 'suite',
    reason: 'Its first container lacks the program /runtimetest that its config names.',
  },
  pidfile: {
    cause: 'suite',
    reason:
      'Waits for `true` to be running, which ended long before, and counts the error of a kill thereafter as a failure.',
  },
  poststart_fail: {
    cause: 'suite',
    reason:
      'Wants a failed poststart hook to be a warning. Since runtime-spec 1.3 it is an error, and the container is stopped.',
    elsewhere: 'crun 1.8.1 keeps to the older text.',
  },
  prestart: {
    cause: 'suite',
    reason: 'Wants prestart hooks during `start`. Since runtime-spec 1.1 they are called during `create`.',
  },
  process_capabilities: {
    cause: 'host',
    reason: 'Wants all capabilities, and the host has taken one from root (capset: EPERM).',
  },
  process_capabilities_fail: {
    cause: 'suite',
    reason:
      'Wants an error for an unknown capability. Since runtime-spec 1.1 it is a warning, and the runtime goes on.',
  },
  process_rlimits: {
    cause: 'suite',
    reason:
      'Built with Go 1.19 or later, the checking program raises its own soft RLIMIT_NOFILE before it reads it.',
  },
  start: {
    cause: 'suite',
    reason:
      'Its last case wants `start` to succeed without `process`, and its own text says that it must fail.',
  },
};
