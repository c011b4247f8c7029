/**
 * The command: working directory, the search of PATH, waiting for `start`, and execve.
 *
 * @module
 */

import { ACCESS, AT, ERRNO, O } from '../../ffi/constants/index.ts';
import type { Cell } from '../../ffi/program.ts';
import { addressOf, stringArray, valueIn } from '../../ffi/program.ts';
import { homeOf } from '../linux/users.ts';
import type { Process } from '../spec/types.ts';
import { FD, TAG, waitForParent } from './protocol.ts';
import { planListener, planSeccomp, SECCOMP_FIELD } from './seccomp.ts';
import type { PlanContext } from './types.ts';

/** What a PATH that is not set means, as execvp(3) and the other runtimes have it. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const PATH_MAX = 4096;

/** Of several definitions of a variable the last one counts; an entry without `=` defines nothing. */
export function environment(env: readonly string[], passwd: string | undefined, uid: number): string[] {
  const variables = new Map<string, string>();
  for (const entry of env) {
    const equals = entry.indexOf('=');
    if (equals > 0) variables.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  if ((variables.get('HOME') ?? '') === '') variables.set('HOME', homeOf(passwd ?? '', uid));
  return [...variables].map(([name, value]) => `${name}=${value}`);
}

/** The files that the command's name can mean, in order of PATH. */
export function candidates(command: string, env: readonly string[]): string[] {
  if (command.includes('/')) return [command];
  const path = env.find((e) => e.startsWith('PATH='))?.slice('PATH='.length) ?? DEFAULT_PATH;
  // an empty entry is the working directory, which nobody means in a container
  return path
    .split(':')
    .filter((folder) => folder !== '')
    .map((folder) => `${folder.replace(/\/+$/, '')}/${command}`);
}

/**
 * chdir(2) with the rights of the runtime, as runc and crun do: the folder may be one that the command's user could not
 * enter, such as /root. Gives the cell for {@link planWorkingDirectory}.
 */
export function planEnter(ctx: PlanContext, cwd: string): Cell {
  const { program } = ctx;
  const entered = program.cell('entered');
  program.call('chdir', [cwd], { field: 'process.cwd', store: entered, tolerate: ['EACCES'] });
  return entered;
}

/**
 * chdir(2) with the rights of the command's user, for a folder that only those open (FUSE, NFS with root_squash); and proof
 * that the working directory is inside the root: a descriptor of the host that leaked into /proc/self/fd could be named
 * by a hostile config (CVE-2024-21626). Outside, getcwd(2) gives "(unreachable)".
 */
export function planWorkingDirectory(ctx: PlanContext, cwd: string, entered: Cell): void {
  const { program } = ctx;
  const path = program.cell('cwd', PATH_MAX);
  const there = program.label('there');
  const inside = program.label('inside');
  program.within('process.cwd', () => {
    program.jumpIf(valueIn(entered), '==', 0, there);
    program.call('chdir', [cwd]);
    program.place(there);
    program.call('getcwd', [addressOf(path), PATH_MAX]);
    program.set(path, valueIn(path), '&', 0xff);
    program.jumpIf(valueIn(path), '==', '/'.charCodeAt(0), inside);
    program.fail(null, 0, ERRNO.ENOENT, 'the working directory is outside the root');
    program.place(inside);
  });
}

/**
 * Finds the command now, so that `create` can say that it is missing. Gives the cell with the address of its path.
 *
 * @param files - from {@link candidates}
 * @param named - the command is a path; else none of `files` is an error about PATH, even if it has one folder
 */
export function planLookup(ctx: PlanContext, files: readonly string[], named: boolean): Cell {
  const { program } = ctx;
  const found = program.cell('command');
  const folder = program.cell('folder');
  const done = program.label('found');
  program.within('process.args[0]', () => {
    files.forEach((file) => {
      const next = program.label('next');
      // Effective ids and capabilities decide, as they will in execve.
      program.call(
        'faccessat2',
        [AT.FDCWD, file, ACCESS.X_OK, AT.EACCESS],
        named ? {} : { tolerate: ['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP'], goto: next },
      );
      program.call('openat', [AT.FDCWD, file, O.PATH | O.DIRECTORY | O.CLOEXEC], {
        store: folder,
        tolerate: ['ENOTDIR'],
      });
      const isFile = program.label('file');
      program.jumpIf(valueIn(folder), '==', -ERRNO.ENOTDIR, isFile);
      // As of execve itself: engines know this one, and not all of them EISDIR.
      if (named) program.fail(null, 0, ERRNO.EACCES, 'a folder can’t be executed');
      else {
        program.call('close', [valueIn(folder)]);
        program.jump(next);
      }
      program.place(isFile);
      program.set(found, file);
      program.jump(done);
      program.place(next);
    });
    if (!named) {
      program.notify(TAG.NOT_FOUND, files.length);
      program.call('exit_group', [255]);
    }
    program.place(done);
  });
  return found;
}

/** Ready: waits for the parent, then (after `create`) for `start`, loads the filter, and becomes the command. */
export function planExec(
  ctx: PlanContext,
  process: Process,
  command: Cell,
  env: readonly string[],
  scratch: Cell,
): void {
  const { program, options } = ctx;
  const { seccomp } = options;
  if (seccomp?.notify === true) planListener(program, seccomp, scratch);
  program.notify(TAG.READY);
  waitForParent(program, scratch, 'until the state is saved');
  if (options.mode === 'create') {
    const released = program.label('released');
    program.call('read', [FD.start, addressOf(scratch), 1], { note: 'until `start`' });
    program.place(released);
    program.reportTo(FD.result);
  }
  program.notify(TAG.EXECUTING);
  const refused = seccomp?.notify === false ? program.label('refused') : undefined;
  if (seccomp?.notify === false) planSeccomp(program, seccomp, { failed: refused });
  program.within('process.args', () => {
    program.call('execve', [valueIn(command), stringArray(process.args ?? []), stringArray(env)]);
  });
  program.call('exit_group', [255]);
  if (refused !== undefined) {
    program.place(refused);
    // `start` has not got the program: it knows by the text what failed.
    program.fail(SECCOMP_FIELD, 0, 0, undefined, SECCOMP_FIELD);
  }
}
