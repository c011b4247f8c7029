/**
 * The system call filter: loaded by the process itself as the last thing before execve, so that none of the runtime's
 * own calls has to be in the profile but execve (and write, for its failure).
 *
 * runtime-spec config-linux.md, "Seccomp"; seccomp(2).
 *
 * @module
 */

/** A filter as seccomp(2) takes it. */
export interface CompiledFilter {
  /** Array of struct sock_filter, linux/filter.h. */
  readonly program: Uint8Array;
  /** SECCOMP_FILTER_FLAG_*. */
  readonly flags: number;
  /** Some calls are left to an agent: loading gives a descriptor that the agent must get. */
  readonly notify: boolean;
}
