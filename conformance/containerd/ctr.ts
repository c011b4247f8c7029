/**
 * Containers made with ctr, as the cases need them.
 *
 * @module
 */
import { call, onTerminal, type Result, waitFor } from '../engines/engine.ts';
import { type Containerd, ctr, ctrCommand, ctrOk } from './daemon.ts';

/** An id for a container that nobody had. */
export function newId(box: Containerd): string {
  return `box${box.count++}`;
}

/** The flags with which ctr uses the runtime under test. */
export function runtimeFlags({ setting }: Containerd): string[] {
  // ctr asks for shares by default, which needs the controller.
  const shares = setting.place === 'host' ? ['--cpu-shares', '0'] : [];
  return ['--runc-binary', setting.runtime.path, ...shares];
}

/** The arguments of `ctr run` with the image. */
export function runArguments(
  box: Containerd,
  flags: readonly string[],
  id: string,
  command: readonly string[],
): string[] {
  return ['run', ...runtimeFlags(box), ...flags, box.setting.image.name, id, ...command];
}

/** A container in the foreground. */
export function run(
  box: Containerd,
  command: readonly string[],
  flags: readonly string[] = [],
  input = '',
): Result {
  return ctr(box, runArguments(box, ['--rm', ...flags], newId(box), command), input);
}

/** What a script prints in a container; it must succeed. */
export function output(box: Containerd, script: string, flags: readonly string[] = []): string {
  return ctrOk(box, runArguments(box, ['--rm', ...flags], newId(box), ['sh', '-c', script]));
}

/** ctr on a terminal of 30 lines and 90 columns. What it prints comes with plain line ends, without the echo of script(1)'s end of input. */
export function onTty(box: Containerd, args: readonly string[], input = ''): Result {
  const sized = ['sh', '-c', 'stty rows 30 cols 90; exec "$@"', 'sh', ...ctrCommand(box, args)];
  const result = call(box.setting.place, onTerminal(sized), input);
  return { ...result, stdout: result.stdout.replaceAll('^@', '').replaceAll(/\r+\n/g, '\n') };
}

/** A container in the background. @returns its id */
export function detach(
  box: Containerd,
  flags: readonly string[] = [],
  command: readonly string[] = ['sleep', '600'],
): string {
  const id = newId(box);
  ctrOk(box, runArguments(box, ['--detach', ...flags], id, command));
  return id;
}

export interface Task {
  readonly pid: number;
  /** CREATED, RUNNING, PAUSED, STOPPED. */
  readonly status: string;
}

/** What `ctr tasks list` has of a container. */
export function task(box: Containerd, id: string): Task | undefined {
  const line = ctrOk(box, ['tasks', 'list'])
    .split('\n')
    .map((text) => text.trim().split(/ +/))
    .find(([name]) => name === id);
  return line && { pid: Number(line[1]), status: line[2]! };
}

export function waitForStatus(box: Containerd, id: string, status: string): Task {
  return waitFor(`${id} is ${status}`, () => {
    const found = task(box, id);
    return found?.status === status && found;
  });
}

/** The exit code of a stopped task, which is deleted then. */
export async function exitStatus(box: Containerd, id: string): Promise<number> {
  waitForStatus(box, id, 'STOPPED');
  const { process } = await box.tasks.call<{ process: { exit_status: number } }>('Get', { container_id: id });
  ctrOk(box, ['tasks', 'delete', id]);
  return process.exit_status;
}

/** A further process in a container. */
export function exec(
  box: Containerd,
  id: string,
  command: readonly string[],
  flags: readonly string[] = [],
  input = '',
): Result {
  return ctr(box, execArguments(box, id, command, flags), input);
}

export function execArguments(
  box: Containerd,
  id: string,
  command: readonly string[],
  flags: readonly string[] = [],
): string[] {
  return ['tasks', 'exec', '--exec-id', newId(box), ...flags, id, ...command];
}
