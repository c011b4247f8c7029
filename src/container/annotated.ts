/**
 * What annotations of a container mean for what comes after its making. Most containers have none that matter, and then
 * nothing is loaded.
 *
 * @module
 */

import type { HookOutput } from '../spec/annotations.ts';
import type { ContainerState } from './state.ts';

type Annotated = Pick<ContainerState, 'annotations'>;

const matter = ({ annotations }: Annotated): boolean =>
  Object.keys(annotations).some((name) => name.startsWith('run.oci.'));

/** Whether processes of the container keep the groups of whoever calls the runtime. */
export async function keepsGroups(state: Annotated): Promise<boolean> {
  return matter(state) && (await import('../spec/annotations.ts')).keepsGroups(state.annotations);
}

/** Where the output of the container's hooks goes. */
export async function outputOf(state: Annotated): Promise<HookOutput> {
  return matter(state) ? (await import('../spec/annotations.ts')).hookOutput(state.annotations) : {};
}
