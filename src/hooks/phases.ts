/**
 * The hooks of the runtime specification: when each runs, where, and what its failure means.
 *
 * @see runtime-spec 1.3, config.md "POSIX-platform Hooks", runtime.md "Lifecycle"
 * @module
 */

export type HookPhase =
  | 'prestart'
  | 'createRuntime'
  | 'createContainer'
  | 'startContainer'
  | 'poststart'
  | 'poststop';

/** What the specification says of one phase. */
export interface PhaseRules {
  /** Whose namespaces the hooks run in. */
  namespaces: 'runtime' | 'container';
  /** Whose file system `path` is looked up in. createContainer's hooks run inside, but are found outside. */
  path: 'runtime' | 'container';
  /** The `status` of the state that the hooks read. */
  status: 'creating' | 'created' | 'running' | 'stopped';
  /**
   * `abort`: the hooks after it don't run, the operation fails, and the container is stopped and removed.
   * `warn`: a warning is logged, the hooks after it run, and the operation goes on.
   */
  onFailure: 'abort' | 'warn';
}

/**
 * The phases in the order of a container's life.
 *
 * Prestart hooks are of runtime-spec 1.0, where they ran after `create` with the status "created". They run earlier
 * since 1.1, but those that exist were written for that status. crun keeps it too; runc says "creating".
 */
export const PHASES: Readonly<Record<HookPhase, PhaseRules>> = {
  prestart: { namespaces: 'runtime', path: 'runtime', status: 'created', onFailure: 'abort' },
  createRuntime: { namespaces: 'runtime', path: 'runtime', status: 'creating', onFailure: 'abort' },
  createContainer: { namespaces: 'container', path: 'runtime', status: 'creating', onFailure: 'abort' },
  startContainer: { namespaces: 'container', path: 'container', status: 'created', onFailure: 'abort' },
  poststart: { namespaces: 'runtime', path: 'runtime', status: 'running', onFailure: 'abort' },
  poststop: { namespaces: 'runtime', path: 'runtime', status: 'stopped', onFailure: 'warn' },
};
