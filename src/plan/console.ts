/**
 * `process.terminal`: a pseudoterminal of the container's own devpts, its master sent to whoever asked, its other end
 * as /dev/console and as the command's standard streams.
 *
 * The other end is opened by ioctl on the master (TIOCGPTPEER, Linux 4.13), never by a path in /dev/pts that a
 * container could have swapped (CVE-2025-52565).
 *
 * @module
 */

import { AT, O, TIOC } from '../../ffi/constants/index.ts';
import type { Cell } from '../../ffi/program.ts';
import { addressOf, bytes, valueIn } from '../../ffi/program.ts';
import type { Box } from '../spec/types.ts';
import { planAttach } from './mount-attributes.ts';
import { FD } from './protocol.ts';
import { planSendDescriptor } from './rights.ts';
import type { RootAccess } from './root.ts';
import { cloneTree } from './root.ts';
import type { PlanContext } from './types.ts';

/** Opens a pseudoterminal of the container and sends its master away; gives the cell of its other end. */
export function openTerminal(ctx: PlanContext, root: RootAccess, size: Box | undefined): { peer: Cell } {
  const { program } = ctx;
  const master = program.cell('master');
  const peer = program.cell('terminal');
  program.within('process.terminal', () => {
    root.open('/dev/pts/ptmx', master, { flags: O.RDWR | O.NOCTTY });
    const zero = program.cell('zero');
    program.call('ioctl', [valueIn(master), TIOC.SPTLCK, addressOf(zero)], { note: 'unlock' });
    program.call('ioctl', [valueIn(master), TIOC.GPTPEER, O.RDWR | O.NOCTTY | O.CLOEXEC], { store: peer });
    if (size !== undefined) setSize(ctx, peer, size);
    planSendDescriptor(program, FD.console, master, '/dev/ptmx');
    program.call('close', [valueIn(master)]);
  });
  return { peer };
}

/** Makes the terminal and /dev/console; gives the cell of its other end. */
export function planConsole(ctx: PlanContext, root: RootAccess, size: Box | undefined): Cell {
  const { program } = ctx;
  const { peer } = openTerminal(ctx, root, size);
  const { tree, target } = root;
  program.within('process.terminal', () => {
    program.call('open_tree', [valueIn(peer), '', AT.EMPTY_PATH | cloneTree(false)], { store: tree });
    root.openTarget('/dev/console', 'file', 'process.terminal');
    planAttach(ctx, tree, target);
    program.call('close', [valueIn(tree)]);
    program.call('close', [valueIn(target)]);
  });
  return peer;
}

/** Makes the terminal the controlling one and the standard streams; the process leads a new session already. */
export function planStreams(ctx: PlanContext, peer: Cell, uid: number): void {
  const { program } = ctx;
  program.within('process.terminal', () => {
    if (uid !== 0) program.call('fchown', [valueIn(peer), uid, -1]);
    program.call('ioctl', [valueIn(peer), TIOC.SCTTY, 0]);
    for (const stream of [0, 1, 2]) program.call('dup3', [valueIn(peer), stream, 0]);
    program.call('close', [valueIn(peer)]);
  });
}

/** struct winsize: rows, columns, and two unused words of 16 bits. */
function setSize(ctx: PlanContext, peer: Cell, size: Box): void {
  const winsize = new Uint8Array(8);
  const view = new DataView(winsize.buffer);
  view.setUint16(0, size.height, true);
  view.setUint16(2, size.width, true);
  ctx.program.within('process.consoleSize', () =>
    ctx.program.call('ioctl', [
      valueIn(peer),
      TIOC.SWINSZ,
      bytes(winsize, `winsize{${size.height}, ${size.width}}`),
    ]),
  );
}
