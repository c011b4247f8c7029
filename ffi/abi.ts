/**
 * The executor's ABI, version 3: the one place where it is documented.
 *
 * abi.h is the same for C; abi.test.ts compares every number of the two, and the structures in abi.h are tied to the
 * offsets by static assertions.
 *
 * ## The image
 *
 * A process image is one file (a sealed memfd): the executor's ELF in bytes 0 to 4095, then the tape. Its program
 * headers are fixed, but for two sizes that `image()` in tape.ts patches for each tape:
 *
 * | header | flags | file offset | address | size |
 * | --- | --- | --- | --- | --- |
 * | 0 PT_LOAD | R-X | 0 | {@link IMAGE.TEXT_BASE} | the executor |
 * | 1 PT_LOAD | R-- | {@link IMAGE.TAPE_OFFSET} | {@link IMAGE.TAPE_BASE} | the tape (patched) |
 * | 2 PT_LOAD | RW- | none | {@link IMAGE.CELLS_BASE} | the cells, zeros (memory size patched) |
 * | 3 PT_GNU_STACK | RW- | | | |
 *
 * Nothing is both writable and executable. Addresses are absolute, so pointers inside the tape's data (argv tables,
 * structures) are plain addresses that the assembler computes. Offsets and addresses are congruent modulo 64 KiB, so
 * that the image loads on aarch64 kernels with 64 KiB pages.
 *
 * ## The tape
 *
 * A {@link HEADER}, `opCount` operations ({@link OP}), then data up to `tapeSize`. Little endian throughout. Cells
 * are the executor's only memory that a program can write, besides what it maps itself. Their first {@link STACK_SIZE}
 * bytes are its stack: the kernel's, which holds the arguments and the environment, is unmapped before the first
 * operation, and with it what proc_pid_cmdline(5) tells. argv[0] becomes the process's name.
 *
 * The executor validates the whole tape before it performs the first operation. A tape that breaks a rule is refused:
 * a REFUSED message with the operation's index and a {@link REASON}, and exit status {@link EXIT.REFUSED}. When the
 * magic is wrong (or the tape is shorter than a header) no descriptor can be trusted: the exit status is all.
 *
 * @module
 */

/** `RTAP`, little endian. */
export const MAGIC = 0x50415452;

export const VERSION = 3;

/** Bytes at the beginning of the cells that no operation can name. */
export const STACK_SIZE = 512;

/** ELF e_machine of the executor, which the tape must name. */
export const MACHINE = { X64: 62, ARM64: 183 } as const;

/** Where things are in the image and in memory. */
export const IMAGE = {
  TEXT_BASE: 0x400000,
  /** File offset of the tape; the executor's ELF is not longer. */
  TAPE_OFFSET: 0x1000,
  TAPE_BASE: 0x10001000,
  CELLS_BASE: 0x20000000,
  /** p_align of each PT_LOAD. */
  ALIGNMENT: 0x10000,
  /** File offset of phdr[1].p_filesz (64 + 56 + 32): the tape's size. */
  TAPE_FILESZ: 152,
  /** File offset of phdr[1].p_memsz: the same. */
  TAPE_MEMSZ: 160,
  /** File offset of phdr[2].p_memsz (64 + 112 + 40): the cells' size. */
  CELLS_MEMSZ: 216,
} as const;

/** Offsets in the tape's header. */
export const HEADER = {
  SIZE: 32,
  /** u32 {@link MAGIC}. */
  MAGIC: 0,
  /** u16 {@link VERSION}. */
  VERSION: 4,
  /** u16 {@link MACHINE}. */
  MACHINE: 6,
  /** u32, at least 1. */
  OP_COUNT: 8,
  /** u32: 32 + 48 * opCount; where the data begins. */
  DATA_OFFSET: 12,
  /** u32: header, operations and data; must be phdr[1].p_filesz. */
  TAPE_SIZE: 16,
  /** u32: a multiple of 8, more than {@link STACK_SIZE}; must be phdr[2].p_memsz. */
  CELLS_SIZE: 20,
  /** i32: the descriptor that messages go to. */
  REPORT_FD: 24,
  /** u32: 0. */
  RESERVED: 28,
} as const;

/** Offsets in an operation. A tape is memory that every created container keeps, so an operation is short. */
export const OP = {
  SIZE: 48,
  /** u16 {@link KIND}. */
  KIND: 0,
  /** u16: system call number, {@link CONDITION}, {@link OPERATOR}, or 0. */
  NR: 2,
  /** u16: two bits an argument, argument 0 lowest, {@link ARG}; bits 12 to 15 are 0. */
  ARG_KINDS: 4,
  /** u16: a bit an argument, argument 0 lowest: an immediate that is wide ({@link ARG}); bits 6 to 15 are 0. */
  WIDE: 6,
  /** i32[6]. */
  ARG: 8,
  /** u32: byte offset of a cell + 1 (offset a multiple of 8), or 0 for none. */
  STORE: 32,
  /** u32: index of an operation; checked for a jump and for an operation that lists an errno. */
  TARGET: 36,
  /** u16[4]: errnos that are no failure, in any place; 0 for none, {@link ERRNO_ANY} for all. */
  ERRNOS: 40,
} as const;

/** Kinds of operation. v0 to v5 are the arguments' values. */
export const KIND = {
  /**
   * r = syscall(nr, v0..v5), stored whether it is an error or not. A result of -4095 to -1 is an error. A listed
   * errno continues at `target`, and unless that is the next operation, {index, errno} is remembered as the last
   * failure. Any other error: a FAIL message {index, errno} and exit. A clone3 must not share memory (CLONE_VM): the
   * child goes on with a copy of the stack, the cells and the remembered failure.
   */
  SYSCALL: 0,
  /** Continues at `target` when the condition `nr` holds for v0 and v1. */
  JUMP: 1,
  /** The cell `store` (required) = v0 `nr` v1. */
  SET: 2,
  /** NOTE message: a = v0 (tag), b = v1, v3 bytes of text at address v2 (at most 512). A write error exits. */
  NOTIFY: 3,
  /**
   * FAIL message with {own index, v2}, or with the last failure when v2 is 0 and one is remembered; v1 bytes of text
   * at v0. Exits.
   */
  FAIL: 4,
  /** Messages go to descriptor v0 from here on. */
  REPORT_TO: 5,
} as const;

/** Kinds of argument. */
export const ARG = {
  /**
   * The number `arg`, sign-extended. With its bit in {@link OP.WIDE} instead the 64-bit word at the tape's byte `arg`, a
   * multiple of 8, dataOffset <= arg <= tapeSize - 8.
   */
  IMMEDIATE: 0,
  /** The address of the tape's byte `arg`, dataOffset <= arg <= tapeSize. */
  DATA: 1,
  /** The address of the cells' byte `arg`, {@link STACK_SIZE} <= arg < cellsSize. */
  CELL: 2,
  /** The 64-bit word at the cells' byte `arg`, a multiple of 8, {@link STACK_SIZE} <= arg < cellsSize. */
  VALUE: 3,
} as const;

/** Conditions of a jump; comparisons are signed. */
export const CONDITION = { ALWAYS: 0, EQUAL: 1, NOT_EQUAL: 2, LESS: 3, NOT_LESS: 4, AND: 5 } as const;

/** Operators of SET, on 64 bits. Shift counts are taken modulo 64; the right shift is logical. */
export const OPERATOR = { COPY: 0, ADD: 1, AND: 2, OR: 3, SHIFT_LEFT: 4, SHIFT_RIGHT: 5 } as const;

/** In an operation's errnos: any error is listed. */
export const ERRNO_ANY = 0xffff;

/**
 * Offsets in a message to the report descriptor: one writev(2) of this and the text. The descriptor is normally a
 * SOCK_SEQPACKET socket, which keeps message boundaries, or a FIFO (a message is smaller than PIPE_BUF).
 */
export const MESSAGE = {
  SIZE: 32,
  /** u32 {@link TYPE}. */
  TYPE: 0,
  /** u32: index of the operation, or {@link INDEX_HEADER}. */
  INDEX: 4,
  /** i64. FAIL: errno, positive. NOTE: tag. REFUSED: {@link REASON}. */
  A: 8,
  /** i64. NOTE: value. Else 0. */
  B: 16,
  /** u32: bytes of text after this. */
  TEXT_LENGTH: 24,
  /** u32: 0. */
  RESERVED: 28,
  /** Longest text; a longer one is cut. A negative length is 0. */
  TEXT_LIMIT: 512,
} as const;

/** Types of message. */
export const TYPE = { FAIL: 1, NOTE: 2, REFUSED: 3 } as const;

/** Index in a REFUSED message that is about the header. */
export const INDEX_HEADER = 0xffffffff;

/** Why a tape is refused, in the order in which the rules are checked. */
export const REASON = {
  /** No tape at all, or shorter than a header. Never reported, as there is no descriptor to trust. */
  MAGIC: 1,
  VERSION: 2,
  /** For another architecture. */
  MACHINE: 3,
  /** tapeSize is not what the image says: truncated, or trailing bytes. */
  TAPE_SIZE: 4,
  /** cellsSize is not what the image says, not a multiple of 8, or leaves nothing beside the stack. */
  CELLS_SIZE: 5,
  /** No operations, or dataOffset isn't right behind them, or that is beyond the tape. */
  LAYOUT: 6,
  /** The header's reserved field isn't 0, or bits for wide arguments beyond the sixth. */
  RESERVED: 7,
  /** Unknown kind of operation. */
  KIND: 8,
  /** Unknown condition or operator, or a number where the kind has none. */
  NUMBER: 9,
  /** Bits beyond the sixth argument, or a wide argument that is no immediate. */
  ARG_KINDS: 10,
  /** A data address outside the data, or a wide immediate that is not in it or not aligned. */
  DATA: 11,
  /** A cell address outside the cells, or on the stack. */
  CELL: 12,
  /** A cell's value outside the cells, on the stack, or not aligned. */
  VALUE: 13,
  /** A store outside the cells, on the stack or not aligned, or a SET without one. */
  STORE: 14,
  /** A jump, or an error policy, to no operation. */
  TARGET: 15,
  /** The last operation isn't FAIL, JUMP always or exit_group: execution could run past the end. */
  END: 16,
} as const;

/** Exit statuses of the executor itself. */
export const EXIT = {
  /** An operation failed, or a message could not be written. */
  FAILED: 255,
  /** The tape was refused. */
  REFUSED: 254,
} as const;
