/**
 * A terminal's size and mode: ioctl_tty(2), termios(3).
 *
 * All of these throw RuntsError E_SYSCALL; errno ENOTTY means that the descriptor is no terminal.
 *
 * @module
 */

import { TC, TIOC } from './constants/ioctl.ts';
import { syscall } from './local.ts';

/** Size in characters, at most 65535. */
export interface WindowSize {
  rows: number;
  columns: number;
}

/** The kernel's `struct termios` (36 bytes): what {@link setRaw} returns and {@link setAttributes} takes. */
export type TerminalAttributes = Uint8Array;

// struct termios { u32 c_iflag, c_oflag, c_cflag, c_lflag; u8 c_line; u8 c_cc[19]; }, asm-generic/termbits.h
const TERMIOS_SIZE = 36;
const CC = 17;
const VTIME = 5;
const VMIN = 6;
const INPUT = {
  IGNBRK: 0o1,
  BRKINT: 0o2,
  PARMRK: 0o10,
  ISTRIP: 0o40,
  INLCR: 0o100,
  IGNCR: 0o200,
  ICRNL: 0o400,
} as const;
const IXON = 0o2000;
const OPOST = 0o1;
const CONTROL = { CSIZE: 0o60, CS8: 0o60, PARENB: 0o400 } as const;
const LOCAL = { ISIG: 0o1, ICANON: 0o2, ECHO: 0o10, ECHONL: 0o100, IEXTEN: 0o100000 } as const;

export function windowSize(fd: number): WindowSize {
  // struct winsize { unsigned short ws_row, ws_col, ws_xpixel, ws_ypixel; }
  const size = new Uint16Array(4);
  syscall('ioctl', [fd, TIOC.GWINSZ, size]);
  return { rows: size[0]!, columns: size[1]! };
}

/** Programs in the foreground of the terminal get SIGWINCH when the size changes. */
export function setWindowSize(fd: number, { rows, columns }: WindowSize): void {
  const size = new Uint16Array(4);
  size[0] = rows;
  size[1] = columns;
  syscall('ioctl', [fd, TIOC.SWINSZ, size]);
}

export function attributes(fd: number): TerminalAttributes {
  const termios = new Uint8Array(TERMIOS_SIZE);
  syscall('ioctl', [fd, TC.GETS, termios]);
  return termios;
}

/** Sets attributes as they were read, at once: a terminal whose output is stopped must not hold up our exit. */
export function setAttributes(fd: number, termios: TerminalAttributes): void {
  syscall('ioctl', [fd, TC.SETS, termios]);
}

/**
 * Raw mode, as cfmakeraw(3): every byte goes through as it is, Ctrl-C too.
 *
 * @returns the attributes before, for {@link setAttributes}
 */
export function setRaw(fd: number): TerminalAttributes {
  const before = attributes(fd);
  const raw = new Uint8Array(TERMIOS_SIZE);
  raw.set(before);
  const words = new Uint32Array(raw.buffer, 0, 4);
  const input = Object.values(INPUT).reduce((all: number, flag) => all | flag, IXON);
  words[0]! &= ~input;
  words[1]! &= ~OPOST;
  words[2] = (words[2]! & ~(CONTROL.CSIZE | CONTROL.PARENB)) | CONTROL.CS8;
  words[3]! &= ~(LOCAL.ECHO | LOCAL.ECHONL | LOCAL.ICANON | LOCAL.ISIG | LOCAL.IEXTEN);
  raw[CC + VMIN] = 1;
  raw[CC + VTIME] = 0;
  setAttributes(fd, raw);
  return before;
}
