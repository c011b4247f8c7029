/**
 * The harness of the integration tests; see test/README.md.
 *
 * @module
 */

export { type Bundle, type BundleOptions, tempBundle } from './bundle.ts';
export { baseConfig, type TestSpec } from './config.ts';
export { buildPrograms, type Programs } from './engines.ts';
export { assertNothingLeft, type Snapshot, snapshot } from './leftovers.ts';
export { SLOWNESS } from './patience.ts';
export { findCommand, hasCommand, isRoot, missing, skipUnlessRoot } from './requirements.ts';
export { makeRootfs, sharedRootfs } from './rootfs.ts';
export { type Runtime, runtimes } from './runtimes.ts';
export {
  type CallOptions,
  type ContainerOptions,
  type Created,
  type Result,
  runContainer,
  type Session,
  type State,
  session,
} from './session.ts';
export { atEnd, mountPoints, removeTree, TOKEN, temporaryFolder, uniqueId } from './temporary.ts';
export { type CgroupMode, inWorld, isPureV2, privateWorld, type World, type WorldOptions } from './world.ts';
