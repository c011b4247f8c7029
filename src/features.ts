/**
 * What this build implements, as the `features` command prints it: runtime-spec features.md and features-linux.md.
 *
 * Everything comes from the tables that the code itself works by. It describes the build, whatever the host can do;
 * only `seccomp.supportedFlags` is about the host, as the specification has it.
 *
 * @module
 */

import { PHASES } from './hooks/phases.ts';
import { capabilityNames } from './linux/caps.ts';
import { MEMORY_POLICY_FLAGS, MEMORY_POLICY_MODES } from './plan/memory-policy.ts';
import { knownMountOptions } from './plan/mount-options.ts';
import { NAMESPACE_FLAGS } from './plan/namespaces.ts';
import { ACTIONS, FLAGS } from './seccomp/tables.ts';
import { KNOWN_ANNOTATIONS } from './spec/annotations.ts';
import type {
  Arch,
  Features,
  LinuxNamespaceType,
  LinuxSeccompFlag,
  LinuxSeccompOperator,
  MemoryPolicyFlagType,
  MemoryPolicyModeType,
} from './spec/types.ts';
import { COMMIT, SPEC_VERSION, VERSION } from './version.ts';

/** The oldest version of a config that is accepted: every 1.x is. */
export const OLDEST_SPEC_VERSION = '1.0.0';

/** Annotations of a config.json that change what the runtime does; one that ends in a dot is a prefix. */
export const UNSAFE_ANNOTATIONS: readonly string[] = [
  'org.criu.config',
  'org.systemd.property.',
  ...KNOWN_ANNOTATIONS,
];

/** Those of the schema: libseccomp translates the calls of each. */
const ARCHITECTURES: Readonly<Record<Arch, true>> = {
  SCMP_ARCH_AARCH64: true,
  SCMP_ARCH_ARM: true,
  SCMP_ARCH_LOONGARCH64: true,
  SCMP_ARCH_M68K: true,
  SCMP_ARCH_MIPS: true,
  SCMP_ARCH_MIPS64: true,
  SCMP_ARCH_MIPS64N32: true,
  SCMP_ARCH_MIPSEL: true,
  SCMP_ARCH_MIPSEL64: true,
  SCMP_ARCH_MIPSEL64N32: true,
  SCMP_ARCH_PARISC: true,
  SCMP_ARCH_PARISC64: true,
  SCMP_ARCH_PPC: true,
  SCMP_ARCH_PPC64: true,
  SCMP_ARCH_PPC64LE: true,
  SCMP_ARCH_RISCV64: true,
  SCMP_ARCH_S390: true,
  SCMP_ARCH_S390X: true,
  SCMP_ARCH_SH: true,
  SCMP_ARCH_SHEB: true,
  SCMP_ARCH_X32: true,
  SCMP_ARCH_X86: true,
  SCMP_ARCH_X86_64: true,
};

/** Those of the schema: src/seccomp/prelude.ts has a jump for each. */
const OPERATORS: Readonly<Record<LinuxSeccompOperator, true>> = {
  SCMP_CMP_EQ: true,
  SCMP_CMP_GE: true,
  SCMP_CMP_GT: true,
  SCMP_CMP_LE: true,
  SCMP_CMP_LT: true,
  SCMP_CMP_MASKED_EQ: true,
  SCMP_CMP_NE: true,
};

/** @param supportedFlags - of seccomp filters: those that this kernel takes */
export function features(supportedFlags: readonly LinuxSeccompFlag[]): Features {
  return {
    ociVersionMin: OLDEST_SPEC_VERSION,
    ociVersionMax: SPEC_VERSION,
    hooks: Object.keys(PHASES),
    mountOptions: knownMountOptions(),
    linux: {
      namespaces: sortedKeys<LinuxNamespaceType>(NAMESPACE_FLAGS),
      capabilities: capabilityNames(),
      cgroup: { v1: false, v2: true, systemd: true, systemdUser: true, rdma: true },
      seccomp: {
        enabled: true,
        actions: sortedKeys(ACTIONS),
        operators: sortedKeys(OPERATORS),
        archs: sortedKeys(ARCHITECTURES),
        knownFlags: sortedKeys<LinuxSeccompFlag>(FLAGS),
        supportedFlags: [...supportedFlags],
      },
      apparmor: { enabled: true },
      selinux: { enabled: true },
      intelRdt: { enabled: true, schemata: true, monitoring: true },
      memoryPolicy: {
        modes: sortedKeys<MemoryPolicyModeType>(MEMORY_POLICY_MODES),
        flags: sortedKeys<MemoryPolicyFlagType>(MEMORY_POLICY_FLAGS),
      },
      mountExtensions: { idmap: { enabled: true } },
      netDevices: { enabled: true },
    },
    annotations: {
      'run.oci.runts.version': VERSION,
      'run.oci.runts.commit': COMMIT,
      // runc's name for it, which engines ask for; whether CRIU is installed is not the build's business.
      'org.opencontainers.runc.checkpoint.enabled': 'true',
    },
    potentiallyUnsafeConfigAnnotations: [...UNSAFE_ANNOTATIONS],
  };
}

/** The keys of a table, typed. */
function sortedKeys<Key extends string>(table: Readonly<Record<Key, unknown>>): Key[] {
  return (Object.keys(table) as Key[]).sort();
}
