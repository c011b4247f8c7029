/**
 * Cases with ctr: containers and tasks.
 *
 * @module
 */
import assert from 'node:assert/strict';
import type { Case } from '../engines/engine.ts';
import { type Containerd, ctr } from './daemon.ts';

/** An id for a container that nobody had. */
function newId(box: Containerd): string {
  return `box${box.count++}`;
}

/** The arguments of `ctr run`. */
function runArguments(
  box: Containerd,
  flags: readonly string[],
  id: string,
  command: readonly string[],
): string[] {
  const { image, place, runtime } = box.setting;
  // ctr asks for shares by default, which needs the controller.
  const shares = place === 'host' ? ['--cpu-shares', '0'] : [];
  return ['run', '--runc-binary', runtime.path, ...shares, ...flags, image.name, id, ...command];
}

export const taskCases: readonly Case<Containerd>[] = [
  {
    name: 'ctr run: output and exit code',
    run(box) {
      const { code, stdout, stderr } = ctr(
        box,
        runArguments(box, ['--rm'], newId(box), ['sh', '-c', 'echo out; echo err >&2; exit 7']),
      );
      assert.deepEqual([code, stdout, stderr], [7, 'out\n', 'err\n']);
    },
  },
];
